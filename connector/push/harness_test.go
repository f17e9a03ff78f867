package push

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric/noop"

	"smsbridge/codec/sms"
	"smsbridge/codec/wire"
)

const (
	goodReport  = "name=admin&pwd=open-sesame&sendid=20140821110353234137876543&time=2013-08-20+20%3A11%3A34&mobile=13800000001&state=DELIVRD"
	goodInbound = "name=admin&pwd=open-sesame&args=13800210021%23%40%23content1%23%40%232013-08-21+21%3A20%3A11%23%40%23008123"
)

// sink remembers what it was given. before, if set, decides each call.
type sink struct {
	before func(ctx context.Context, raw Raw) error

	mu      sync.Mutex
	raws    []Raw
	reports []wire.ReportPush
	inbound []sms.Inbound
	letters []letter
}

type letter struct {
	Raw
	cause string
}

func (s *sink) Keep(ctx context.Context, pushes ...Pushed) error {
	for _, p := range pushes {
		if s.before == nil {
			continue
		}
		if err := s.before(ctx, p.Raw); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range pushes {
		s.raws = append(s.raws, p.Raw)
		if p.Report != nil {
			s.reports = append(s.reports, *p.Report)
		}
		s.inbound = append(s.inbound, p.Inbound...)
		if p.Unreadable != nil {
			s.letters = append(s.letters, letter{p.Raw, p.Unreadable.Error()})
		}
	}
	return nil
}

func (s *sink) counts() (reports, inbound, letters int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.reports), len(s.inbound), len(s.letters)
}

func config(s Sink) Config {
	return Config{
		Listen:  "127.0.0.1:0",
		Auth:    Auth{Mode: Static, Name: fixed("admin"), Password: fixed("open-sesame")},
		Inbound: InboundAuth{Mode: Static, Name: fixed("admin"), Password: fixed("open-sesame")},
		Ack:     "OK",
		Grace:   5 * time.Second,
		Sink:    s,
		Log:     slog.New(slog.DiscardHandler),
		Meter:   noop.Meter{},
	}
}

func fixed(s string) func() string { return func() string { return s } }

// started listens on a port of this machine until the test ends.
func started(tb testing.TB, c Config) *Server {
	tb.Helper()
	s, err := Listen(context.Background(), c)
	if err != nil {
		tb.Fatal(err)
	}
	run(tb, s)
	return s
}

func run(tb testing.TB, s *Server) {
	tb.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	tb.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			tb.Errorf("Run: %v", err)
		}
	})
}

type answer struct {
	status int
	body   string
	header http.Header
}

func (s *Server) post(t *testing.T, path, body string, header ...string) answer {
	t.Helper()
	return s.request(t, http.MethodPost, path, body, header...)
}

func (s *Server) request(t *testing.T, method, path, body string, header ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.Addr().String()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	got, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{got.StatusCode, string(text), got.Header}
}

// memory is a listener without a network, so that synctest can turn its clock.
type memory struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newMemory() *memory {
	return &memory{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.conns:
		return c, nil
	case <-m.done:
		return nil, net.ErrClosed
	}
}

func (m *memory) Close() error {
	m.once.Do(func() { close(m.done) })
	return nil
}

func (m *memory) Addr() net.Addr { return &net.TCPAddr{} }

// dial connects from the address given.
func (m *memory) dial(from string) net.Conn {
	ours, theirs := net.Pipe()
	m.conns <- addressed{theirs, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(from))}
	return ours
}

type addressed struct {
	net.Conn
	remote net.Addr
}

func (a addressed) RemoteAddr() net.Addr { return a.remote }

// inMemory runs a server on a listener without a network.
func inMemory(t *testing.T, c Config) (*Server, *memory) {
	t.Helper()
	m := newMemory()
	s, err := newServer(c, m)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.openSpool(); err != nil {
		t.Fatal(err)
	}
	run(t, s)
	return s, m
}

// say writes to a connection and reads the answer, if one comes.
func say(c net.Conn, request string) (answer, error) {
	go func() { _, _ = io.WriteString(c, request) }()
	return hear(c)
}

func hear(c net.Conn) (answer, error) {
	got, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return answer{}, err
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	return answer{got.StatusCode, string(body), got.Header}, err
}

func form(path, body string) string {
	return "POST " + path + " HTTP/1.1\r\nHost: bridge\r\nContent-Type: application/x-www-form-urlencoded\r\n" +
		"Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

var errAway = errors.New("kafka is away")
