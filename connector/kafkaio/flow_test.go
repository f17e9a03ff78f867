package kafkaio

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// flow writes the numbers 0, 1, 2… to each partition of a topic of its own, and
// reads them back. Number n must get, and have, offset n: then nothing is lost,
// nothing is there twice, and nothing changed places.
type flow struct {
	topic string
	acked []atomic.Int64
	read  []atomic.Int64
	stop  context.CancelFunc
	wg    sync.WaitGroup
}

func startFlow(t *testing.T, c *Client, partitions int) *flow {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	f := &flow{topic: newTopic(t, c, partitions), acked: make([]atomic.Int64, partitions), read: make([]atomic.Int64, partitions), stop: stop}
	p := openProducer(t, c)
	for partition := range partitions {
		f.wg.Go(func() { f.write(ctx, t, p, partition) })
		f.wg.Go(func() { f.follow(ctx, t, c, partition) })
	}
	t.Cleanup(f.end)
	return f
}

// end stops what was started, and waits until all is acknowledged.
func (f *flow) end() {
	f.stop()
	f.wg.Wait()
}

func (f *flow) write(ctx context.Context, t *testing.T, p *Producer, partition int) {
	t.Helper()
	underWay := make(chan struct{}, 4)
	for n := int64(0); ctx.Err() == nil; n++ {
		underWay <- struct{}{}
		p.Send([]Message{{Topic: f.topic, Partition: partition, Value: strconv.AppendInt(nil, n, 10)}}, func(acks []Ack, err error) {
			switch {
			case err != nil:
				t.Errorf("partition %d: number %d: %v", partition, n, err)
			case acks[0].Offset != n && acks[0].Offset != -1:
				t.Errorf("partition %d: number %d was acknowledged at offset %d", partition, n, acks[0].Offset)
			}
			f.acked[partition].Store(n + 1)
			<-underWay
		})
	}
	for range cap(underWay) {
		underWay <- struct{}{}
	}
}

func (f *flow) follow(ctx context.Context, t *testing.T, c *Client, partition int) {
	t.Helper()
	fetcher := c.Fetcher(FetchConfig{Topic: f.topic, Partition: partition})
	for {
		records, err := fetcher.Next(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			t.Errorf("reading partition %d: %v", partition, err)
			return
		}
		for _, r := range records {
			if n := f.read[partition].Load(); r.Offset != n || string(r.Value) != strconv.FormatInt(n, 10) {
				t.Errorf("partition %d: read %s at offset %d instead of %d", partition, r.Value, r.Offset, n)
			}
			f.read[partition].Add(1)
		}
	}
}

// goesOn waits until every partition was written to and read some more.
func (f *flow) goesOn(t *testing.T) {
	t.Helper()
	for partition := range f.acked {
		goal := f.acked[partition].Load() + 20
		until(t, fmt.Sprintf("partition %d goes on", partition), func(context.Context) bool {
			return f.acked[partition].Load() >= goal && f.read[partition].Load() >= goal
		})
	}
}

// check ends the flow, asks another client what is in the log, and returns how
// many records there are.
func (f *flow) check(t *testing.T, brokers []string) int {
	t.Helper()
	f.end()
	total := 0
	for partition := range f.acked {
		total += int(f.acked[partition].Load())
	}
	for _, r := range readAll(t, brokers, f.topic, total) {
		if string(r.Value) != strconv.FormatInt(r.Offset, 10) {
			t.Fatalf("partition %d holds %s at offset %d", r.Partition, r.Value, r.Offset)
		}
	}
	return total
}

// limit is how long brokers may take for anything on a busy machine.
const limit = 2 * time.Minute

// until repeats a question until the answer is yes.
func until(t *testing.T, what string, yes func(context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var pause backoff
	begun := time.Now()
	for !yes(ctx) {
		if err := pause.wait(ctx); err != nil {
			t.Fatalf("waited in vain: %s", what)
		}
	}
	t.Logf("after %s: %s", time.Since(begun).Round(time.Millisecond), what)
}

// fragile is a connection that breaks just when an answer comes: what was asked
// for was done, and nobody was told.
type fragile struct {
	net.Conn
	answers *atomic.Int64 // of all connections
}

func (c fragile) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err == nil && c.answers.Add(1)%101 == 0 {
		c.Close()
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

func TestAnswersThatAreLostLoseAndRepeatNothing(t *testing.T) {
	t.Parallel()
	brokers := startBroker(t)
	answers := new(atomic.Int64)
	c, err := Open(Config{Brokers: brokers, Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return fragile{conn, answers}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	f := startFlow(t, c, 3)
	for range 5 {
		f.goesOn(t)
	}
	if lost := answers.Load() / 101; lost == 0 {
		t.Fatal("no answer was lost")
	}
	f.check(t, brokers)
}
