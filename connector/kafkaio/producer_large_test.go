package kafkaio

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestWhatNoRequestCanCarryIsRefusedAtOnceAndNotTriedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, kfake.SeedTopics(1, "t"))
		p := openProducer(t, b.client(t, 0))
		produce(t, p, "warm")
		if _, err := p.Produce(t.Context(), Message{Topic: "t", Value: make([]byte, MaxRecord)}); !errors.Is(err, ErrTooLarge) {
			t.Errorf("a record of more than MaxRecord: %v", err)
		}
		many := make([]Message, maxBuffered/MaxRecord+1)
		value := make([]byte, MaxRecord-100)
		for i := range many {
			many[i] = Message{Topic: "t", Value: value}
		}
		if _, err := p.Produce(t.Context(), many...); !errors.Is(err, ErrTooLarge) {
			t.Errorf("more at once than the whole buffer: %v", err)
		}
		produce(t, p, "after")
	})
}

// A leader that moved leaves a batch in doubt; that it is too large was so before.
func TestABatchInDoubtThatIsTooLargeGoesInSmallerOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t)
		if err := b.cluster.CreateTopic("t", 1, map[string]string{"max.message.bytes": "3000"}); err != nil {
			t.Fatal(err)
		}
		p := openProducer(t, b.client(t, 0))
		produce(t, p, "warm")
		b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition})
		many := make([]Message, 60)
		for i := range many {
			many[i] = Message{Topic: "t", Value: make([]byte, 100)}
		}
		acks, err := p.Produce(t.Context(), many...)
		if err != nil || len(acks) != 60 || acks[59].Offset != acks[0].Offset+59 {
			t.Errorf("60 small records: %v, acks %v", err, acks)
		}
	})
}
