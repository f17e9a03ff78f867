package kafkaio

import (
	"context"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/findcoordinator"
)

// whereabouts returns the group's coordinator, from memory if possible:
// kafka-go asks before each request, which doubles the time of a commit.
func (g *Group) whereabouts(ctx context.Context) (int32, error) {
	g.mu.Lock()
	broker := g.coordinator
	g.mu.Unlock()
	if broker >= 0 {
		return broker, nil
	}
	res, err := g.c.ask(ctx, anyBroker, &findcoordinator.Request{Key: g.cfg.ID})
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

// ask sends a request to the coordinator. The codes in the answer are the
// caller's to judge.
func (g *Group) ask(ctx context.Context, req protocol.Message) (protocol.Message, error) {
	broker, err := g.whereabouts(ctx)
	if err != nil {
		return nil, err
	}
	res, err := g.c.ask(ctx, broker, req)
	if err != nil {
		g.unreachable(err)
	}
	return res, err
}

// askPlainly is ask in the request's version 0. kafka-go has the later answers to
// Heartbeat and LeaveGroup the wrong way round: their error code ends up in the
// throttle time, and every answer looks like a good one.
func (g *Group) askPlainly(ctx context.Context, req protocol.Message) (protocol.Message, error) {
	broker, err := g.whereabouts(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	res, err := g.c.transport.RoundTrip(ctx, g.c.addr, &oldest{routed{Message: req, broker: broker, clientID: g.c.cfg.ClientID}})
	if err != nil {
		g.unreachable(err)
		return nil, err
	}
	return res.(*answer).Message, nil
}

// oldest is a routed request whose version stays 0.
type oldest struct{ routed }

// Required implements protocol.RawExchanger.
func (*oldest) Required(map[protocol.ApiKey]int16) bool { return true }

// unreachable draws the conclusions from a request that brought no answer.
func (g *Group) unreachable(err error) {
	if errors.Is(err, context.Canceled) {
		return // our own doing
	}
	g.forgetCoordinator()
	if errors.Is(err, kafka.BrokerNotAvailable) {
		g.c.refresh()
	}
}
