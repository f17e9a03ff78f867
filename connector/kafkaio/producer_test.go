package kafkaio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestRecordsAreReadBackAsTheyWereSent(t *testing.T) {
	t.Parallel()
	brokers := startBroker(t)
	c := openClient(t, brokers)
	topic := newTopic(t, c, 5)
	p := openProducer(t, c)
	at := time.UnixMilli(1700000000123)
	msgs := []Message{
		{Topic: topic, Partition: 3, Key: []byte("k"), Value: []byte("v"), Time: at},
		{Topic: topic, Partition: 3, Value: []byte{}, Time: at.Add(time.Hour), Headers: []Header{{"a", []byte("1")}, {"a", nil}, {"", []byte{}}}},
		{Topic: topic, Partition: 3, Key: []byte{}, Time: at.Add(-time.Hour)},
		{Topic: topic, Partition: 3, Value: bytes.Repeat([]byte("x"), 70_000), Time: at},
	}
	acks, err := p.Produce(t.Context(), msgs...)
	if err != nil {
		t.Fatal(err)
	}
	got := readAll(t, brokers, topic, len(msgs))
	for i, m := range msgs {
		r := got[i]
		if int(r.Partition) != acks[i].Partition || r.Offset != acks[i].Offset || acks[i].Offset != int64(i) {
			t.Errorf("record %d at %d/%d, acknowledged as %+v", i, r.Partition, r.Offset, acks[i])
		}
		if !equal(r.Key, m.Key) || !equal(r.Value, m.Value) || !r.Timestamp.Equal(m.Time) || len(r.Headers) != len(m.Headers) {
			t.Errorf("record %d: got %+v", i, r)
			continue
		}
		for j, h := range m.Headers {
			if r.Headers[j].Key != h.Key || !equal(r.Headers[j].Value, h.Value) {
				t.Errorf("record %d: header %+v", i, r.Headers[j])
			}
		}
	}
}

// equal tells null from empty.
func equal(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

func TestKeysMeetThosePutByOtherClientsInTheSamePartition(t *testing.T) {
	t.Parallel()
	brokers := startBroker(t)
	c := openClient(t, brokers)
	topic := newTopic(t, c, 7)
	p := openProducer(t, c)
	other, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for i := range 50 {
		key := []byte(fmt.Sprintf("key-%d", i*i))
		acks, err := p.Produce(t.Context(), Message{Topic: topic, Partition: AnyPartition, Key: key})
		if err != nil {
			t.Fatal(err)
		}
		theirs := other.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Key: key})
		if err := theirs.FirstErr(); err != nil {
			t.Fatal(err)
		}
		if theirs[0].Record.Partition != int32(acks[0].Partition) {
			t.Fatalf("key %s: ours %d, theirs %d", key, acks[0].Partition, theirs[0].Record.Partition)
		}
	}
}

func TestRecordsWithoutKeyAreSpreadOverAllPartitions(t *testing.T) {
	t.Parallel()
	c := openClient(t, startBroker(t))
	topic := newTopic(t, c, 4)
	p := openProducer(t, c)
	seen := map[int]int{}
	for range 200 {
		acks, err := p.Produce(t.Context(), Message{Topic: topic, Partition: AnyPartition, Value: []byte("v")})
		if err != nil {
			t.Fatal(err)
		}
		seen[acks[0].Partition]++
	}
	if len(seen) != 4 {
		t.Fatalf("partitions used: %v", seen)
	}
}

func TestClosingWritesWhatWaits(t *testing.T) {
	t.Parallel()
	brokers := startBroker(t)
	c := openClient(t, brokers)
	topic := newTopic(t, c, 3)
	p := c.NewProducer(ProducerConfig{})
	done := make(chan error, 500)
	for i := range 500 {
		p.Send([]Message{{Topic: topic, Partition: i % 3, Value: []byte("v")}}, func(_ []Ack, err error) { done <- err })
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 500 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	readAll(t, brokers, topic, 500)
	if _, err := p.Produce(t.Context(), Message{Topic: topic}); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
}

// openProducer returns a producer that ends with the test.
func openProducer(t *testing.T, c *Client) *Producer {
	t.Helper()
	p := c.NewProducer(ProducerConfig{})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return p
}

// readAll returns all of a topic's n records by an independent client, in order
// within each partition. More than n fail the test.
func readAll(t *testing.T, brokers []string, topic string, n int) []*kgo.Record {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	var records []*kgo.Record
	for len(records) < n {
		fetches := cl.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatalf("%d of %d records, then %v", len(records), n, err)
		}
		records = append(records, fetches.Records()...)
	}
	if len(records) != n {
		t.Fatalf("%d records instead of %d", len(records), n)
	}
	return records
}
