package kafkaio

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// Pauses of a queue after a failure double from the first to the last. The
// first is short because a leader that moved is known anew within milliseconds.
const (
	firstRetry = 20 * time.Millisecond
	lastRetry  = time.Second
)

// sender carries to one broker what its partitions have, one request at a time.
type sender struct {
	p      *Producer
	broker int32
	wake   chan struct{} // size 1: news that came during a request is not lost

	// Under the producer's lock.
	list    []*queue // with something to send, some perhaps later
	request *produceRequest

	buffer []byte // of the last request, when nothing refers to it any more
}

func newSender(p *Producer, broker int32) *sender {
	return &sender{p: p, broker: broker, wake: make(chan struct{}, 1), request: &produceRequest{}}
}

func (s *sender) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run sends until ctx ends.
func (s *sender) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		batches, pause := s.collect()
		if len(batches) > 0 {
			s.exchange(ctx, batches)
			continue
		}
		timer.Reset(pause)
		select {
		case <-s.wake:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

// collect takes what waits for this broker, up to maxRequest, and says how long
// to pause when there is nothing.
func (s *sender) collect() (batches []*batch, pause time.Duration) {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	now := time.Now()
	pause = time.Hour
	size := 0
	later := s.list[:0]
	for _, q := range s.list {
		if q.at != s {
			continue // its leader moved
		}
		if wait := q.notBefore.Sub(now); wait > 0 {
			pause = min(pause, wait)
			later = append(later, q)
			continue
		}
		if size > 0 && size+maxBatch > maxRequest {
			later = append(later, q)
			continue
		}
		q.at = nil
		b := s.p.next(q)
		if b == nil {
			continue
		}
		q.at, q.busy = s, true
		size += b.size
		batches = append(batches, b)
	}
	clear(s.list[len(later):])
	s.list = later
	if len(batches) > 0 {
		s.request = &produceRequest{id: correlation.Add(1)}
	}
	return batches, pause
}

// next returns the batch that a queue is to send, nil when there is none or no
// producer id yet. The lock is held.
func (p *Producer) next(q *queue) *batch {
	if q.batch != nil {
		return q.batch
	}
	if !q.id.known {
		if !p.id.known {
			p.look()
			return nil
		}
		q.id, q.sequence = p.id, 0
	}
	return q.take()
}

// exchange makes one request and judges what comes of it.
func (s *sender) exchange(ctx context.Context, batches []*batch) {
	slices.SortStableFunc(batches, func(a, b *batch) int {
		return cmp.Compare(a.queue.topic.name, b.queue.topic.name)
	})
	r := s.request
	r.bytes = appendRequest(s.buffer[:0], s.p.c.cfg.ClientID, r.id, batches)
	s.buffer = nil

	bounded, cancel := context.WithTimeout(ctx, answerPatience)
	res, err := s.p.c.ask(bounded, s.broker, r, newestVersion, &r.gate)
	cancel()
	answer, _ := res.(*produceAnswer)
	if s.p.conclude(r, batches, answer, err) {
		s.buffer = r.bytes
	}
}
