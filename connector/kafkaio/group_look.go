package kafkaio

import (
	"context"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"
)

// GroupOffsets returns what is stored for partitions of a group that we are no
// member of: for all of them, or an error.
func (c *Client) GroupOffsets(ctx context.Context, group string, partitions []TopicPartition) (map[TopicPartition]Committed, error) {
	gen := &Generation{g: &Group{c: c, cfg: GroupConfig{ID: group}, coordinator: anyBroker}}
	found, err := gen.Offsets(ctx, partitions)
	if !errors.Is(err, kafka.GroupIdNotFound) {
		return found, err
	}
	found = make(map[TopicPartition]Committed, len(partitions))
	for _, tp := range partitions {
		found[tp] = Committed{Offset: -1, LeaderEpoch: -1}
	}
	return found, nil
}

// GroupAtRest reports whether a group has no members: nobody can commit in it
// before somebody joins.
func (c *Client) GroupAtRest(ctx context.Context, group string) (bool, error) {
	g := &Group{c: c, cfg: GroupConfig{ID: group}, coordinator: anyBroker}
	var state string
	err := c.persist(ctx, func() error {
		described, err := g.describe(ctx)
		state = described.GroupState
		return err
	})
	if err != nil {
		return false, fmt.Errorf("describing group %s: %w", group, err)
	}
	switch state {
	case "Empty", "Dead": // Dead: there is no such group
		return true, nil
	case "":
		return false, errors.New("the broker does not tell the state of group " + group)
	default:
		return false, nil
	}
}
