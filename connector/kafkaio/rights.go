package kafkaio

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/describegroups"
)

// ErrRightsNotTold says that the broker leaves questions about rights unanswered,
// as some do that speak Kafka's protocol and are not Kafka.
var ErrRightsNotTold = errors.New("the broker does not tell what we may do")

// Rights is what the brokers let us do with a topic or a group, by ACLs or
// because there are none. Read and Write hold Describe in themselves.
type Rights struct {
	Read     bool
	Write    bool // of topics only
	Describe bool
}

// Bits of authorized operations (Kafka's AclOperation, KIP-430).
const (
	mayRead     = 1 << 3
	mayWrite    = 1 << 4
	mayDescribe = 1 << 8
	// operationsNotTold stands where the broker left the field out.
	operationsNotTold = math.MinInt32
)

func rightsOf(operations int32) (Rights, error) {
	if operations == operationsNotTold {
		return Rights{}, ErrRightsNotTold
	}
	return Rights{
		Read:     operations&mayRead != 0,
		Write:    operations&mayWrite != 0,
		Describe: operations&mayDescribe != 0,
	}, nil
}

// Rights asks what we may do with topics. Those that do not exist are left out;
// those that we may not even see are there, without any right. It waits for topics
// that were created a moment ago no longer than Topics does.
func (c *Client) Rights(ctx context.Context, topics ...string) (map[string]Rights, error) {
	view, err := c.look(ctx, &metadataRequest{topics: topics, rights: true})
	if err != nil {
		return nil, err
	}
	found := make(map[string]Rights, len(topics))
	for _, name := range topics {
		t, ok := view.topics[name]
		switch {
		case !ok || t.err == kafka.UnknownTopicOrPartition:
			continue
		case unauthorized(t.err):
			found[name] = Rights{}
			continue
		case t.err != 0 && t.err != kafka.LeaderNotAvailable:
			return nil, brokerError(t.err, name, AnyPartition)
		}
		found[name], err = rightsOf(t.operations)
		if err != nil {
			return nil, fmt.Errorf("topic %s: %w", name, err)
		}
	}
	return found, nil
}

// GroupRights asks what we may do with a consumer group, which need not exist.
func (c *Client) GroupRights(ctx context.Context, group string) (Rights, error) {
	// Not a membership: this only needs to know how to find the coordinator.
	g := &Group{c: c, cfg: GroupConfig{ID: group}, coordinator: anyBroker}
	var operations int32
	err := c.persist(ctx, func() (err error) {
		operations, err = g.operations(ctx)
		return err
	})
	if errors.Is(err, ErrUnauthorized) {
		return Rights{}, nil // not even Describe
	}
	if err != nil {
		return Rights{}, err
	}
	rights, err := rightsOf(operations)
	if err != nil {
		return Rights{}, fmt.Errorf("group %s: %w", group, err)
	}
	return rights, nil
}

// operations asks for the authorized operations once.
func (g *Group) operations(ctx context.Context) (int32, error) {
	described, err := g.describe(ctx)
	return described.AuthorizedOperations, err
}

// describe asks for the group's state and our rights once.
func (g *Group) describe(ctx context.Context) (describegroups.ResponseGroup, error) {
	var none describegroups.ResponseGroup
	// Rights came with version 3, and kafka-go cannot read the answer of version 5.
	res, err := g.ask(ctx, &describegroups.Request{Groups: []string{g.cfg.ID}, IncludeAuthorizedOperations: true}, 4, nil)
	if err != nil {
		return none, err
	}
	described, ok := res.(*describegroups.Response)
	if !ok || len(described.Groups) != 1 || described.Groups[0].GroupID != g.cfg.ID {
		return none, fmt.Errorf("the broker's answer to DescribeGroups does not hold group %s alone", g.cfg.ID)
	}
	if code := kafka.Error(described.Groups[0].ErrorCode); code != 0 {
		g.moved(code)
		return none, cmp.Or(g.judge(code), fmt.Errorf("describing group %s: %w", g.cfg.ID, code))
	}
	return described.Groups[0], nil
}
