package kafkaio

import (
	"context"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// layoutAge is how long a topic's layout is believed without a new look. A
// moved leader shows itself by an error, so this is for partitions that were
// added.
const layoutAge = 30 * time.Second

// layout remembers partitions and leaders of the topics in use.
type layout struct {
	mu     sync.Mutex
	topics map[string]knownTopic

	// looking lets one caller ask at a time; the others find its answer.
	looking chan struct{}
}

type knownTopic struct {
	topicView
	at time.Time
}

func newLayout() layout {
	return layout{topics: map[string]knownTopic{}, looking: make(chan struct{}, 1)}
}

// leader returns the id of the broker that leads a partition. Its errors carry
// a kafka.Error: UnknownTopicOrPartition, LeaderNotAvailable (both normal for a
// while after a topic was created), TopicAuthorizationFailed.
func (c *Client) leader(ctx context.Context, topic string, partition int) (int32, error) {
	t, err := c.topic(ctx, topic)
	if err != nil {
		return 0, err
	}
	if partition < 0 || partition >= len(t.partitions) {
		c.forget(topic)
		return 0, brokerError(kafka.UnknownTopicOrPartition, topic, partition)
	}
	leader := t.partitions[partition].leader
	if leader < 0 {
		c.forget(topic)
		return 0, brokerError(kafka.LeaderNotAvailable, topic, partition)
	}
	return leader, nil
}

// forget makes the next lookup of a topic ask the cluster: for callers that
// were told that a leader is not the leader.
func (c *Client) forget(topic string) {
	c.layout.mu.Lock()
	defer c.layout.mu.Unlock()
	delete(c.layout.topics, topic)
}

func (c *Client) topic(ctx context.Context, name string) (topicView, error) {
	if t, ok := c.layout.known(name); ok {
		return t, nil
	}
	select {
	case c.layout.looking <- struct{}{}:
		defer func() { <-c.layout.looking }()
	case <-ctx.Done():
		return topicView{}, ctx.Err()
	}
	if t, ok := c.layout.known(name); ok {
		return t, nil
	}
	view, err := c.view(ctx, name)
	if err != nil {
		return topicView{}, err
	}
	t, ok := view.topics[name]
	if !ok {
		t.err = kafka.UnknownTopicOrPartition
	}
	if t.err != 0 {
		return topicView{}, brokerError(t.err, name, AnyPartition)
	}
	c.layout.learn(name, t)
	return t, nil
}

func (l *layout) known(name string) (topicView, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t, ok := l.topics[name]
	return t.topicView, ok && time.Since(t.at) < layoutAge
}

func (l *layout) learn(name string, t topicView) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.topics[name] = knownTopic{t, time.Now()}
}

func (l *layout) forgetAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.topics)
}

func joinHostPort(host string, port int32) string {
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}
