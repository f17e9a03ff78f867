package trail

import (
	"context"
	"errors"
	"time"

	"smsbridge/connector/kafkaio"
)

// Topics are those that are read. Only what a query needs is asked for.
type Topics struct {
	Commands, Results, Reports, DeadLetter, Journal, Control, Account string
}

// Reader reads topics as they are now. Memory is bounded by one answer of a
// broker, some MiB, and what its caller keeps.
type Reader struct {
	Kafka *kafkaio.Client
	// Damaged is told of each batch that nobody can read, and is left out; nil:
	// nobody is.
	Damaged func(error)
}

// Span is a part of a topic by the timestamps of its records, found by the
// brokers' time index. Where producers set odd timestamps it is as inexact as
// they are.
type Span struct {
	Since time.Time // zero: from the beginning
	Until time.Time // zero: up to now
}

// fetchBytes is what one answer may hold.
const fetchBytes = 4 << 20

// Partitions counts a topic's partitions; a topic that does not exist has none.
func (r Reader) Partitions(ctx context.Context, topic string) (int, error) {
	found, err := r.Kafka.Topics(ctx, topic)
	return found[topic].Partitions, err
}

// Topic visits the records of every partition, one partition after the other. An
// error of visit ends it.
func (r Reader) Topic(ctx context.Context, topic string, s Span, visit func(*kafkaio.Record) error) error {
	n, err := r.Partitions(ctx, topic)
	if err != nil {
		return err
	}
	for p := range n {
		if err := r.Partition(ctx, topic, p, s, visit); err != nil {
			return err
		}
	}
	return nil
}

// Partition visits the records of one partition in their order.
func (r Reader) Partition(ctx context.Context, topic string, partition int, s Span, visit func(*kafkaio.Record) error) error {
	from, to, err := r.bounds(ctx, topic, partition, s)
	if err != nil {
		return err
	}
	return r.between(ctx, topic, partition, from, to, visit)
}

// between visits the records of one partition from an offset up to, without,
// another one.
func (r Reader) between(ctx context.Context, topic string, partition int, from, to int64, visit func(*kafkaio.Record) error) error {
	f := r.Kafka.Fetcher(kafkaio.FetchConfig{Topic: topic, Partition: partition, Offset: from, MaxBytes: fetchBytes})
	for f.Position() < to {
		records, err := f.Next(ctx)
		if err := r.pass(f, err); err != nil {
			return err
		}
		for i := range records {
			if records[i].Offset >= to {
				return nil
			}
			if err := visit(&records[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// pass moves a fetcher over what cannot be read, or was deleted meanwhile.
func (r Reader) pass(f *kafkaio.Fetcher, err error) error {
	var batch *kafkaio.BatchError
	var out *kafkaio.OutOfRangeError
	switch {
	case errors.As(err, &batch):
		if r.Damaged != nil {
			r.Damaged(err)
		}
		f.Skip(batch.Next)
		return nil
	case errors.As(err, &out) && out.Start > f.Position():
		f.Skip(out.Start)
		return nil
	default:
		return err
	}
}

func (r Reader) bounds(ctx context.Context, topic string, partition int, s Span) (from, to int64, err error) {
	if to, err = r.Kafka.StableOffset(ctx, topic, partition); err != nil {
		return 0, 0, err
	}
	if !s.Until.IsZero() {
		// The first record after the last millisecond that counts.
		at, err := r.Kafka.OffsetAt(ctx, topic, partition, s.Until.Add(time.Millisecond))
		if err != nil {
			return 0, 0, err
		}
		if at >= 0 {
			to = min(to, at)
		}
	}
	if s.Since.IsZero() {
		from, err = r.Kafka.StartOffset(ctx, topic, partition)
		return from, to, err
	}
	from, err = r.Kafka.OffsetAt(ctx, topic, partition, s.Since)
	if from < 0 {
		from = to // nothing is so young
	}
	return from, to, err
}
