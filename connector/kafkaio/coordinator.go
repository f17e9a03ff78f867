package kafkaio

import (
	"context"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/findcoordinator"
)

// whereabouts returns the group's coordinator, from memory if possible: to ask
// before each request would double the time of a commit.
func (g *Group) whereabouts(ctx context.Context) (int32, error) {
	g.mu.Lock()
	broker := g.coordinator
	g.mu.Unlock()
	if broker >= 0 {
		return broker, nil
	}
	res, err := g.c.ask(ctx, anyBroker, &findcoordinator.Request{Key: g.cfg.ID}, newestVersion, nil)
	if err != nil {
		return 0, err
	}
	answer, ok := res.(*findcoordinator.Response)
	if !ok {
		return 0, fmt.Errorf("FindCoordinator answered by %T", res)
	}
	if code := kafka.Error(answer.ErrorCode); code != 0 {
		if fatal := g.judge(code); fatal != nil {
			return 0, fatal
		}
		return 0, fmt.Errorf("coordinator of group %s: %w", g.cfg.ID, code)
	}
	g.c.brokers.learnOne(answer.NodeID, joinHostPort(answer.Host, answer.Port))
	g.mu.Lock()
	g.coordinator = answer.NodeID
	g.mu.Unlock()
	return answer.NodeID, nil
}

// moved forgets the coordinator when a code says that it is another one.
func (g *Group) moved(code kafka.Error) {
	if code == kafka.NotCoordinatorForGroup || code == kafka.GroupCoordinatorNotAvailable {
		g.forgetCoordinator()
	}
}

func (g *Group) forgetCoordinator() {
	g.mu.Lock()
	g.coordinator = anyBroker
	g.mu.Unlock()
}

// ask makes a request of the coordinator. The codes in the answer are the
// caller's to judge.
func (g *Group) ask(ctx context.Context, req protocol.Message, newest int16, sent *gate) (protocol.Message, error) {
	broker, err := g.whereabouts(ctx)
	if err != nil {
		return nil, err
	}
	res, err := g.c.ask(ctx, broker, req, newest, sent)
	if err != nil && !errors.Is(err, context.Canceled) { // else it was our own doing
		g.forgetCoordinator()
	}
	return res, err
}
