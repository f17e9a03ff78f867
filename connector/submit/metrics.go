package submit

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"smsbridge/codec/sms"
)

// metrics counts. Attribute sets are made once: there are few, and making one
// costs more than counting.
type metrics struct {
	attempts metric.Int64Counter
	retries  metric.Int64Counter
	latency  metric.Float64Histogram

	results map[outcome]*result
	byFate  [lineFault + 1][]metric.AddOption
	byClass map[sms.Class][]metric.RecordOption
}

type outcome struct {
	status sms.Status
	reason sms.Reason
}

// result counts one outcome. It is what /metrics and the status page both read.
type result struct {
	count  atomic.Int64
	labels []metric.ObserveOption
}

// Count is how many results of one kind there were.
type Count struct {
	Status sms.Status
	Reason sms.Reason // empty when accepted
	Number int64
}

// Outcomes counts the results since the start, by status and reason.
func (s *Submitter) Outcomes() []Count {
	var list []Count
	for kind, r := range s.metrics.results {
		if n := r.count.Load(); n > 0 {
			list = append(list, Count{kind.status, kind.reason, n})
		}
	}
	slices.SortFunc(list, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Status, b.Status), cmp.Compare(a.Reason, b.Reason))
	})
	return list
}

// latencyBounds reach from a fast provider to a command that waited out a day,
// in seconds.
var latencyBounds = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 3600, 86400}

func newMetrics(meter metric.Meter, line *Line, inFlight func() int) (*metrics, error) {
	m := &metrics{
		results: make(map[outcome]*result),
		byClass: make(map[sms.Class][]metric.RecordOption),
	}
	m.prepare() // before anybody may read
	errs := make([]error, 6)
	_, errs[0] = meter.Int64ObservableCounter("smsbridge.submit.results", metric.WithUnit("{command}"),
		metric.WithDescription("Results by status and reason."), metric.WithInt64Callback(m.observeResults))
	m.attempts, errs[1] = meter.Int64Counter("smsbridge.submit.attempts", metric.WithUnit("{request}"),
		metric.WithDescription("Submit calls by what they mean for their part."))
	m.retries, errs[2] = meter.Int64Counter("smsbridge.submit.retries", metric.WithUnit("{request}"),
		metric.WithDescription("Attempts after a pause, by what the one before meant."))
	m.latency, errs[3] = meter.Float64Histogram("smsbridge.submit.latency", metric.WithUnit("s"),
		metric.WithDescription("From the command's timestamp to its result."),
		metric.WithExplicitBucketBoundaries(latencyBounds...))
	_, errs[4] = meter.Int64ObservableGauge("smsbridge.submit.in_flight", metric.WithUnit("{request}"),
		metric.WithDescription("Submits whose outcome is not durable yet."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(int64(inFlight()))
			return nil
		}))
	_, errs[5] = meter.Int64ObservableGauge("smsbridge.line.held", metric.WithUnit("1"),
		metric.WithDescription("1 while nothing is submitted or commands wait for a cap, with the reason; else 0."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			state, held := line.State(), int64(0)
			if state.Line == sms.LineHeld {
				held = 1
			}
			o.Observe(held, metric.WithAttributes(attribute.String("reason", string(state.Reason))))
			return nil
		}))
	return m, errors.Join(errs...)
}

// prepare makes the attribute sets of every outcome there can be, for reading
// without a lock.
func (m *metrics) prepare() {
	statuses := []sms.Status{
		sms.Accepted, sms.PartiallyAccepted, sms.Rejected, sms.Failed, sms.Expired,
		sms.Cancelled, sms.Suppressed, sms.Unknown, sms.Duplicate, sms.Invalid,
	}
	reasons := []sms.Reason{
		"", sms.ValidationFailed, sms.ContentTooLong, sms.SignatureConflict, sms.InvalidRecipient,
		sms.BlockedRecipient, sms.NumberNotAllowed, sms.ContentRejected, sms.MalformedRequest, sms.ProviderError,
		sms.ProtocolError, sms.NetworkError, sms.Timeout, sms.Interrupted, sms.ValidityExpired, sms.RepeatedID,
		sms.CancelledReason, sms.SuppressedReason, sms.UnknownProviderCode, sms.InsufficientBalance, sms.AuthFailed, sms.AccountClosed,
		sms.AccountSuspended, sms.IPNotAllowed, sms.RateLimited, sms.CapReached, sms.Paused, sms.QuietHours, sms.GatewayRefused,
		sms.SignatureMissing,
	}
	for _, status := range statuses {
		for _, reason := range reasons {
			m.results[outcome{status, reason}] = &result{labels: []metric.ObserveOption{metric.WithAttributeSet(attribute.NewSet(
				attribute.String("status", string(status)), attribute.String("reason", string(reason))))}}
		}
	}
	for f := range m.byFate {
		m.byFate[f] = []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(
			attribute.String("outcome", fate(f).String())))}
	}
	for _, class := range []sms.Class{sms.OTP, sms.Notice, sms.Marketing} {
		m.byClass[class] = []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(
			attribute.String("class", string(class))))}
	}
}

// awaited says of what kinds of results the series begin at 0, so that the first
// one is seen as an increase: the good one, and those that people are called for.
func awaited(o outcome) bool {
	switch o.status {
	case sms.Accepted:
		return o.reason == ""
	case sms.Unknown:
		return o.reason == sms.Timeout || o.reason == sms.NetworkError || o.reason == sms.ProtocolError ||
			o.reason == sms.ProviderError || o.reason == sms.Interrupted || o.reason == sms.UnknownProviderCode
	default:
		return false
	}
}

func (m *metrics) observeResults(_ context.Context, o metric.Int64Observer) error {
	for kind, r := range m.results {
		if n := r.count.Load(); n > 0 || awaited(kind) {
			o.Observe(n, r.labels...)
		}
	}
	return nil
}

func (m *metrics) attempted(ctx context.Context, f fate) { m.attempts.Add(ctx, 1, m.byFate[f]...) }

func (m *metrics) retried(ctx context.Context, f fate) { m.retries.Add(ctx, 1, m.byFate[f]...) }

func (m *metrics) resulted(ctx context.Context, r *sms.Result, latency time.Duration) {
	if counted := m.results[outcome{r.Status, r.Reason}]; counted != nil {
		counted.count.Add(1)
	}
	m.latency.Record(ctx, latency.Seconds(), m.byClass[r.Class]...)
}
