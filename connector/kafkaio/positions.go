package kafkaio

import (
	"context"
	"errors"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/listoffsets"
)

// Timestamps that ask ListOffsets for the ends of a partition.
const (
	earliest = -2
	latest   = -1
)

// StartOffset returns the offset of the first record that a partition still
// holds. Leader moves are waited out until ctx ends.
func (c *Client) StartOffset(ctx context.Context, topic string, partition int) (int64, error) {
	return c.offset(ctx, topic, partition, earliest, readUncommitted)
}

// EndOffset returns the high watermark: the offset that the next record will
// get, of those that are safe on all replicas. Transactions still open lie
// before it. Leader moves are waited out until ctx ends.
func (c *Client) EndOffset(ctx context.Context, topic string, partition int) (int64, error) {
	return c.offset(ctx, topic, partition, latest, readUncommitted)
}

// StableOffset returns the offset up to which a Fetcher reads now: EndOffset, or
// the first record of a transaction that is still open.
func (c *Client) StableOffset(ctx context.Context, topic string, partition int) (int64, error) {
	return c.offset(ctx, topic, partition, latest, readCommitted)
}

// OffsetAt returns the offset of the first record whose timestamp is t or later,
// -1 where there is none. Brokers know it from an index. Where producers set
// timestamps, later records may bear earlier ones.
func (c *Client) OffsetAt(ctx context.Context, topic string, partition int, t time.Time) (int64, error) {
	return c.offset(ctx, topic, partition, max(t.UnixMilli(), 0), readUncommitted)
}

func (c *Client) offset(ctx context.Context, topic string, partition int, timestamp int64, isolation int8) (int64, error) {
	var offset int64
	err := c.persist(ctx, func() (err error) {
		offset, err = c.offsetOnce(ctx, topic, partition, timestamp, isolation)
		if err != nil {
			c.forget(topic)
		}
		return err
	})
	return offset, err
}

func (c *Client) offsetOnce(ctx context.Context, topic string, partition int, timestamp int64, isolation int8) (int64, error) {
	leader, err := c.leader(ctx, topic, partition)
	if err != nil {
		return 0, err
	}
	res, err := c.ask(ctx, leader, &listoffsets.Request{
		ReplicaID:      -1,
		IsolationLevel: isolation,
		Topics: []listoffsets.RequestTopic{{
			Topic: topic,
			Partitions: []listoffsets.RequestPartition{{
				Partition:          int32(partition),
				CurrentLeaderEpoch: -1,
				Timestamp:          timestamp,
			}},
		}},
	})
	if err != nil {
		return 0, err
	}
	for _, t := range res.(*listoffsets.Response).Topics {
		for _, p := range t.Partitions {
			if t.Topic != topic || int(p.Partition) != partition {
				continue
			}
			if p.ErrorCode != 0 {
				return 0, brokerError(kafka.Error(p.ErrorCode), topic, partition)
			}
			return p.Offset, nil
		}
	}
	return 0, errors.New("the broker's answer to ListOffsets leaves the partition out")
}
