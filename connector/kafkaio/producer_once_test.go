package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// lossy is a network in which answers get lost after the request has arrived.
type lossy struct {
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
	lose func() bool
}

func (l *lossy) dialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := l.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &lossyConn{Conn: conn, lose: l.lose}, nil
}

type lossyConn struct {
	net.Conn
	lose func() bool
}

func (c *lossyConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err == nil && c.lose() {
		_ = c.Close()
		return 0, errors.New("answer lost")
	}
	return n, err
}

func TestEveryRecordIsInTheLogExactlyOnceAndInOrderWhateverFails(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) { onceAndInOrder(t, rand.New(rand.NewPCG(seed, 1))) })
	}
}

func onceAndInOrder(t *testing.T, dice *rand.Rand) {
	t.Helper()
	const callers, each, partitions = 8, 60, 3
	b := startBubble(t, kfake.NumBrokers(3), kfake.Ports(9092, 9093, 9094), kfake.SeedTopics(partitions, "a", "b"))
	var mu sync.Mutex
	roll := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return dice.IntN(n)
	}
	var calm atomic.Bool
	network := &lossy{b.network.DialContext, func() bool { return !calm.Load() && roll(40) == 0 }}
	c, err := Open(Config{Brokers: b.cluster.ListenAddrs(), Dial: network.dialContext})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// Those that are stored nevertheless are among them.
	codes := []*kerr.Error{
		kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend, kerr.NotLeaderForPartition, kerr.UnknownTopicOrPartition,
		kerr.LeaderNotAvailable, kerr.NotEnoughReplicas, kerr.KafkaStorageError, kerr.UnknownServerError, kerr.CorruptMessage,
	}
	b.onProduce(func(req *kmsg.ProduceRequest) (kmsg.Response, error, bool) {
		if calm.Load() {
			return nil, nil, false
		}
		for _, topic := range req.Topics {
			for _, p := range topic.Partitions {
				if roll(4) == 0 {
					b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic.Topic, Partitions: []int32{p.Partition}, Err: codes[roll(len(codes))]})
				}
			}
		}
		if roll(10) == 0 {
			return nil, errors.New("cut before the request was read"), true
		}
		return nil, nil, false
	})
	p := c.NewProducer(ProducerConfig{})
	type place struct {
		topic string
		ack   Ack
	}
	acked := map[string]place{}
	var wg sync.WaitGroup
	for caller := range callers {
		wg.Go(func() {
			for i := range each {
				m := Message{Topic: "ab"[roll(2):][:1], Partition: roll(partitions), Value: []byte(fmt.Sprintf("%d-%03d", caller, i))}
				wg.Add(1)
				p.Send([]Message{m}, func(acks []Ack, err error) {
					defer wg.Done()
					if err != nil {
						t.Errorf("%s: %v", m.Value, err)
						return
					}
					mu.Lock()
					defer mu.Unlock()
					acked[string(m.Value)] = place{m.Topic, acks[0]}
				})
				time.Sleep(time.Duration(roll(30)) * time.Millisecond)
				if roll(50) == 0 {
					b.cluster.ShufflePartitionLeaders()
				}
			}
		})
	}
	time.AfterFunc(20*time.Second, func() { calm.Store(true) })
	wg.Wait()
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, topic := range p.topics {
		for _, q := range topic.queues {
			if q.id != p.id {
				t.Errorf("%s/%d had to change its producer id", topic.name, q.partition)
			}
		}
	}
	if len(acked) != callers*each {
		t.Fatalf("%d records acknowledged of %d", len(acked), callers*each)
	}
	at := map[string]map[int32][]string{}
	in := map[string]int{}
	for _, place := range acked {
		in[place.topic]++
	}
	for _, topic := range []string{"a", "b"} {
		at[topic] = b.read(t, topic, in[topic])
		for partition, values := range at[topic] {
			last := map[string]string{}
			for _, v := range values {
				caller := v[:1]
				if v <= last[caller] {
					t.Errorf("%s/%d: %s came after %s", topic, partition, v, last[caller])
				}
				last[caller] = v
			}
		}
	}
	for value, place := range acked {
		values := at[place.topic][int32(place.ack.Partition)]
		if o := place.ack.Offset; o < 0 || int(o) >= len(values) || values[o] != value {
			t.Errorf("%s is not at %+v", value, place)
		}
	}
}
