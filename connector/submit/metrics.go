package submit

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"smsbridge/codec/sms"
)

// metrics counts. Attribute sets are made once: there are few, and making one
// costs more than counting.
type metrics struct {
	results  metric.Int64Counter
	attempts metric.Int64Counter
	retries  metric.Int64Counter
	latency  metric.Float64Histogram

	byOutcome map[outcome][]metric.AddOption
	byFate    [lineFault + 1][]metric.AddOption
	byClass   map[sms.Class][]metric.RecordOption
}

type outcome struct {
	status sms.Status
	reason sms.Reason
}

// latencyBounds reach from a fast provider to a command that waited out a day,
// in seconds.
var latencyBounds = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 3600, 86400}

func newMetrics(meter metric.Meter, line *Line, inFlight func() int) (*metrics, error) {
	m := &metrics{
		byOutcome: make(map[outcome][]metric.AddOption),
		byClass:   make(map[sms.Class][]metric.RecordOption),
	}
	errs := make([]error, 6)
	m.results, errs[0] = meter.Int64Counter("smsbridge.submit.results", metric.WithUnit("{command}"),
		metric.WithDescription("Results by status and reason."))
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
		metric.WithDescription("1 while nothing is submitted, with the reason; else 0."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			state, held := line.State(), int64(0)
			if state.Line == sms.LineHeld {
				held = 1
			}
			o.Observe(held, metric.WithAttributes(attribute.String("reason", string(state.Reason))))
			return nil
		}))
	m.prepare()
	return m, errors.Join(errs...)
}

// prepare makes the attribute sets of every outcome there can be, for reading
// without a lock.
func (m *metrics) prepare() {
	statuses := []sms.Status{
		sms.Accepted, sms.PartiallyAccepted, sms.Rejected, sms.Failed, sms.Expired,
		sms.Cancelled, sms.Unknown, sms.Duplicate, sms.Invalid,
	}
	reasons := []sms.Reason{
		"", sms.ValidationFailed, sms.ContentTooLong, sms.SignatureConflict, sms.InvalidRecipient,
		sms.BlockedRecipient, sms.NumberNotAllowed, sms.ContentRejected, sms.MalformedRequest, sms.ProviderError,
		sms.ProtocolError, sms.NetworkError, sms.Timeout, sms.Interrupted, sms.ValidityExpired, sms.RepeatedID,
		sms.CancelledReason, sms.UnknownProviderCode, sms.InsufficientBalance, sms.AuthFailed, sms.AccountClosed,
		sms.AccountSuspended, sms.IPNotAllowed, sms.RateLimited, sms.CapReached,
	}
	for _, status := range statuses {
		for _, reason := range reasons {
			m.byOutcome[outcome{status, reason}] = []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(
				attribute.String("status", string(status)), attribute.String("reason", string(reason))))}
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

func (m *metrics) attempted(ctx context.Context, f fate) { m.attempts.Add(ctx, 1, m.byFate[f]...) }

func (m *metrics) retried(ctx context.Context, f fate) { m.retries.Add(ctx, 1, m.byFate[f]...) }

func (m *metrics) resulted(ctx context.Context, r *sms.Result, latency time.Duration) {
	m.results.Add(ctx, 1, m.byOutcome[outcome{r.Status, r.Reason}]...)
	m.latency.Record(ctx, latency.Seconds(), m.byClass[r.Class]...)
}
