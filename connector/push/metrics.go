package push

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"smsbridge/connector/push/spool"
)

// metrics counts what happens on the listener. Labels are enumerations of this
// package; attribute sets are made once.
type metrics struct {
	pushes     metric.Int64Counter
	refusals   metric.Int64Counter
	duration   metric.Float64Histogram
	inProgress metric.Int64UpDownCounter
	closed     metric.Int64Counter

	byOutcome map[Kind]map[outcome]metric.MeasurementOption
	byRefusal map[refusal]metric.MeasurementOption
	byClosed  map[string]metric.MeasurementOption
}

func newMetrics(m metric.Meter) (*metrics, error) {
	var faults [5]error
	s := &metrics{
		byOutcome: map[Kind]map[outcome]metric.MeasurementOption{},
		byRefusal: map[refusal]metric.MeasurementOption{},
		byClosed:  map[string]metric.MeasurementOption{},
	}
	s.pushes, faults[0] = m.Int64Counter("smsbridge.push.requests",
		metric.WithUnit("{request}"), metric.WithDescription("Requests to the push listener by kind and outcome."))
	s.refusals, faults[1] = m.Int64Counter("smsbridge.push.refusals",
		metric.WithUnit("{request}"), metric.WithDescription("Requests answered 401 by cause."))
	s.duration, faults[2] = m.Float64Histogram("smsbridge.push.duration",
		metric.WithUnit("s"), metric.WithDescription("From the complete header to the answer."),
		metric.WithExplicitBucketBoundaries(.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20))
	s.inProgress, faults[3] = m.Int64UpDownCounter("smsbridge.push.in_progress",
		metric.WithUnit("{request}"), metric.WithDescription("Pushes read and not yet answered."))
	s.closed, faults[4] = m.Int64Counter("smsbridge.push.connections.closed",
		metric.WithUnit("{connection}"), metric.WithDescription("Connections closed to stay within the limits, by cause."))

	for _, k := range []Kind{Report, Inbound, noKind} {
		s.byOutcome[k] = map[outcome]metric.MeasurementOption{}
		for _, o := range outcomes {
			s.byOutcome[k][o] = metric.WithAttributeSet(attribute.NewSet(
				attribute.String("kind", string(k)), attribute.String("outcome", string(o))))
		}
	}
	for _, r := range refusals {
		s.byRefusal[r] = metric.WithAttributeSet(attribute.NewSet(attribute.String("cause", string(r))))
		if faults[1] == nil {
			s.refusals.Add(context.Background(), 0, s.byRefusal[r]) // the first one is an increase
		}
	}
	for _, c := range []string{limitOfAll, limitOfParty} {
		s.byClosed[c] = metric.WithAttributeSet(attribute.NewSet(attribute.String("cause", c)))
	}
	return s, errors.Join(faults[:]...)
}

// observeSpool tells how the spool is, where there is one.
func observeSpool(m metric.Meter, look func() spool.Status) error {
	var faults [6]error
	gauge := func(i int, name, unit, text string) (g metric.Int64ObservableGauge) {
		g, faults[i] = m.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(text))
		return g
	}
	size := gauge(0, "smsbridge.push.spool.size", "By", "Bytes of the spool.")
	limit := gauge(1, "smsbridge.push.spool.limit", "By", "Bytes that the spool may have.")
	waiting := gauge(2, "smsbridge.push.spool.waiting", "{push}", "Pushes that wait in the spool.")
	failing := gauge(3, "smsbridge.push.spool.failing", "1", "1 while nothing can be put into the spool (disk full, I/O error, limit reached), else 0.")
	aside := gauge(4, "smsbridge.push.spool.set_aside", "{file}", "Damaged files in the spool's folder, for people to look at.")
	_, faults[5] = m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		st := look()
		o.ObserveInt64(size, st.Bytes)
		o.ObserveInt64(limit, st.Max)
		o.ObserveInt64(waiting, int64(st.Waiting))
		o.ObserveInt64(aside, int64(st.SetAside))
		broken := int64(0)
		if st.Failing != nil {
			broken = 1
		}
		o.ObserveInt64(failing, broken)
		return nil
	}, size, limit, waiting, failing, aside)
	return errors.Join(faults[:]...)
}

func (s *metrics) answered(ctx context.Context, k Kind, o outcome, took time.Duration) {
	labels := s.byOutcome[k][o]
	s.pushes.Add(ctx, 1, labels)
	s.duration.Record(ctx, took.Seconds(), labels)
}

func (s *metrics) refused(ctx context.Context, r refusal) {
	s.refusals.Add(ctx, 1, s.byRefusal[r])
}

func (s *metrics) connectionClosed(cause string) {
	s.closed.Add(context.Background(), 1, s.byClosed[cause])
}
