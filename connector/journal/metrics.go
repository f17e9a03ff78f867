package journal

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// metrics counts what the guarantee costs and what it could not know.
type metrics struct {
	commits   metric.Int64Counter
	seconds   metric.Float64Histogram
	doubts    metric.Int64Counter
	replayed  metric.Int64Counter
	outcomeOf map[string]metric.MeasurementOption
}

func newMetrics(m metric.Meter) (*metrics, error) {
	var (
		all metrics
		err error
	)
	if all.commits, err = m.Int64Counter("smsbridge.journal.commits",
		metric.WithUnit("{commit}"), metric.WithDescription("Commits of fences and watermarks, by outcome.")); err != nil {
		return nil, err
	}
	if all.seconds, err = m.Float64Histogram("smsbridge.journal.commit.duration",
		metric.WithUnit("s"), metric.WithDescription("Time until a commit was answered.")); err != nil {
		return nil, err
	}
	if all.doubts, err = m.Int64Counter("smsbridge.journal.doubts",
		metric.WithUnit("{command}"), metric.WithDescription("Commands that a take-over found fenced and without an answer.")); err != nil {
		return nil, err
	}
	if all.replayed, err = m.Int64Counter("smsbridge.journal.replayed",
		metric.WithUnit("{record}"), metric.WithDescription("Journal records read by take-overs.")); err != nil {
		return nil, err
	}
	all.outcomeOf = make(map[string]metric.MeasurementOption)
	for _, outcome := range []string{"stored", "fenced", "unknown", "refused", "unsent"} {
		all.outcomeOf[outcome] = metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome", outcome)))
	}
	return &all, nil
}

func (m *metrics) committed(outcome string, seconds float64) {
	m.commits.Add(context.Background(), 1, m.outcomeOf[outcome])
	m.seconds.Record(context.Background(), seconds)
}
