//go:build collector

// Package trace lets a real OpenTelemetry Collector see the way of a text.
package trace

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"smsbridge/cmd/smslab/lab"
)

const (
	patience = time.Minute
	number   = "13800000001"
)

// span is a span in the collector's JSON.
type span struct {
	TraceID string `json:"traceId"`
	ID      string `json:"spanId"`
	Parent  string `json:"parentSpanId"`
	Name    string
}

// batch is a request of the collector's exporter.
type batch struct {
	ResourceSpans []struct {
		ScopeSpans []struct{ Spans []span }
	}
}

func TestCollectorSeesOneTraceFromTheProducerToTheDeliveryReport(t *testing.T) {
	receives, exported := collector(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receives)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
	stage := raise(t)
	traceID, producer := produce(t, stage)

	prefix := stage.Topics.Prefix
	want := map[string]string{ // each span and the one above it
		"send " + prefix + "commands":    "",
		"process " + prefix + "commands": "send " + prefix + "commands",
		"POST submit":                    "process " + prefix + "commands",
		"send " + prefix + "reports":     "process " + prefix + "commands",
	}
	spans := map[string]span{}
	timeout := time.After(patience)
	for len(spans) < len(want) {
		select {
		case text := <-exported:
			if strings.Contains(text, number) {
				t.Error("a span holds the number")
			}
			for _, s := range read(t, text) {
				if s.TraceID == traceID {
					spans[s.Name] = s
				}
			}
		case <-timeout:
			t.Fatalf("the collector saw of the trace: %v", slices.Collect(maps.Keys(spans)))
		}
	}
	if got := spans["send "+prefix+"commands"].ID; got != producer {
		t.Errorf("the producer's span is %s, not %s", got, producer)
	}
	for name, above := range want {
		if got := spans[name].Parent; got != spans[above].ID {
			t.Errorf("%q is a child of %q, not of %q", name, got, above)
		}
		t.Logf("trace %s: span %s of %-16s %s", traceID, spans[name].ID, spans[name].Parent, name)
	}
}

// collector runs one that takes traces at an address, and what it exports.
func collector(t *testing.T) (receives string, exported <-chan string) {
	t.Helper()
	texts := make(chan string, 100) // more than there will be; a full one only delays the collector
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		texts <- string(text)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, "{}")
	}))
	t.Cleanup(backend.Close)
	dir, address := t.TempDir(), free(t)
	config := filepath.Join(dir, "collector.yaml")
	must(t, os.WriteFile(config, fmt.Appendf(nil, `
receivers: { otlp: { protocols: { http: { endpoint: %q } } } }
exporters: { otlp_http: { endpoint: %q, encoding: json, compression: none } }
service:
  pipelines: { traces: { receivers: [otlp], exporters: [otlp_http] } }
  telemetry: { metrics: { level: none } }
`, address, backend.URL), 0o600))
	process, err := lab.Run(lab.Program{Name: "otelcol", Path: bin(t, "otelcol/otelcol"), Args: []string{"--config=file:" + config}, Env: os.Environ(), Dir: dir})
	must(t, err)
	t.Cleanup(func() {
		process.Kill()
		if text, err := os.ReadFile(process.Log); t.Failed() && err == nil {
			t.Logf("the collector's log:\n%s", text)
		}
	})
	for deadline := time.Now().Add(patience); ; {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			must(t, conn.Close())
			return "http://" + address, texts
		}
		must(t, process.Unasked())
		if time.Now().After(deadline) {
			t.Fatalf("the collector does not listen: %v", err)
		}
	}
}

// raise starts a connector and a provider that pushes delivery reports.
func raise(t *testing.T) *lab.Stage {
	t.Helper()
	stage, err := lab.Raise(t.Context(), lab.Setup{
		Dir: t.TempDir(), Binaries: lab.Binaries{Bridge: bin(t, "smsbridge"), Lab: bin(t, "smslab")},
		Partitions: 4, Connectors: 1, Session: 6 * time.Second, InFlight: 16,
	})
	must(t, err)
	t.Cleanup(stage.Strike)
	must(t, stage.Connectors[0].Start())
	must(t, stage.Connectors[0].Ready(t.Context()))
	return stage
}

// produce writes a command as an instrumented producer does.
func produce(t *testing.T, stage *lab.Stage) (traceID, spanID string) {
	t.Helper()
	exporter, err := autoexport.NewSpanExporter(t.Context())
	must(t, err)
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))
	topic := stage.Topics.Commands()
	ctx, span := provider.Tracer("shop").Start(t.Context(), "send "+topic, trace.WithSpanKind(trace.SpanKindProducer))
	headers := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, headers)
	client, err := stage.Cluster.Client()
	must(t, err)
	defer client.Close()
	must(t, client.ProduceSync(ctx, &kgo.Record{
		Topic: topic, Key: []byte("order-4711"), Value: []byte(`{"id":"c-1","to":"` + number + `","text":"Your parcel has arrived."}`),
		Headers: []kgo.RecordHeader{{Key: "traceparent", Value: []byte(headers.Get("traceparent"))}},
	}).FirstErr())
	span.End()
	must(t, provider.Shutdown(t.Context()))
	return span.SpanContext().TraceID().String(), span.SpanContext().SpanID().String()
}

func read(t *testing.T, text string) (list []span) {
	t.Helper()
	var b batch
	must(t, json.Unmarshal([]byte(text), &b))
	for _, resource := range b.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			list = append(list, scope.Spans...)
		}
	}
	return list
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

func bin(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../../bin", name))
	must(t, err)
	return path
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
