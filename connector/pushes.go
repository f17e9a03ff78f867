package connector

import (
	"context"
	"errors"

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

// Keep publishes the events of pushes, those of all together.
func (p pushes) Keep(ctx context.Context, all ...push.Pushed) error {
	var messages []kafkaio.Message
	for _, one := range all {
		if one.Report != nil {
			messages = append(messages, p.report(one.Raw, one.Report)...)
		}
		for _, m := range one.Inbound {
			messages = append(messages, p.c.events.inbound(m))
		}
		if one.Unreadable != nil {
			messages = append(messages, p.c.events.deadPush(one.Raw, one.Unreadable))
		}
	}
	err := p.c.events.publish(ctx, messages...)
	if errors.Is(err, kafkaio.ErrTooLarge) {
		return &wire.Unreadable{Rule: "makes a record that is larger than its topic takes", Remedy: "raise max.message.bytes of the topic"}
	}
	if err != nil {
		return err
	}
	for _, one := range all {
		if one.Unreadable != nil {
			p.c.events.metrics.deadLetter(ctx, fromPush(one.Kind), one.Unreadable)
		}
	}
	return nil
}

// report makes one event for each number of a push.
func (p pushes) report(raw push.Raw, pushed *wire.ReportPush) []kafkaio.Message {
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
	return messages
}

var _ push.Sink = pushes{}

// recentSubmits is how many submits a process remembers for their reports.
const recentSubmits = 20_000
