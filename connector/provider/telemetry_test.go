package provider

import (
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

func TestEveryCallIsCountedByWhatIsKnownOfIt(t *testing.T) {
	t.Parallel()
	reader := sdkmetric.NewManualReader()
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("test")
	server := raw(t, func(p *peer) {
		p.request()
		p.say(answer(acceptedLine))
		p.request()
		p.say(response("404 No", "", ""))
		p.request() // and hang up
	})
	c := newClient(t, server.URL, func(c *Config) { c.Meter = meter })
	for range 3 {
		c.Submit(t.Context(), text)
	}

	var got metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &got); err != nil {
		t.Fatal(err)
	}
	counts := map[string]uint64{}
	for _, m := range got.ScopeMetrics[0].Metrics {
		if m.Name != "smsbridge.provider.request.duration" {
			continue
		}
		for _, p := range m.Data.(metricdata.Histogram[float64]).DataPoints {
			outcome, _ := p.Attributes.Value("outcome")
			operation, _ := p.Attributes.Value("operation")
			counts[operation.AsString()+" "+outcome.AsString()] = p.Count
		}
	}
	for _, want := range []string{"submit answered", "submit line_down", "submit unknown"} {
		if counts[want] != 1 {
			t.Errorf("%s: %d of %v", want, counts[want], counts)
		}
	}
}

func TestSpanTellsTheStatusAndNoSecret(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("test")
	server := raw(t, always(response("502 Oops "+canaryNumber, "", canaryText)))
	c := newClient(t, server.URL, func(c *Config) { c.Tracer = tracer })

	c.Submit(t.Context(), text) // below no span: none is made
	ctx, parent := tracer.Start(t.Context(), "parent")
	c.Submit(ctx, text)
	parent.End()

	ended := spans.Ended()
	if len(ended) != 2 {
		t.Fatalf("%d spans", len(ended))
	}
	span := ended[0]
	if span.SpanKind() != trace.SpanKindClient {
		t.Errorf("kind %v", span.SpanKind())
	}
	set := attribute.NewSet(span.Attributes()...)
	if v, _ := set.Value("http.response.status_code"); v.AsInt64() != 502 {
		t.Errorf("status %v", v)
	}
	if v, _ := set.Value("error.type"); v.AsString() != "provider_error" {
		t.Errorf("error.type %v", v)
	}
	told := span.Name() + span.Status().Description
	for _, kv := range set.ToSlice() {
		told += " " + kv.Value.String()
	}
	for _, secret := range []string{canaryNumber, canaryText, canaryPassword, "secret", "query"} {
		if strings.Contains(told, secret) {
			t.Errorf("%q holds %q", told, secret)
		}
	}
}
