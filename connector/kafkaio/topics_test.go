package kafkaio

import (
	"errors"
	"testing"

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
	n, err := c.partitions(t.Context(), name)
	if err != nil || n != 2 {
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
