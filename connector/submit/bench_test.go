package submit

import (
	"context"
	"log/slog"
	"testing"
	"time"

	metricnoop "go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"smsbridge/codec/sms"
	"smsbridge/codec/wire"
	"smsbridge/connector/provider"
)

type nullGuard struct{}

func (nullGuard) Begin(context.Context, Attempt) (Permit, error) { return nullGuard{}, nil }
func (nullGuard) Valid() bool                                    { return true }
func (nullGuard) Release(context.Context) error                  { return nil }
func (nullGuard) Done(context.Context, sms.Submission) error     { return nil }

// BenchmarkSubmit is what the flow itself costs: provider and guard answer at once.
func BenchmarkSubmit(b *testing.B) {
	log := slog.New(slog.DiscardHandler)
	line, err := NewLine(LineConfig{
		MaxInFlight: 64, Log: log,
		Balance: func(context.Context) (wire.Balance, *provider.Failure) { return wire.Balance{Code: "0"}, nil },
	})
	if err != nil {
		b.Fatal(err)
	}
	s, err := New(Config{
		Provider: submitFunc(accepts), Line: line, Rate: NewRate(0), Signature: "Bridge", MaxRecipients: 500, MaxInFlight: 64,
		Retry:     Retry{Initial: time.Second, Max: time.Minute, Multiplier: 2},
		OnUnknown: sms.ReportUnknown, Validity: Validity{time.Hour, time.Hour, time.Hour}, Log: log,
		Meter: metricnoop.NewMeterProvider().Meter(""), Tracer: tracenoop.NewTracerProvider().Tracer(""),
	})
	if err != nil {
		b.Fatal(err)
	}
	cmd := command(1)
	cmd.Class = sms.OTP
	cmd.At = time.Now().Add(time.Hour)
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if r, err := carry(ctx, ctx, s, cmd, History{}, nullGuard{}); err != nil || r.Status != sms.Accepted {
			b.Fatal(r.Status, err)
		}
	}
}
