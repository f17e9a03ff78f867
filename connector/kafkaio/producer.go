package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

var (
	// ErrUndecided says that a record was sent, or may have been, and that
	// nobody knows whether it is or will be in the log.
	ErrUndecided = errors.New("the record may have been written")
	// ErrTooLarge says that a record is larger than its topic's max.message.bytes
	// or than MaxRecord, or that what was to be written together is larger than the
	// producer's whole buffer. No waiting mends that.
	ErrTooLarge = errors.New("the record is too large")
	// ErrOverloaded says that the producer's buffer is full. Nothing was written.
	ErrOverloaded = errors.New("too much waits to be written")
	// ErrClosed says that the producer was closed before the record was sent.
	ErrClosed = errors.New("the producer is closed")
)

const (
	// maxBatch keeps a batch below the default of message.max.bytes, 1048588.
	maxBatch = 1 << 20
	// maxRequest bounds what one request carries, so that one slow partition's
	// backlog does not hold up the others' acks for long.
	maxRequest = 4 << 20
	// MaxRecord bounds what one record may take. A broker answers a request beyond
	// its limit by hanging up, which looks like any other broken connection, so the
	// request would be made again for ever. Nothing that we write is larger, and
	// nothing that we read is kept beyond it.
	MaxRecord = 4 << 20
	// maxBuffered is the default of ProducerConfig.MaxBuffered.
	maxBuffered = 64 << 20
	// replicaPatience is how long a broker waits for the in-sync replicas
	// before it answers that it does not know (code 7).
	replicaPatience = 8 * time.Second
	// answerPatience is how long we wait for the broker: longer than
	// replicaPatience, so that a living broker is heard, and about as long as it
	// takes a cluster to give a frozen broker's partitions to another one
	// (broker.session.timeout.ms, 9 s).
	answerPatience = 10 * time.Second
)

// ProducerConfig configures a Producer. The zero value will do.
type ProducerConfig struct {
	// MaxBuffered bounds the bytes of all records that are not yet
	// acknowledged. Zero: 64 MiB.
	MaxBuffered int
}

// Ack tells where a record is.
type Ack struct {
	Partition int
	// Offset is -1 where the broker knows that the record is in the log but no
	// longer where (code 46: our batch came again after five younger ones).
	Offset int64
}

// Producer writes records so that each is in the log exactly once, in the order
// of Send for each partition, on all in-sync replicas before it is acknowledged.
//
// There is at most one request under way for each broker. It carries everything
// that waited when the last one was answered, all topics and partitions
// together, so batches grow with the load and a lone record leaves at once.
//
// While Kafka is away records wait: none is given up before Close. One exception
// to exactly once: when a broker has lost what it knew of us (codes 45, 47, 59),
// a batch that was sent without being answered is written anew under another
// producer id, and its records may then be in the log twice.
type Producer struct {
	c    *Client
	log  *slog.Logger
	max  int // bytes
	stop context.CancelFunc
	wg   sync.WaitGroup
	wake chan struct{} // size 1: a wish to look around is kept while the router is busy

	mu       sync.Mutex
	topics   map[string]*outTopic
	senders  map[int32]*sender // by broker
	id       identity          // for partitions that have none yet
	buffered int               // bytes of all records not yet settled
	pending  int               // their number
	closed   bool
	doubted  time.Time     // when a broker last failed us: what is known of leaders from before is not good enough
	drained  chan struct{} // closed when nothing is pending after Close began
	trouble  troubles
}

// NewProducer returns a producer that runs until Close. It does no I/O before
// the first record.
func (c *Client) NewProducer(cfg ProducerConfig) *Producer {
	if cfg.MaxBuffered == 0 {
		cfg.MaxBuffered = maxBuffered
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &Producer{
		c:       c,
		log:     c.log,
		max:     cfg.MaxBuffered,
		stop:    stop,
		wake:    make(chan struct{}, 1),
		topics:  map[string]*outTopic{},
		senders: map[int32]*sender{},
		drained: make(chan struct{}),
	}
	p.wg.Go(func() { p.route(ctx) })
	return p
}

// Send takes messages over for writing and returns at once. The messages and
// what they refer to must not be changed before done was called.
//
// done is called once, when the fate of all messages is known, with as many acks
// as messages or with the first error; then some of them may have been written.
// It runs in a goroutine of the producer and must not block: the next request
// waits for it.
func (p *Producer) Send(msgs []Message, done func([]Ack, error)) {
	s := newSending(msgs)
	s.done = done
	err := p.accept(s)
	if err != nil || len(msgs) == 0 {
		// In a goroutine of its own, because the caller may hold the lock that
		// done takes. It ends with done, which does not block.
		go done(nil, err)
	}
}

// Produce writes messages and waits until all of them are acknowledged. When ctx
// ends before, what is in no request yet is withdrawn, and the error is that of
// ctx; where anything was sent, it is ErrUndecided. What the messages refer to
// must not be changed before Produce returned nil.
func (p *Producer) Produce(ctx context.Context, msgs ...Message) ([]Ack, error) {
	if ctx.Err() != nil {
		return nil, fmt.Errorf("not written: %w", context.Cause(ctx))
	}
	if len(msgs) == 0 {
		return nil, nil
	}
	s := newSending(msgs)
	s.settled = make(chan struct{})
	if err := p.accept(s); err != nil {
		return nil, err
	}
	select {
	case <-s.settled:
		return s.result()
	case <-ctx.Done():
	}
	switch p.withdraw(s) {
	case withdrawn:
		return nil, fmt.Errorf("not written: %w", context.Cause(ctx))
	case undecided:
		return nil, fmt.Errorf("%w: %w", ErrUndecided, context.Cause(ctx))
	default: // settled meanwhile
		<-s.settled
		return s.result()
	}
}

// Close writes what waits and ends the producer. When ctx ends before, the rest
// is given up: ErrClosed for what was never sent, ErrUndecided for what was sent
// and not answered.
func (p *Producer) Close(ctx context.Context) error {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		if p.pending == 0 {
			close(p.drained)
		}
	}
	p.mu.Unlock()

	var err error
	select {
	case <-p.drained:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	p.stop()
	p.wg.Wait()
	if given := p.giveUp(); given > 0 {
		return fmt.Errorf("kafka producer closed with %d records not acknowledged: %w", given, err)
	}
	return nil
}

// accept puts the messages in their queues, all or none.
func (p *Producer) accept(s *sending) error {
	total := 0
	for i := range s.msgs {
		m := &s.msgs[i]
		if m.Topic == "" || m.Partition < AnyPartition {
			return fmt.Errorf("record for topic %q partition %d: there is no such partition", m.Topic, m.Partition)
		}
		size := sizeOf(m)
		if size > min(p.max, MaxRecord) {
			return fmt.Errorf("%w: %d bytes for topic %s", ErrTooLarge, size, m.Topic)
		}
		total += size
	}
	if total > p.max { // not overloaded, as room for it will never come
		return fmt.Errorf("%w: %d records of together %d bytes", ErrTooLarge, len(s.msgs), total)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return ErrClosed
	case p.buffered+total > p.max:
		return fmt.Errorf("%w: %d bytes", ErrOverloaded, p.buffered)
	}
	p.buffered += total
	p.pending += len(s.msgs)
	for i := range s.msgs {
		p.place(entry{sending: s, index: int32(i), size: int32(sizeOf(&s.msgs[i]))})
	}
	return nil
}
