package connector

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"smsbridge/connector/telemetry"
)

// watch is everything by which a connector can be watched, in the tests' hands.
type watch struct {
	t         *testing.T
	log       *buffer
	logger    *slog.Logger
	telemetry *telemetry.Telemetry
	spans     *tracetest.SpanRecorder
	tracers   *sdktrace.TracerProvider
	admin     string
}

func newWatch(t *testing.T) *watch {
	t.Helper()
	w := &watch{t: t, log: &buffer{}, spans: tracetest.NewSpanRecorder(), admin: freeAddress(t)}
	w.logger = slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.tracers = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(w.spans))
	var err error
	w.telemetry, err = telemetry.Setup(t.Context(), telemetry.Config{Account: "default", Instance: "i", Version: "test", Log: w.logger})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the connector's log:\n%s", w.log.String())
		}
	})
	return w
}

// over puts the watch over a connector.
func (w *watch) over(cfg *Config) {
	meter, tracer := w.telemetry.Meter("test"), w.tracers.Tracer("test")
	cfg.Meter, cfg.Provider.Meter, cfg.Submit.Meter, cfg.Push.Meter = meter, meter, meter, meter
	cfg.Provider.Tracer, cfg.Submit.Tracer, cfg.Tracer = tracer, tracer, tracer
	cfg.Log, cfg.Kafka.Log, cfg.Submit.Log, cfg.Push.Log = w.logger, w.logger, w.logger, w.logger
	cfg.Admin = telemetry.Admin{Listen: w.admin, Gatherer: w.telemetry.Gatherer, Log: w.logger}
}

// get asks the admin listener; status 0: it is not there.
func (w *watch) get(path string) (status int, body string) {
	w.t.Helper()
	res, err := impatient.Get("http://" + w.admin + path)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(text)
}

// answers waits until a path of the admin listener is answered with a status.
func (w *watch) answers(path string, want int) {
	w.t.Helper()
	eventually(w.t, func() error {
		if got, body := w.get(path); got != want {
			return errors.New(path + " is not answered as it should be: " + body)
		}
		return nil
	})
}

// impatient keeps no connection, so that it leaves no goroutine either.
var impatient = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// patience is for slow machines; nothing takes it where all is well.
const patience = 40 * time.Second

// eventually asks until it gets no error any more.
func eventually(t *testing.T, ask func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		<-tick.C
	}
}

// buffer is a bytes.Buffer for many.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// cable is a network that can be pulled: what is connected is cut, what wants to
// connect is refused.
type cable struct {
	mu     sync.Mutex
	pulled bool
	conns  map[net.Conn]bool
}

var errPulled = errors.New("the cable is pulled")

func (c *cable) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pulled {
		return nil, errors.Join(errPulled, conn.Close())
	}
	if c.conns == nil {
		c.conns = map[net.Conn]bool{}
	}
	c.conns[conn] = true
	return conn, nil
}

func (c *cable) pull() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pulled = true
	for conn := range c.conns {
		_ = conn.Close()
	}
	c.conns = nil
}

func (c *cable) plug() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pulled = false
}
