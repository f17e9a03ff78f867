package kafkaio

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/segmentio/kafka-go"
)

// sending is what one call of Send or Produce handed over.
type sending struct {
	msgs []Message
	at   time.Time // for messages without a time
	acks []Ack
	left int // messages not settled
	err  error

	// One of the two: Send's callback, or what Produce waits for.
	done    func([]Ack, error)
	settled chan struct{}

	withdrawn bool // nobody waits any more
}

func newSending(msgs []Message) *sending {
	return &sending{msgs: msgs, at: time.Now(), acks: make([]Ack, len(msgs)), left: len(msgs)}
}

func (s *sending) result() ([]Ack, error) {
	if s.err != nil {
		return nil, s.err
	}
	return s.acks, nil
}

// tell hands the outcome over. It must be called without the producer's lock.
func (s *sending) tell() {
	if s.done == nil {
		close(s.settled)
		return
	}
	s.done(s.result())
}

// entry is one message on its way.
type entry struct {
	sending *sending
	index   int32
	size    int32 // bytes, at most
	unsure  bool  // was sent under a producer id that is given up, and not answered
}

func (e entry) message() *Message { return &e.sending.msgs[e.index] }

// outTopic is a topic that was written to.
type outTopic struct {
	name    string
	leaders []int32          // brokers by partition, below 0: none now; empty: not known yet
	waiting []entry          // while leaders is empty
	queues  map[int32]*queue // by partition
	sticky  int32            // where messages without a key go until a batch leaves
}

// queue is what waits for one partition, in order.
type queue struct {
	topic     *outTopic
	partition int32
	entries   []entry
	spare     []entry // memory for entries
	batch     *batch  // the one that was taken and is not settled; it goes before entries
	busy      bool    // batch is in a request right now
	at        *sender // who has it on its list

	id       identity
	sequence int32 // of the next record

	notBefore time.Time     // pause after a failure
	pause     time.Duration // the last one
	trouble   trouble
	maxBytes  int // of a batch, learned from refusals
	maxCount  int // while the one bad record of a batch is searched for; 0: any
}

// identity is how brokers recognise a batch that comes again.
type identity struct {
	producer int64
	epoch    int16
	known    bool
}

// batch is a sequence of records of one partition, and the bytes that are sent
// again and again until their fate is known.
type batch struct {
	queue    *queue
	entries  []entry
	bytes    []byte // nil: not encoded yet
	start    int    // of bytes in the request
	end      int
	size     int // bytes, at most
	id       identity
	sequence int32
	unsure   bool // an earlier request with it was not answered, or not clearly
}

// place puts an entry into its queue. The lock is held.
func (p *Producer) place(e entry) {
	m := e.message()
	t := p.topics[m.Topic]
	if t == nil {
		t = &outTopic{name: m.Topic, queues: map[int32]*queue{}}
		p.topics[m.Topic] = t
	}
	if len(t.leaders) == 0 {
		t.waiting = append(t.waiting, e)
		p.look()
		return
	}
	partition := int32(m.Partition)
	switch {
	case m.Partition != AnyPartition:
	case m.Key == nil:
		partition = t.sticky
	default:
		partition = int32(Partition(m.Key, len(t.leaders)))
	}
	q := t.queue(partition)
	q.entries = append(q.entries, e)
	p.ready(q)
}

func (t *outTopic) queue(partition int32) *queue {
	q := t.queues[partition]
	if q == nil {
		q = &queue{topic: t, partition: partition, maxBytes: maxBatch}
		t.queues[partition] = q
	}
	return q
}

// spread moves the messages without a key to another partition.
func (t *outTopic) spread() {
	if n := len(t.leaders); n > 1 {
		t.sticky = int32((int(t.sticky) + 1 + rand.IntN(n-1)) % n)
	}
}

// ready tells the sender of a queue's leader that there is something to send.
// The lock is held.
func (p *Producer) ready(q *queue) {
	if q.busy || (q.batch == nil && len(q.entries) == 0) {
		return
	}
	s := p.senders[q.leader()]
	if s == nil {
		q.at = nil
		p.look()
		return
	}
	if q.at != s {
		q.at = s
		s.list = append(s.list, q)
		s.nudge()
	}
}

// take makes a batch of what waits, or returns nil when all of it was
// withdrawn. The lock is held, and q has an identity.
func (q *queue) take() *batch {
	n, size := 0, batchHeader
	for n < len(q.entries) && (n == 0 || size+int(q.entries[n].size) <= q.maxBytes) {
		size += int(q.entries[n].size)
		n++
		if n == q.maxCount {
			break
		}
	}
	if n == 0 {
		return nil
	}
	b := &batch{queue: q, entries: q.entries[:n:n], size: size, id: q.id, sequence: q.sequence}
	if n == len(q.entries) {
		q.entries, q.spare = q.spare, nil
	} else {
		q.entries = q.entries[n:]
	}
	q.sequence = addSequence(q.sequence, n)
	q.batch = b
	if q.partition == q.topic.sticky {
		q.topic.spread()
	}
	return b
}

// putBack returns the records of a batch that is surely not in the log to the
// head of its queue, and its sequence numbers with them, because brokers refuse
// all that follows a gap. The lock is held.
func (p *Producer) putBack(b *batch) {
	q := b.queue
	kept := make([]entry, 0, len(b.entries)+len(q.entries))
	for _, e := range b.entries {
		if e.sending.withdrawn {
			p.discount(e)
			continue
		}
		kept = append(kept, e)
	}
	q.entries = append(kept, q.entries...)
	q.sequence = b.sequence
	q.batch = nil
}

// forget ends a batch whose records are settled. The lock is held.
func (q *queue) forget(b *batch) {
	q.batch = nil
	clear(b.entries)
	if q.spare == nil {
		q.spare = b.entries[:0]
	}
}

// settle ends the way of one entry and returns its sending when it was the
// last. The lock is held.
func (p *Producer) settle(e entry, ack Ack, err error) *sending {
	s := e.sending
	p.discount(e)
	s.acks[e.index] = ack
	if err != nil && s.err == nil {
		s.err = err
	}
	s.left--
	if s.left > 0 || s.withdrawn {
		return nil
	}
	return s
}

// discount takes an entry off the books. The lock is held.
func (p *Producer) discount(e entry) {
	p.buffered -= int(e.size)
	p.pending--
	if p.pending == 0 && p.closed {
		close(p.drained)
	}
}

// leader is the broker to send to, or below 0.
func (q *queue) leader() int32 {
	if int(q.partition) >= len(q.topic.leaders) {
		return -1
	}
	return q.topic.leaders[q.partition]
}

// missing explains why a queue waits that has no leader.
func (q *queue) missing() error {
	if int(q.partition) >= len(q.topic.leaders) {
		return brokerError(kafka.UnknownTopicOrPartition, q.topic.name, int(q.partition))
	}
	return brokerError(kafka.LeaderNotAvailable, q.topic.name, int(q.partition))
}

// addSequence counts as brokers do, from 2^31-1 on to 0.
func addSequence(sequence int32, n int) int32 {
	return int32((int64(sequence) + int64(n)) & 0x7fffffff)
}

func refused(code kafka.Error, q *queue) error {
	err := brokerError(code, q.topic.name, int(q.partition))
	if tooLarge(code) {
		return fmt.Errorf("%w: %w: raise the topic's max.message.bytes or write less", ErrTooLarge, err)
	}
	return err
}
