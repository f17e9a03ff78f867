package submit

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"smsbridge/codec/sms"
)

var labels = attribute.DefaultEncoder()

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func TestResultContinuesTheTraceOfItsCommand(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	tests := map[string]struct {
		sampler   sdktrace.Sampler
		parent    string
		continued bool // by a span of ours
	}{
		"recorded":            {sdktrace.AlwaysSample(), traceparent, true},
		"recorded, the first": {sdktrace.AlwaysSample(), "", true},
		"not recorded":        {sdktrace.NeverSample(), traceparent, false},
		"unreadable":          {sdktrace.AlwaysSample(), "00-nonsense", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				traces := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans), sdktrace.WithSampler(test.sampler))
				l := newLab(t, accepts, healthy, func(c *Config) { c.Tracer = traces.Tracer("") })
				cmd := command(1)
				cmd.Trace.Parent = test.parent
				r := l.must(t, cmd)
				if !test.continued {
					if r.Trace != cmd.Trace {
						t.Errorf("trace %+v, want the command's", r.Trace)
					}
					return
				}
				last := spans.Ended()[len(spans.Ended())-1]
				c := last.SpanContext()
				want := "00-" + c.TraceID().String() + "-" + c.SpanID().String() + "-01"
				if r.Trace.Parent != want {
					t.Errorf("traceparent %s, want %s", r.Trace.Parent, want)
				}
				if test.parent == traceparent && (last.Parent().SpanID().String() != "b7ad6b7169203331" || !strings.Contains(want, "0af7651916cd43dd8448eb211c80319c")) {
					t.Errorf("span %s does not continue the command's trace", want)
				}
			})
		})
	}
}

func TestSpanHoldsNeitherNumberNorText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spans := tracetest.NewSpanRecorder()
		traces := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
		l := newLab(t, accepts, healthy, func(c *Config) { c.Tracer = traces.Tracer("") })
		cmd := command(1)
		cmd.Text = "canary-text"
		l.must(t, cmd)
		for _, s := range spans.Ended() {
			for _, a := range s.Attributes() {
				if v := a.Value.String(); strings.Contains(v, number(0)) || strings.Contains(v, "canary") {
					t.Errorf("attribute %s holds %s", a.Key, v)
				}
			}
		}
	})
}

func TestResultsAttemptsAndLineAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader := sdkmetric.NewManualReader()
		meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
		l := newLab(t, inTurn(notSent, accepts, answers("11", "")), balanceOf("11", ""),
			func(c *Config) { c.Meter = meters.Meter("") })
		l.must(t, command(1))
		go func() { _, _ = l.Submit(t.Context(), t.Context(), command(1), History{}, l.guard) }()
		time.Sleep(time.Second)
		var all metricdata.ResourceMetrics
		if err := reader.Collect(t.Context(), &all); err != nil {
			t.Fatal(err)
		}
		got := make(map[string]int64)
		for _, m := range all.ScopeMetrics[0].Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					if p.Value > 0 { // what alerts watch begins at 0
						got[m.Name+" "+p.Attributes.Encoded(labels)] = p.Value
					}
				}
			case metricdata.Gauge[int64]:
				for _, p := range data.DataPoints {
					got[m.Name+" "+p.Attributes.Encoded(labels)] = p.Value
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					got[m.Name+" "+p.Attributes.Encoded(labels)] = int64(p.Count)
				}
			}
		}
		want := map[string]int64{
			"smsbridge.submit.results reason=,status=accepted":        1,
			"smsbridge.submit.attempts outcome=unsent":                1,
			"smsbridge.submit.attempts outcome=settled":               1,
			"smsbridge.submit.attempts outcome=line_fault":            1,
			"smsbridge.submit.retries outcome=unsent":                 1,
			"smsbridge.submit.latency class=notice":                   1,
			"smsbridge.submit.in_flight ":                             0,
			"smsbridge.line.held reason=" + string(sms.AccountClosed): 1,
		}
		for series, value := range want {
			if v, found := got[series]; !found || v != value {
				t.Errorf("%s is %d (%v), want %d", series, v, found, value)
			}
		}
		if len(got) != len(want) {
			t.Errorf("series %v, want %v", got, want)
		}
	})
}
