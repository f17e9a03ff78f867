package kafkaio

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/heartbeat"
)

// Generation is one assignment of partitions to the members of a group. It ends
// in this order: Lost is closed; what is under way is drained and committed;
// Release lets the group go on without what was not finished.
type Generation struct {
	g          *Group
	id         int32
	member     string
	partitions map[string][]int

	lost        chan struct{}
	expelled    chan struct{}
	expel       sync.Once
	released    chan struct{}
	releaseOnce sync.Once
}

func newGeneration(g *Group, theirs *kafka.Generation) *Generation {
	gen := &Generation{
		g:          g,
		id:         theirs.ID,
		member:     theirs.MemberID,
		partitions: map[string][]int{},
		lost:       make(chan struct{}),
		expelled:   make(chan struct{}),
		released:   make(chan struct{}),
	}
	for topic, assigned := range theirs.Assignments {
		for _, p := range assigned {
			gen.partitions[topic] = append(gen.partitions[topic], p.ID)
		}
		slices.Sort(gen.partitions[topic])
	}
	return gen
}

// ID is the generation's number. It grows with each rebalance.
func (gen *Generation) ID() int32 { return gen.id }

// Partitions returns the partitions of a topic that are ours, in order.
func (gen *Generation) Partitions(topic string) []int {
	return slices.Clone(gen.partitions[topic])
}

// Lost is closed when a rebalance began, the coordinator fell silent, or the
// group was closed: nothing new may be begun. Commits go on working until the
// members have joined anew.
func (gen *Generation) Lost() <-chan struct{} { return gen.lost }

// Expelled is closed when the coordinator said that we are no member of this
// generation any more: nothing can be committed, and somebody else may own the
// partitions already.
func (gen *Generation) Expelled() <-chan struct{} { return gen.expelled }

// Release ends the drain. Every generation must be released, or this process
// joins no other one; more than once does no harm. Commits are fenced from here
// on: kafka-go may join the same generation again under the same name.
func (gen *Generation) Release() {
	gen.releaseOnce.Do(func() { close(gen.released) })
}

// hold is what kafka-go waits for before it joins anew. Its own heartbeats stop
// the moment that the generation is lost, and without any the coordinator would
// expel us in the middle of a drain that is longer than the session.
func (gen *Generation) hold(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-gen.released:
		close(gen.lost)
		return
	}
	close(gen.lost)
	gen.g.forgetCoordinator() // it may have moved, and that is why
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	beating := make(chan struct{})
	go func() {
		defer close(beating)
		gen.beat(ctx)
	}()
	<-gen.released
	cancel()
	<-beating
}

// beat sends heartbeats until ctx ends or they have no use any more.
func (gen *Generation) beat(ctx context.Context) {
	ticker := time.NewTicker(min(heartbeatEvery, gen.g.c.cfg.SessionTimeout/3))
	defer ticker.Stop()
	for {
		switch code := gen.beatOnce(ctx); code {
		case kafka.IllegalGeneration, kafka.UnknownMemberId, kafka.FencedInstanceID:
			gen.expel.Do(func() { close(gen.expelled) })
			return
		default: // 27, a rebalance is going on, is what is expected here
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// beatOnce returns the coordinator's code, 0 when there was no answer.
func (gen *Generation) beatOnce(ctx context.Context) kafka.Error {
	ctx, cancel := context.WithTimeout(ctx, gen.g.c.cfg.SessionTimeout/3)
	defer cancel()
	// Version 0: kafka-go has the later answers to Heartbeat and LeaveGroup the
	// wrong way round, and reads their error code as the throttle time.
	res, err := gen.g.ask(ctx, &heartbeat.Request{
		GroupID:      gen.g.cfg.ID,
		GenerationID: gen.id,
		MemberID:     gen.member,
	}, 0, nil)
	if err != nil {
		return 0
	}
	answer, ok := res.(*heartbeat.Response)
	if !ok {
		return 0
	}
	code := kafka.Error(answer.ErrorCode)
	gen.g.moved(code)
	return code
}
