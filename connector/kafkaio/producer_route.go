package kafkaio

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/initproducerid"
)

// doubt makes the router look anew at who leads. The lock is held.
func (p *Producer) doubt() {
	p.doubted = time.Now()
	p.look()
}

// look wakes the router. The lock may be held.
func (p *Producer) look() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// route finds out what sending needs and does not know: a producer id, the
// partitions of topics, their leaders. It runs until ctx ends.
func (p *Producer) route(ctx context.Context) {
	var pause time.Duration
	timer := time.NewTimer(layoutAge)
	defer timer.Stop()
	var own trouble
	for {
		if pause == 0 {
			timer.Reset(layoutAge) // for partitions that were added
			select {
			case <-p.wake:
			case <-timer.C:
			case <-ctx.Done():
				return
			}
		} else {
			// Wishes are not heard meanwhile: every record for a topic that
			// does not exist makes one.
			timer.Reset(pause)
			select {
			case <-timer.C:
			case <-ctx.Done():
				return
			}
		}
		err := p.discover(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			pause = 0
		} else {
			pause = min(max(2*pause, firstRetry), lastRetry)
		}
		p.mu.Lock()
		if err != nil && p.pending > 0 {
			p.trouble.begin(&own, time.Now(), err)
		} else {
			p.trouble.end(&own)
		}
		p.mu.Unlock()
		p.report()
	}
}

// discover asks once for what is not known. An error means that something that
// waits cannot be sent yet.
func (p *Producer) discover(life context.Context) error {
	ctx, cancel := context.WithTimeout(life, answerPatience)
	defer cancel()
	p.mu.Lock()
	names := make([]string, 0, len(p.topics))
	for name := range p.topics {
		names = append(names, name)
	}
	identified, after := p.id.known, p.doubted
	p.mu.Unlock()
	if len(names) == 0 {
		return nil
	}
	if !identified {
		if err := p.identify(ctx); err != nil {
			return err
		}
	}
	topics, err := p.c.known(ctx, after, names...)
	if err != nil {
		return err
	}
	return p.learn(life, names, topics)
}

// identify asks for a producer id.
func (p *Producer) identify(ctx context.Context) error {
	// -1, -1: a new one. kafka-go's zeros would name an existing producer.
	res, err := p.c.ask(ctx, anyBroker, &initproducerid.Request{ProducerID: -1, ProducerEpoch: -1, TransactionTimeoutMs: int32(answerPatience / time.Millisecond)}, newestVersion, nil)
	if err != nil {
		return err
	}
	answer, ok := res.(*initproducerid.Response)
	if !ok {
		return fmt.Errorf("InitProducerId answered by %T", res)
	}
	if answer.ErrorCode != 0 {
		code := kafka.Error(answer.ErrorCode)
		err := fmt.Errorf("asking for a producer id: %s", title(code))
		if unauthorized(code) {
			p.refuseAll(fmt.Errorf("%w: %w: give the user Write by an ACL (see smsbridge topics); before Kafka 2.8 it needs IdempotentWrite on the cluster too", ErrUnauthorized, err))
		}
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.id = identity{producer: answer.ProducerID, epoch: answer.ProducerEpoch, known: true}
	for _, t := range p.topics {
		for _, q := range t.queues {
			p.ready(q)
		}
	}
	return nil
}

// learn takes in the layout and sends off what waited for it.
func (p *Producer) learn(life context.Context, names []string, topics map[string]topicView) error {
	var over []*sending
	var missing error
	p.mu.Lock()
	for _, name := range names {
		t, seen := p.topics[name], topics[name]
		switch {
		case seen.err == 0 && len(seen.partitions) > 0:
			if err := p.arrange(life, t, seen.partitions); err != nil {
				missing = err
			}
		case seen.err == kafka.TopicAuthorizationFailed || seen.err == kafka.InvalidTopic:
			over = append(over, p.refuse(t, brokerError(seen.err, name, AnyPartition))...)
		case t.pending():
			if seen.err == 0 {
				seen.err = kafka.UnknownTopicOrPartition
			}
			missing = brokerError(seen.err, name, AnyPartition)
		}
	}
	p.mu.Unlock()
	for _, s := range over {
		s.tell()
	}
	return missing
}

// arrange gives every queue of a topic its leader's sender. The lock is held.
func (p *Producer) arrange(life context.Context, t *outTopic, partitions []partitionView) error {
	if len(t.leaders) == 0 {
		t.sticky = rand.Int32N(int32(len(partitions)))
	}
	t.leaders = t.leaders[:0]
	for _, partition := range partitions {
		t.leaders = append(t.leaders, partition.leader)
		if partition.leader >= 0 {
			p.hire(life, partition.leader)
		}
	}
	if int(t.sticky) >= len(t.leaders) {
		t.sticky = 0 // made anew, smaller
	}
	waiting := t.waiting
	t.waiting = nil
	for _, e := range waiting {
		p.place(e)
	}
	var missing error
	for _, q := range t.queues {
		if q.leader() < 0 && (q.batch != nil || len(q.entries) > 0) {
			missing = q.missing()
		}
		p.ready(q)
	}
	return missing
}

// hire starts a broker's sender where there is none. It lives as long as the
// producer, not as the look around that found its broker. The lock is held.
func (p *Producer) hire(life context.Context, broker int32) {
	if p.senders[broker] != nil {
		return
	}
	s := newSender(p, broker)
	p.senders[broker] = s
	p.wg.Go(func() { s.run(life) })
}

func (t *outTopic) pending() bool {
	if len(t.waiting) > 0 {
		return true
	}
	for _, q := range t.queues {
		if q.batch != nil || len(q.entries) > 0 {
			return true
		}
	}
	return false
}

// refuse fails what waits for a topic and is in no request. The lock is held.
func (p *Producer) refuse(t *outTopic, err error) (over []*sending) {
	end := func(entries []entry) {
		for _, e := range entries {
			because := err
			if e.unsure {
				because = fmt.Errorf("%w: %w", ErrUndecided, err)
			}
			if s := p.settle(e, Ack{}, because); s != nil {
				over = append(over, s)
			}
		}
	}
	end(t.waiting)
	t.waiting = nil
	for _, q := range t.queues {
		end(q.entries)
		q.entries = nil
	}
	return over
}

func (p *Producer) refuseAll(err error) {
	var over []*sending
	p.mu.Lock()
	for name, t := range p.topics {
		over = append(over, p.refuse(t, fmt.Errorf("topic %s: %w", name, err))...)
	}
	p.mu.Unlock()
	for _, s := range over {
		s.tell()
	}
}
