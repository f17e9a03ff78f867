package connector

import (
	"context"
	"errors"

	"smsbridge/codec/wire"
	"smsbridge/connector/correlate"
	"smsbridge/connector/kafkaio"
	"smsbridge/connector/push"
	"smsbridge/connector/suppress"
)

// pushes makes what the provider pushes durable: it is the sink of the public
// listener.
type pushes struct {
	c *Connector
}

// Keep publishes the messages of pushes, and hands the reports to the correlators;
// those of all together.
func (p pushes) Keep(ctx context.Context, all ...push.Pushed) error {
	var messages []kafkaio.Message
	for _, one := range all {
		if one.Report != nil {
			messages = append(messages, correlate.PushRecord(p.c.cfg.Topics.Pushes, *one.Report, one.ReceivedAt))
		}
		for _, m := range one.Inbound {
			messages = append(messages, p.c.events.inbound(m))
			// With the message itself: a push is answered 200 when its suppression is
			// durable too.
			messages = append(messages, suppress.Desired(
				p.c.cfg.Topics.Suppressions, p.c.cfg.Numbers.Key, p.c.cfg.OptOutSuppress, &m, len(one.Inbound) == 1)...)
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

var _ push.Sink = pushes{}
