package trail

import (
	"context"
	"errors"
	"fmt"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/connector/journal"
	"smsbridge/connector/kafkaio"
)

// Waiting visits the commands that a group has not ended yet: their offset is not
// committed, and the journal holds no final outcome of them. What cannot be read
// as a command is left out.
func Waiting(ctx context.Context, r Reader, t Topics, group string, visit func(*sms.Command) error) error {
	n, err := r.Partitions(ctx, t.Commands)
	if err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("topic %s does not exist", t.Commands)
	}
	all := make([]kafkaio.TopicPartition, n)
	for p := range all {
		all[p] = kafkaio.TopicPartition{Topic: t.Commands, Partition: p}
	}
	committed, err := r.Kafka.GroupOffsets(ctx, group, all)
	if err != nil {
		return err
	}
	for p := range all {
		if err := r.waiting(ctx, t, p, max(0, committed[all[p]].Offset), visit); err != nil {
			return err
		}
	}
	return nil
}

func (r Reader) waiting(ctx context.Context, t Topics, p int, from int64, visit func(*sms.Command) error) error {
	to, err := r.Kafka.StableOffset(ctx, t.Commands, p)
	if err != nil {
		return err
	}
	var first time.Time
	err = r.between(ctx, t.Commands, p, from, to, func(rec *kafkaio.Record) error {
		first = rec.Time
		return errStop
	})
	if err == nil || !errors.Is(err, errStop) {
		return err // nothing waits, or it cannot be known
	}
	ended := map[int64]bool{}
	err = r.Partition(ctx, t.Journal, p, Span{Since: first.Add(-clockSlack)}, func(rec *kafkaio.Record) error {
		if e, err := journal.ReadEntry(rec.Value); err == nil && e.Kind == journal.FinalEntry && e.Command.Offset >= from {
			ended[e.Command.Offset] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.between(ctx, t.Commands, p, from, to, func(rec *kafkaio.Record) error {
		cmd, err := decodeCommand(rec)
		if err != nil || ended[rec.Offset] {
			return nil //nolint:nilerr // it ends as invalid, or has ended
		}
		return visit(&cmd)
	})
}
