package connector

import (
	"context"

	"smsbridge/codec/sms"
	"smsbridge/codec/wire"
	"smsbridge/connector/kafkaio"
	"smsbridge/connector/push"
)

// pushes makes what the provider pushes durable: it is the sink of the public
// listener.
type pushes struct {
	c *Connector
}

// Report publishes one event for each number of the push.
func (p pushes) Report(ctx context.Context, raw push.Raw, pushed wire.ReportPush) error {
	origin := p.c.recent.Origin(pushed.SendID)
	state := wire.JudgeState(pushed.State)
	messages := make([]kafkaio.Message, len(pushed.Mobiles))
	for i, mobile := range pushed.Mobiles {
		r := sms.Report{
			Revision: 1, ProviderMessageID: pushed.SendID, To: mobile,
			Status: state.Status, ProviderStatus: pushed.State, Final: state.Final, Reason: state.Reason,
			DoneAt: pushed.Time, DoneAtExact: i == 0, ReceivedAt: raw.ReceivedAt,
			Correlation: sms.Orphan, Origin: origin, Account: p.c.cfg.Account,
		}
		if origin != nil {
			r.Correlation = sms.Matched
		}
		messages[i] = p.c.events.report(r)
	}
	return p.c.events.publish(ctx, messages...)
}

// Inbound publishes the messages that phones sent.
func (p pushes) Inbound(ctx context.Context, _ push.Raw, received []sms.Inbound) error {
	messages := make([]kafkaio.Message, len(received))
	for i := range received {
		messages[i] = p.c.events.inbound(received[i])
	}
	return p.c.events.publish(ctx, messages...)
}

// DeadLetter keeps what could not be read.
func (p pushes) DeadLetter(ctx context.Context, raw push.Raw, cause error) error {
	err := p.c.events.publish(ctx, p.c.events.deadPush(raw, cause))
	if err == nil {
		p.c.events.metrics.deadLetter(ctx, fromPush(raw.Kind), cause)
	}
	return err
}

var _ push.Sink = pushes{}

// recentSubmits is how many submits a process remembers for their reports.
const recentSubmits = 20_000
