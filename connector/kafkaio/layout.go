package kafkaio

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

const (
	// layoutAge is how long a topic's layout is believed without a new look. A
	// moved leader shows itself by an error, so this is for partitions that were
	// added.
	layoutAge = 30 * time.Second
	// roundEvery keeps many who doubt from asking more often than brokers learn.
	roundEvery = time.Second
)

// layout remembers partitions and leaders of the topics in use, for everybody
// who reads or writes. What was known stays in use while it is looked at anew: a
// broker that is slow to tell who leads must not stop partitions whose leaders
// are well.
type layout struct {
	mu     sync.Mutex
	topics map[string]knownTopic
	due    *round        // which everybody who doubts now will see; nil: none
	turn   chan struct{} // size 1: whose it is makes a round
	begun  time.Time     // of the last round; for whose turn it is

	life context.Context //nolint:containedctx // of the rounds, which belong to no caller; ended by Close
	end  context.CancelFunc
	wg   sync.WaitGroup
}

// knownTopic is what the last round told, but for errors after good news.
type knownTopic struct {
	topicView
	at time.Time // when the round began that told it; zero: none has yet
}

// round is one look at all topics in use.
type round struct {
	hurry chan struct{} // closed: somebody asks for a topic for the first time
	fresh bool          // hurry is closed
	done  chan struct{}
	err   error // before done
}

func (l *layout) open() {
	l.topics, l.turn = map[string]knownTopic{}, make(chan struct{}, 1)
	l.life, l.end = context.WithCancel(context.Background())
}

func (l *layout) close() {
	l.mu.Lock()
	l.end()
	l.mu.Unlock()
	l.wg.Wait()
}

// leader returns the id of the broker that leads a partition. Its errors carry
// a kafka.Error: UnknownTopicOrPartition, LeaderNotAvailable (both normal for a
// while after a topic was created), TopicAuthorizationFailed.
func (c *Client) leader(ctx context.Context, topic string, partition int) (int32, error) {
	p, err := c.partition(ctx, topic, partition)
	return p.leader, err
}

func (c *Client) partition(ctx context.Context, topic string, partition int) (partitionView, error) {
	topics, err := c.known(ctx, time.Time{}, topic)
	if err != nil {
		return partitionView{}, err
	}
	t := topics[topic]
	switch {
	case t.err != 0:
		return partitionView{}, brokerError(t.err, topic, AnyPartition)
	case partition < 0 || partition >= len(t.partitions):
		c.renew()
		return partitionView{}, brokerError(kafka.UnknownTopicOrPartition, topic, partition)
	case t.partitions[partition].leader < 0:
		c.renew()
		return partitionView{}, brokerError(kafka.LeaderNotAvailable, topic, partition)
	}
	return t.partitions[partition], nil
}

// renew begins a look at the layout: for callers that were told that a leader is
// not the leader, or were told nothing. Meanwhile the old layout serves.
func (c *Client) renew() { c.layout.next(c) }

// known returns the named topics as they were seen after a moment; the zero one
// takes what is remembered, however old. A topic that was never well has err set.
func (c *Client) known(ctx context.Context, after time.Time, names ...string) (map[string]topicView, error) {
	l := &c.layout
	for {
		found, r := l.find(c, after, names)
		if r == nil {
			return found, nil
		}
		select {
		case <-r.done:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if r.err != nil {
			return nil, r.err
		}
		if after.IsZero() {
			found, _ = l.find(nil, after, names)
			return found, nil
		}
	}
}

// find returns what is known, or the round to wait for. Without a client it
// waits for none.
func (l *layout) find(c *Client, after time.Time, names []string) (map[string]topicView, *round) {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := make(map[string]topicView, len(names))
	wait, fresh, old := false, false, false
	for _, name := range names {
		t, listed := l.topics[name]
		if !listed {
			l.topics[name] = t
			t.err = kafka.UnknownTopicOrPartition
		}
		found[name] = t.topicView
		fresh = fresh || t.at.IsZero()
		wait = wait || t.at.IsZero() || t.err != 0 && after.IsZero() || !after.IsZero() && !t.at.After(after)
		old = old || time.Since(t.at) >= layoutAge
	}
	if c == nil || !wait && !old {
		return found, nil
	}
	r := l.round(c)
	if fresh && !r.fresh {
		r.fresh = true
		close(r.hurry)
	}
	if !wait {
		return found, nil
	}
	return nil, r
}

func (l *layout) next(c *Client) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.round(c)
}

// round returns the round that has not begun yet. The lock is held.
func (l *layout) round(c *Client) *round {
	if l.due != nil {
		return l.due
	}
	r := &round{hurry: make(chan struct{}), done: make(chan struct{})}
	if l.life.Err() != nil {
		r.err = errClientClosed
		close(r.done)
		return r
	}
	l.due = r
	l.wg.Go(func() {
		defer close(r.done)
		r.err = l.look(c, r)
	})
	return r
}

var errClientClosed = errors.New("the client is closed")

// look makes a round when its time has come.
func (l *layout) look(c *Client, r *round) error {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	timer := time.NewTimer(roundEvery - time.Since(l.begun))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.hurry:
	case <-l.life.Done():
	}
	l.begun = time.Now()
	l.mu.Lock()
	l.due = nil // who comes from here on wants a later one
	names := slices.Collect(maps.Keys(l.topics))
	l.mu.Unlock()
	view, err := c.view(l.life, names...)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range names {
		l.topics[name] = knownTopic{merge(l.topics[name].topicView, view, name), l.begun}
	}
	return nil
}

// merge takes in what a broker says of a topic, who may have heard less than the
// one before.
func merge(old topicView, view clusterView, name string) topicView {
	t, told := view.topics[name]
	if !told || t.err == 0 && len(t.partitions) == 0 {
		t.err = kafka.UnknownTopicOrPartition
	}
	if t.err != 0 && len(old.partitions) > 0 {
		return old
	}
	if t.id == old.id && t.id != [16]byte{} {
		for i := range min(len(t.partitions), len(old.partitions)) {
			if t.partitions[i].epoch < old.partitions[i].epoch {
				t.partitions[i] = old.partitions[i]
			}
		}
	}
	return t
}

func joinHostPort(host string, port int32) string {
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}
