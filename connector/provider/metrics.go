package provider

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

// metrics counts calls. The sets of attributes are made once: making one for each
// call would cost more than the call's own bookkeeping.
type metrics struct {
	duration    metric.Float64Histogram
	connections metric.Int64Counter

	outcomes map[string][Throttled + 1][]metric.RecordOption // by operation, then by class; 0 is answered
	opened   map[string][2][]metric.AddOption                // by operation, then failed, ready
}

func newMetrics(meter metric.Meter) (*metrics, error) {
	if meter == nil {
		meter = noop.Meter{}
	}
	m := &metrics{
		outcomes: map[string][Throttled + 1][]metric.RecordOption{},
		opened:   map[string][2][]metric.AddOption{},
	}
	var err error
	if m.duration, err = meter.Float64Histogram("smsbridge.provider.request.duration",
		metric.WithUnit("s"),
		metric.WithDescription("Time of one call to the provider, connecting included, by what is known of it afterwards."),
		metric.WithExplicitBucketBoundaries(.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10, 15, 30)); err != nil {
		return nil, err
	}
	if m.connections, err = meter.Int64Counter("smsbridge.provider.connections",
		metric.WithUnit("{connection}"),
		metric.WithDescription("Connections opened to the provider. Many for few requests: something closes them early.")); err != nil {
		return nil, err
	}
	for _, operation := range []string{"submit", "balance"} {
		var outcomes [Throttled + 1][]metric.RecordOption
		for class := range outcomes {
			outcome := "answered"
			if class > 0 {
				outcome = Class(class).String()
			}
			outcomes[class] = []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(
				attribute.String("operation", operation), attribute.String("outcome", outcome)))}
		}
		m.outcomes[operation] = outcomes
		var opened [2][]metric.AddOption
		for i, outcome := range []string{"failed", "ready"} {
			opened[i] = []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(
				attribute.String("operation", operation), attribute.String("outcome", outcome)))}
		}
		m.opened[operation] = opened
	}
	return m, nil
}

func (m *metrics) record(ctx context.Context, operation string, failure *Failure, took time.Duration) {
	class := Class(0)
	if failure != nil {
		class = failure.Class
	}
	outcomes := m.outcomes[operation]
	m.duration.Record(ctx, took.Seconds(), outcomes[class]...)
}

func (m *metrics) connected(ctx context.Context, operation string, err error) {
	i := 0
	if err == nil {
		i = 1
	}
	opened := m.opened[operation]
	m.connections.Add(ctx, 1, opened[i]...)
}
