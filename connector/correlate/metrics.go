package correlate

import (
	"context"
	"errors"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// metrics of the correlator. Labels are enumerations and partition numbers.
type metrics struct {
	reports     metric.Int64Counter
	unreported  metric.Int64Counter
	deadLetters metric.Int64Counter
	losses      metric.Int64Counter
	delay       metric.Float64Histogram
	latest      delays // the same, for people
	final       delays // from a submit to its final report
	by          [len(correlations)]metric.MeasurementOption
}

// What was lost.
const (
	lostPushes  = "push"
	lostSendids = "sendid"
)

func (c *Correlator) newMetrics(meter metric.Meter) (*metrics, error) {
	m := &metrics{}
	for i, how := range correlations {
		m.by[i] = metric.WithAttributeSet(attribute.NewSet(attribute.String("correlation", string(how))))
	}
	errs := make([]error, 9)
	m.reports, errs[0] = meter.Int64Counter("smsbridge.correlate.reports", metric.WithUnit("{report}"),
		metric.WithDescription("Delivery reports published, repeats included, by how they found their command."))
	m.unreported, errs[1] = meter.Int64Counter("smsbridge.correlate.unreported", metric.WithUnit("{submit}"),
		metric.WithDescription("Submits of which a final report was missing at the deadline."))
	m.deadLetters, errs[2] = meter.Int64Counter("smsbridge.correlate.dead_letters", metric.WithUnit("{record}"),
		metric.WithDescription("Records of the pushes topic that no program of ours wrote."))
	m.losses, errs[3] = meter.Int64Counter("smsbridge.correlate.lost", metric.WithUnit("{record}"),
		metric.WithDescription("Records, or batches of them, that an internal topic does not have any more, or not readably. Above 0: see the log."))
	m.delay, errs[4] = meter.Float64Histogram("smsbridge.correlate.delay", metric.WithUnit("s"),
		metric.WithExplicitBucketBoundaries(.005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 60, 600, 3600),
		metric.WithDescription("From the receipt of a push to its reports being durable, waits for its sendid included; orphans are not."))
	parked, err := meter.Int64ObservableGauge("smsbridge.correlate.parked", metric.WithUnit("{push}"),
		metric.WithDescription("Pushes that wait for their sendid, by partition. Only the owner tells."))
	errs[5] = err
	lag, err := meter.Int64ObservableGauge("smsbridge.correlate.lag", metric.WithUnit("{record}"),
		metric.WithDescription("Pushes that are neither published nor parked, by partition. Only the owner tells."))
	errs[6] = err
	restore, err := meter.Int64ObservableGauge("smsbridge.correlate.restore", metric.WithUnit("{record}"),
		metric.WithDescription("Records of the sendids topic still to be read before a partition is worked on, by partition."))
	errs[7] = err
	halted, err := meter.Int64ObservableGauge("smsbridge.correlate.halted", metric.WithUnit("1"),
		metric.WithDescription("1 while delivery reports of this process, or of one of its partitions, wait for an operator, else 0. /api/status says why."))
	errs[8] = err
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		status := c.Status()
		stands := status.Halted != ""
		for _, s := range status.Partitions {
			stands = stands || s.Halted != ""
			partition := metric.WithAttributes(attribute.String("partition", strconv.Itoa(s.Partition)))
			o.ObserveInt64(parked, s.Parked, partition)
			o.ObserveInt64(lag, s.Lag, partition)
			o.ObserveInt64(restore, s.Restore, partition)
		}
		var one int64
		if stands {
			one = 1
		}
		o.ObserveInt64(halted, one)
		return nil
	}, parked, lag, restore, halted)
	return m, err
}

// published counts what became durable.
func (m *metrics) published(ctx context.Context, o *output) {
	for i, n := range o.counts {
		if n > 0 {
			m.reports.Add(ctx, n, m.by[i])
		}
	}
	if o.unreported > 0 {
		m.unreported.Add(ctx, o.unreported)
	}
	if o.deadLetters > 0 {
		m.deadLetters.Add(ctx, o.deadLetters)
	}
	took := make([]time.Duration, len(o.received))
	for i, at := range o.received {
		took[i] = max(0, time.Since(at))
		m.delay.Record(ctx, took[i].Seconds())
	}
	m.latest.add(took)
	m.final.add(o.final)
}

func (m *metrics) lost(ctx context.Context, what string) {
	m.losses.Add(ctx, 1, metric.WithAttributes(attribute.String("record", what)))
}
