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

// EndOffsets returns EndOffset of the first partitions of a topic, each as of
// some moment after the call. It asks every leader once.
func (c *Client) EndOffsets(ctx context.Context, topic string, partitions int) ([]int64, error) {
	all := make([]int, partitions)
	for p := range all {
		all[p] = p
	}
	return c.offsets(ctx, topic, all, latest, readUncommitted)
}

func (c *Client) offset(ctx context.Context, topic string, partition int, timestamp int64, isolation int8) (int64, error) {
	offsets, err := c.offsets(ctx, topic, []int{partition}, timestamp, isolation)
	if err != nil {
		return 0, err
	}
	return offsets[0], nil
}

// offsets are in the order of the partitions.
func (c *Client) offsets(ctx context.Context, topic string, partitions []int, timestamp int64, isolation int8) ([]int64, error) {
	var offsets []int64
	err := c.persist(ctx, func() (err error) {
		offsets, err = c.offsetsOnce(ctx, topic, partitions, timestamp, isolation)
		if err != nil {
			c.renew()
		}
		return err
	})
	return offsets, err
}

func (c *Client) offsetsOnce(ctx context.Context, topic string, partitions []int, timestamp int64, isolation int8) ([]int64, error) {
	questions := map[int32][]listoffsets.RequestPartition{} // by leader
	for _, p := range partitions {
		leader, err := c.leader(ctx, topic, p)
		if err != nil {
			return nil, err
		}
		questions[leader] = append(questions[leader], listoffsets.RequestPartition{
			Partition: int32(p), CurrentLeaderEpoch: -1, Timestamp: timestamp,
		})
	}
	found := make(map[int]int64, len(partitions))
	for leader, asked := range questions {
		res, err := c.ask(ctx, leader, &listoffsets.Request{
			ReplicaID: -1, IsolationLevel: isolation,
			Topics: []listoffsets.RequestTopic{{Topic: topic, Partitions: asked}},
		}, newestVersion, nil)
		if err != nil {
			return nil, err
		}
		for _, t := range res.(*listoffsets.Response).Topics {
			for _, p := range t.Partitions {
				if p.ErrorCode != 0 {
					return nil, brokerError(kafka.Error(p.ErrorCode), topic, int(p.Partition))
				}
				found[int(p.Partition)] = p.Offset
			}
		}
	}
	offsets := make([]int64, len(partitions))
	for i, p := range partitions {
		offset, ok := found[p]
		if !ok {
			return nil, errors.New("the broker's answer to ListOffsets leaves a partition out")
		}
		offsets[i] = offset
	}
	return offsets, nil
}
