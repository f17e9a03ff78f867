package telemetry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// setup makes the telemetry of a process with exactly the OTEL_ variables of pairs.
func setup(t *testing.T, pairs ...string) (*Telemetry, error) {
	t.Helper()
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "OTEL_") {
			t.Setenv(name, "")
		}
	}
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	return Setup(t.Context(), Config{Account: "shop", Instance: "i-1", Version: "1.2.3", Log: quiet()})
}

func metrics(t *testing.T, gathered *Telemetry) string {
	t.Helper()
	return ask(admin(func(a *Admin) { a.Gatherer = gathered.Gatherer }), http.MethodGet, "/metrics").Body.String()
}

func TestMetricsCanBeReadWithoutAnyVariable(t *testing.T) {
	m, err := setup(t)
	if err != nil {
		t.Fatal(err)
	}
	counter, err := m.Meter("test").Int64Counter("smsbridge.test.things", metric.WithUnit("{thing}"))
	if err != nil {
		t.Fatal(err)
	}
	counter.Add(t.Context(), 3, metric.WithAttributes(attribute.String("kind", "good")))
	text := metrics(t, m)
	for _, line := range []string{
		`smsbridge_test_things_total{kind="good",smsbridge_account="shop"} 3`,
		`service_instance_id="i-1"`, `service_name="smsbridge"`, `service_version="1.2.3"`,
		"go_goroutines ", "process_cpu_seconds_total ",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("no %s in\n%s", line, text)
		}
	}
	if err := m.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTracerIsTheNoopOneUnlessTracesAreExported(t *testing.T) {
	for name, c := range map[string]struct {
		pairs  []string
		traces bool
	}{
		"nothing said":       {nil, false},
		"none":               {[]string{"OTEL_TRACES_EXPORTER=none", "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1"}, false},
		"disabled":           {[]string{"OTEL_SDK_DISABLED=true", "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1"}, false},
		"only metrics":       {[]string{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://127.0.0.1:1"}, false},
		"endpoint":           {[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", "OTEL_METRICS_EXPORTER=none"}, true},
		"endpoint of traces": {[]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:1"}, true},
		"exporter":           {[]string{"OTEL_TRACES_EXPORTER=otlp"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := setup(t, c.pairs...)
			if err != nil {
				t.Fatal(err)
			}
			_, span := m.Tracer("test").Start(t.Context(), "work")
			if got := span.IsRecording(); got != c.traces {
				t.Errorf("recording %v, want %v", got, c.traces)
			}
			stopAtOnce(t, m) // the span was not ended: nothing to export
		})
	}
}

// stopAtOnce ends m without waiting for a collector that is not there.
func stopAtOnce(t *testing.T, m *Telemetry) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = m.Shutdown(ctx)
}

func TestExportReachesTheCollectorUnderTheNameOfTheEnvironment(t *testing.T) {
	var traces, named atomic.Int64
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/v1/traces" {
			traces.Add(1)
		}
		if bytes.Contains(body, []byte("my-bridge")) && bytes.Contains(body, []byte("shop")) {
			named.Add(1)
		}
	}))
	defer collector.Close()
	m, err := setup(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL, "OTEL_SERVICE_NAME=my-bridge")
	if err != nil {
		t.Fatal(err)
	}
	_, span := m.Tracer("test").Start(t.Context(), "work")
	span.End()
	counter, _ := m.Meter("test").Int64Counter("smsbridge.test.things")
	counter.Add(t.Context(), 1)
	if err := m.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if traces.Load() != 1 || named.Load() != 2 { // metrics and traces
		t.Errorf("%d requests of traces, %d under the name", traces.Load(), named.Load())
	}
	if !strings.Contains(metrics(t, m), "go_goroutines") {
		t.Error("an exporter took the metrics away from the admin listener")
	}
}

func TestSetupNamesTheVariableThatIsWrong(t *testing.T) {
	for name, c := range map[string]struct{ pair, told string }{
		"unknown exporter":      {"OTEL_TRACES_EXPORTER=pigeon", "OTEL_TRACES_EXPORTER"},
		"unknown metrics":       {"OTEL_METRICS_EXPORTER=pigeon", "OTEL_METRICS_EXPORTER"},
		"endpoint without http": {"OTEL_EXPORTER_OTLP_ENDPOINT=canary:4318", "OTEL_EXPORTER_OTLP_ENDPOINT"},
		"endpoint of traces":    {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://canary:4318:x", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"},
		"attributes":            {"OTEL_RESOURCE_ATTRIBUTES=canary", "OTEL_RESOURCE_ATTRIBUTES"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := setup(t, c.pair)
			if err == nil || !strings.Contains(err.Error(), c.told) || strings.Contains(err.Error(), "canary") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestComplaintsAreRareAndHoldNoURL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		c := &complaints{log: slog.New(slog.NewTextHandler(&out, nil))}
		c.Handle(errors.New(`Post "http://user:canary@collector:4318/v1/traces": connection refused`))
		for range 5 {
			c.Error(errors.New("parse"), "parse headers", "input", "canary")
		}
		if n := strings.Count(out.String(), "\n"); n != 1 {
			t.Errorf("%d lines within a minute:\n%s", n, &out)
		}
		time.Sleep(complaintEvery)
		c.Error(errors.New("parse"), "parse headers", "input", "canary")
		if !strings.Contains(out.String(), "unheard=5") || !strings.Contains(out.String(), "parse headers") {
			t.Errorf("got %s", &out)
		}
		if strings.Contains(out.String(), "canary") || !strings.Contains(out.String(), "connection refused") {
			t.Errorf("got %s", &out)
		}
	})
}

func TestOpenTelemetrysOwnErrorsReachTheLog(t *testing.T) {
	var out bytes.Buffer
	if _, err := Setup(t.Context(), Config{Log: slog.New(slog.NewTextHandler(&out, nil))}); err != nil {
		t.Fatal(err)
	}
	otel.Handle(errors.New("exporter is stuck"))
	if !strings.Contains(out.String(), "exporter is stuck") {
		t.Errorf("got %q", &out)
	}
}

func TestLoggerTakesLevelAndFormat(t *testing.T) {
	for name, c := range map[string]struct{ level, format, want string }{
		"json":  {"info", "json", `"msg":"seen"`},
		"text":  {"debug", "text", "msg=seen"},
		"quiet": {"error", "text", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			log, err := NewLogger(&out, c.level, c.format)
			if err != nil {
				t.Fatal(err)
			}
			log.Info("seen")
			if !strings.Contains(out.String(), c.want) || (c.want == "") != (out.Len() == 0) {
				t.Errorf("got %q", &out)
			}
		})
	}
	for name, c := range map[string][2]string{"level": {"loud", "json"}, "format": {"info", "xml"}} {
		if _, err := NewLogger(io.Discard, c[0], c[1]); err == nil {
			t.Errorf("a wrong %s was taken", name)
		}
	}
}

func TestDurationsAreReadableInTheLog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, err := NewLogger(&out, "info", "json")
	if err != nil {
		t.Fatal(err)
	}
	log.Info("held", "for", 90*time.Second)
	if !strings.Contains(out.String(), `"for":"1m30s"`) {
		t.Error(out.String())
	}
}
