package kafkaio

import (
	"context"
	"fmt"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/offsetfetch"
)

// Committed is what is stored for a partition.
type Committed struct {
	Offset      int64 // -1: nothing is stored
	Metadata    string
	LeaderEpoch int32 // -1: not stored
}

// Offsets returns what is stored for the given partitions: for all of them, or
// an error. It waits out what is temporary, until ctx ends.
func (gen *Generation) Offsets(ctx context.Context, partitions []TopicPartition) (map[TopicPartition]Committed, error) {
	if len(partitions) == 0 {
		return map[TopicPartition]Committed{}, nil
	}
	var found map[TopicPartition]Committed
	err := gen.g.c.persist(ctx, func() error {
		var err error
		found, err = gen.g.offsets(ctx, partitions)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the offsets of group %s: %w", gen.g.cfg.ID, err)
	}
	return found, nil
}

func (g *Group) offsets(ctx context.Context, partitions []TopicPartition) (map[TopicPartition]Committed, error) {
	byTopic := map[string][]int32{}
	for _, tp := range partitions {
		byTopic[tp.Topic] = append(byTopic[tp.Topic], int32(tp.Partition))
	}
	req := &offsetfetch.Request{GroupID: g.cfg.ID}
	for topic, numbers := range byTopic {
		req.Topics = append(req.Topics, offsetfetch.RequestTopic{Name: topic, PartitionIndexes: numbers})
	}
	res, err := g.ask(ctx, req, newestVersion, nil)
	if err != nil {
		return nil, err
	}
	answer, ok := res.(*offsetfetch.Response)
	if !ok {
		return nil, fmt.Errorf("answered by %T", res)
	}
	if code := kafka.Error(answer.ErrorCode); code != 0 {
		g.moved(code)
		if fatal := g.judge(code); fatal != nil {
			return nil, fatal
		}
		return nil, code
	}
	found := make(map[TopicPartition]Committed, len(partitions))
	for _, t := range answer.Topics {
		for _, p := range t.Partitions {
			if code := kafka.Error(p.ErrorCode); code != 0 {
				g.moved(code)
				return nil, brokerError(code, t.Name, int(p.PartitionIndex))
			}
			found[TopicPartition{t.Name, int(p.PartitionIndex)}] = Committed{
				Offset:      max(p.CommittedOffset, -1),
				Metadata:    p.Metadata,
				LeaderEpoch: p.ComittedLeaderEpoch,
			}
		}
	}
	for _, tp := range partitions {
		// A partition left out must not look like one without a commit: its
		// new owner would begin at the start.
		if _, ok := found[tp]; !ok {
			return nil, fmt.Errorf("the answer leaves out topic %s partition %d", tp.Topic, tp.Partition)
		}
	}
	return found, nil
}
