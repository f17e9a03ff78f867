package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// heard is what a follower took, partition after partition.
type heard struct {
	mu   sync.Mutex
	from map[int][]string
	slow time.Duration // for each record
}

func (h *heard) take(r *Record) {
	time.Sleep(h.slow)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.from == nil {
		h.from = map[int][]string{}
	}
	h.from[r.Partition] = append(h.from[r.Partition], string(r.Value))
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return fmt.Sprint(h.from)
}

func TestAFollowerBeginsAtATimeAndSyncWaitsForWhatStandsThere(t *testing.T) {
	t.Parallel()
	brokers := startBroker(t)
	c := openClient(t, brokers)
	topic := newTopic(t, c, 3)
	write := func(partition int32, value string, at time.Time) {
		t.Helper()
		k := newKgo(t, brokers, kgo.RecordPartitioner(kgo.ManualPartitioner()))
		r := &kgo.Record{Topic: topic, Partition: partition, Value: []byte(value), Timestamp: at}
		if err := k.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	write(0, "old", now.Add(-2*time.Hour))
	write(0, "young", now.Add(-time.Minute))
	write(1, "all of it is old", now.Add(-2*time.Hour)) // partition 2 is empty

	h := &heard{slow: time.Millisecond}
	f := &Follower{Client: c, Topic: topic, From: now.Add(-time.Hour), Take: h.take}
	if err := f.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := h.String(); got != "map[0:[young]]" || f.Partitions() != 3 {
		t.Errorf("caught up with %s of %d partitions", got, f.Partitions())
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	for i := range 20 {
		write(1, fmt.Sprint(i), now)
		if err := f.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.mu.Lock()
		if n := len(h.from[1]); n != i+1 {
			t.Errorf("%d records taken when %d stood there", n, i+1)
		}
		h.mu.Unlock()
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	write(2, "behind the end", now)
	if err := f.Sync(t.Context()); !errors.Is(err, errEnded) {
		t.Errorf("what nobody reads any more was synced with: %v", err)
	}
}
