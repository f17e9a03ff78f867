package kafkaio

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
)

// A real cluster answers that a topic was made before every broker knows of it,
// and of its leaders: for some hundred milliseconds all of this is refused.
func TestTopicsThatWereMadeAMomentAgoAreUsedAsIfTheyHadAlwaysBeenThere(t *testing.T) {
	t.Parallel()
	brokers := startBroker(t)
	for name, use := range map[string]func(t *testing.T, c *Client, topic string) error{
		"written and read": func(t *testing.T, c *Client, topic string) error {
			t.Helper()
			acks, err := openProducer(t, c).Produce(t.Context(), Message{Topic: topic, Partition: 2, Value: []byte("v")})
			if err != nil {
				return err
			}
			records, err := c.Fetcher(FetchConfig{Topic: topic, Partition: 2}).Next(t.Context())
			if err == nil && (len(records) != 1 || records[0].Offset != acks[0].Offset) {
				return fmt.Errorf("read %v, written %v", records, acks)
			}
			return err
		},
		"measured": func(t *testing.T, c *Client, topic string) error {
			t.Helper()
			end, err := c.EndOffset(t.Context(), topic, 2)
			if err == nil && end != 0 {
				return fmt.Errorf("ends at %d", end)
			}
			return err
		},
		"shared by a group": func(t *testing.T, c *Client, topic string) error {
			t.Helper()
			gen := settleAt(t, join(t, c, topic, topic), topic, 3)
			return gen.Commit(t.Context(), map[TopicPartition]Commit{{topic, 2}: {Offset: 1}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			topic := topicName()
			c := openClient(t, brokers)
			if _, err := c.ClusterID(t.Context()); err != nil { // connected before
				t.Fatal(err)
			}
			created, err := kadm.NewClient(newKgo(t, brokers)).CreateTopics(t.Context(), 3, -1, nil, topic)
			if err != nil || created.Error() != nil {
				t.Fatal(err, created.Error())
			}
			if err := use(t, c, topic); err != nil {
				t.Error(err)
			}
		})
	}
}
