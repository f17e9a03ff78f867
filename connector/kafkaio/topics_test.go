package kafkaio

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

func TestTopicsAreDescribedAsTheyWereCreated(t *testing.T) {
	t.Parallel()
	c := openClient(t, startBroker(t))
	name := newTopic(t, c, 5)
	got, err := c.Topics(t.Context(), name, "no-such-topic")
	if err != nil {
		t.Fatal(err)
	}
	topic := got[name]
	if len(got) != 1 || topic.Name != name || topic.Partitions != 5 || topic.Replicas < 1 || topic.ID == [16]byte{} {
		t.Fatalf("got %+v", got)
	}
	id, err := c.ClusterID(t.Context())
	if err != nil || id == "" {
		t.Fatalf("cluster id %q, %v", id, err)
	}
}

func TestCreatingATopicThatExistsIsFine(t *testing.T) {
	t.Parallel()
	c := openClient(t, startBroker(t))
	name := newTopic(t, c, 2)
	if err := c.CreateTopics(t.Context(), NewTopic{Name: name, Partitions: 7}); err != nil {
		t.Fatal(err)
	}
	found, err := c.WaitTopics(t.Context(), name)
	if n := found[name].Partitions; err != nil || n != 2 {
		t.Fatalf("%d partitions, %v", n, err)
	}
}

func TestLeaderOfAnUnknownTopicIsAnUnknownTopic(t *testing.T) {
	t.Parallel()
	c := openClient(t, startBroker(t))
	_, err := c.leader(t.Context(), "no-such-topic", 0)
	if !errors.Is(err, kafka.UnknownTopicOrPartition) {
		t.Fatal(err)
	}
}

func TestConfigurationOfATopicIsWhatItWasCreatedWith(t *testing.T) {
	t.Parallel()
	c := openClient(t, startBroker(t))
	name := topicName()
	want := map[string]string{"cleanup.policy": "compact", "retention.ms": "123456789", "min.insync.replicas": "1"}
	if err := c.CreateTopics(t.Context(), NewTopic{Name: name, Partitions: 1, Config: want}); err != nil {
		t.Fatal(err)
	}
	got, err := c.TopicConfig(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range want {
		if got[key] != value {
			t.Errorf("%s is %q, want %q", key, got[key], value)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := c.TopicConfig(ctx, "no-such-topic"); !errors.Is(err, kafka.UnknownTopicOrPartition) {
		t.Errorf("of an unknown topic: %v", err)
	}
}

func TestATopicThatCannotBeCreatedSaysWhy(t *testing.T) {
	t.Parallel()
	c := openClient(t, startBroker(t))
	topic := NewTopic{Name: topicName(), Partitions: 1, Replicas: 99}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var broker *BrokerError
	if err := c.CreateTopics(ctx, topic); !errors.As(err, &broker) || broker.Topic != topic.Name || errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestTopicsThatComeLaterAreWaitedFor(t *testing.T) {
	t.Parallel()
	brokers := startBroker(t)
	c := openClient(t, brokers)
	name := topicName()
	created := make(chan error, 1)
	time.AfterFunc(300*time.Millisecond, func() {
		created <- openClient(t, brokers).CreateTopics(t.Context(), NewTopic{Name: name, Partitions: 3})
	})
	got, err := c.WaitTopics(t.Context(), name)
	if err != nil || got[name].Partitions != 3 {
		t.Fatalf("%+v, %v", got, err)
	}
	if err := <-created; err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := c.WaitTopics(ctx, name, "no-such-topic"); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no-such-topic") {
		t.Fatal(err)
	}
}
