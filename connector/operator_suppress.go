package connector

import (
	"context"
	"slices"
	"strings"

	"smsbridge/codec"
	"smsbridge/codec/sms"
	"smsbridge/connector/kafkaio"
	"smsbridge/connector/suppress"
)

// suppressBatch is how many records one call of the producer takes: a file of a
// million numbers must not stand in memory twice.
const suppressBatch = 1000

// Suppress writes suppressions, and returns when they are durable.
func (o *Operator) Suppress(ctx context.Context, key codec.HashKey, list []suppress.Suppression) error {
	return o.writeSuppressions(ctx, list, func(s suppress.Suppression) kafkaio.Message {
		return suppress.AddRecord(o.cfg.Topics.Suppressions, key, s)
	})
}

// Lift ends suppressions, and returns when that is durable. It is no error where
// there was none.
func (o *Operator) Lift(ctx context.Context, list []suppress.Suppression) error {
	return o.writeSuppressions(ctx, list, func(s suppress.Suppression) kafkaio.Message {
		return suppress.LiftRecord(o.cfg.Topics.Suppressions, s.Class, s.Person)
	})
}

func (o *Operator) writeSuppressions(ctx context.Context, list []suppress.Suppression, record func(suppress.Suppression) kafkaio.Message) error {
	for batch := range slices.Chunk(list, suppressBatch) {
		messages := make([]kafkaio.Message, len(batch))
		for i := range batch {
			messages[i] = record(batch[i])
		}
		if _, err := o.producer.Produce(ctx, messages...); err != nil {
			return err
		}
	}
	return nil
}

// Suppressions lists who gets no texts, by class and then by time. An empty class
// stands for all.
func (o *Operator) Suppressions(ctx context.Context, class sms.Class) ([]suppress.Suppression, error) {
	var list []suppress.Suppression
	err := suppress.All(ctx, o.kafka, o.cfg.Topics.Suppressions, func(s suppress.Suppression) {
		if class == "" || class == s.Class {
			list = append(list, s)
		}
	})
	slices.SortFunc(list, func(a, b suppress.Suppression) int {
		if c := strings.Compare(string(a.Class), string(b.Class)); c != 0 {
			return c
		}
		return a.At.Compare(b.At)
	})
	return list, err
}

// KnowsSuppressions fails with suppress.ErrForeignKey where there are suppressions
// under none of these keys: whoever adds others under the wrong key would keep the
// connectors from starting.
func (o *Operator) KnowsSuppressions(ctx context.Context, keys ...codec.HashKey) error {
	list := suppress.Follower{List: suppress.NewList(o.cfg.Log, keys...), Client: o.kafka, Topic: o.cfg.Topics.Suppressions}
	return list.CatchUp(ctx)
}
