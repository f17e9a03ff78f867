package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
)

// verdict is what a broker's code means for a batch.
type verdict int

const (
	isStored       verdict = iota // in the log
	isUnsure                      // perhaps; the same bytes again will tell
	isRefused                     // not in the log, and never will be
	isRefusedInAll                // one of its records is bad and drags the others along
	isForgotten                   // the broker does not know our numbers any more
)

// judge is the one place that reads the codes of Produce (Kafka protocol, error
// codes). Codes that are not listed are unsure, because a batch wrongly given up
// is lost, and one wrongly sent again is recognised by its sequence number.
// That holds for 3 and 6 too: a leader may append, lose its office while it
// waits for replicas, answer 6, and the new leader has the batch.
func judge(code kafka.Error) verdict {
	switch code {
	case 0, kafka.DuplicateSequenceNumber:
		return isStored
	case kafka.OutOfOrderSequenceNumber, kafka.InvalidProducerEpoch, kafka.UnknownProducerId:
		return isForgotten
	case kafka.MessageSizeTooLarge, kafka.RecordListTooLarge, kafka.InvalidRecord, kafka.InvalidTimestamp:
		return isRefusedInAll
	case kafka.TopicAuthorizationFailed, kafka.ClusterAuthorizationFailed, kafka.InvalidTopic,
		kafka.InvalidRequiredAcks, kafka.UnsupportedVersion, kafka.InvalidRequest, kafka.PolicyViolation,
		kafka.UnsupportedForMessageFormat, kafka.UnsupportedCompressionType:
		return isRefused
	default:
		return isUnsure
	}
}

// conclude judges a request that was answered, or failed, or was taken back. It
// reports whether the request's memory is free.
func (p *Producer) conclude(r *produceRequest, batches []*batch, answer *produceAnswer, err error) (reusable bool) {
	sent := !r.abandon()
	var over []*sending
	p.mu.Lock()
	if answer != nil {
		unreadable := answer.each(func(topic []byte, partition int32, s stored) {
			if b := p.awaited(string(topic), partition); b != nil {
				over = append(over, p.rule(b, s)...)
			}
		})
		err = errors.Join(err, unreadable)
	}
	if err == nil {
		err = errUnanswered
	}
	reusable = answer != nil
	for _, b := range batches {
		q := b.queue
		if q.busy && q.batch == b {
			p.unanswered(b, sent, err)
		}
		reusable = reusable && q.batch == nil
		q.busy, q.at = false, nil
		p.ready(q)
	}
	p.mu.Unlock()

	for _, s := range over {
		s.tell()
	}
	p.report()
	return reusable
}

var errUnanswered = errors.New("the broker's answer leaves out a partition")

// awaited returns the batch of a partition that is in a request.
func (p *Producer) awaited(topic string, partition int32) *batch {
	t := p.topics[topic]
	if t == nil {
		return nil
	}
	q := t.queues[partition]
	if q == nil || !q.busy {
		return nil
	}
	return q.batch
}

// rule follows a broker's word on one batch and returns the sendings that it
// settles. The lock is held.
func (p *Producer) rule(b *batch, s stored) (over []*sending) {
	q := b.queue
	q.busy = false
	v := judge(s.code)
	if v == isRefusedInAll && len(b.entries) == 1 {
		v = isRefused
	}
	switch {
	case v == isStored:
		p.recovered(q)
		if q.maxCount *= 2; q.maxCount > maxBatch/batchHeader {
			q.maxCount = 0 // the bad record is far behind
		}
		if s.code != 0 {
			s.offset = -1
		}
		over = p.settleAll(b, s.offset, nil)
	case v == isUnsure:
		b.unsure = true
		p.failed(q, brokerError(s.code, q.topic.name, int(q.partition)))
		p.doubt()
	case v == isForgotten:
		p.rename(b)
		p.failed(q, fmt.Errorf("going on under a new producer id: %w", brokerError(s.code, q.topic.name, int(q.partition))))
	case b.unsure && !tooLarge(s.code): // which it was before too, so nothing of it was carried out
		// Refused now, but an earlier request with it may have been carried
		// out, and then its numbers are taken.
		over = p.settleAll(b, -1, fmt.Errorf("%w: %w", ErrUndecided, refused(s.code, q)))
		p.disown(q)
	case v == isRefused:
		p.recovered(q)
		over = p.settleAll(b, -1, refused(s.code, q))
		q.sequence = b.sequence
	default:
		halve(b, s.code)
		p.putBack(b)
	}
	return over
}

// unanswered follows a request that brought no word on a batch. The lock is held.
func (p *Producer) unanswered(b *batch, sent bool, err error) {
	b.unsure = b.unsure || sent
	if !b.unsure {
		p.putBack(b)
	}
	if errors.Is(err, errAbandoned) || errors.Is(err, context.Canceled) {
		return // our own doing
	}
	p.failed(b.queue, err)
	p.doubt()
}

// settleAll ends a batch and returns the sendings that this settles. The lock is held.
func (p *Producer) settleAll(b *batch, offset int64, err error) (over []*sending) {
	for i, e := range b.entries {
		ack := Ack{Partition: int(b.queue.partition), Offset: -1}
		if offset >= 0 {
			ack.Offset = offset + int64(i)
		}
		if s := p.settle(e, ack, err); s != nil {
			over = append(over, s)
		}
	}
	b.queue.forget(b)
	return over
}

// tooLarge is found before anything else is looked at, and nothing is written.
func tooLarge(code kafka.Error) bool {
	return code == kafka.MessageSizeTooLarge || code == kafka.RecordListTooLarge
}

// halve narrows down which record made the broker refuse a batch of several.
// The lock is held.
func halve(b *batch, code kafka.Error) {
	q := b.queue
	if tooLarge(code) {
		q.maxBytes = len(b.bytes) / 2 // and stays so: it is the topic's setting
		return
	}
	q.maxCount = max(1, len(b.entries)/2)
}

// rename gives a queue another producer id, which means other bytes: what was
// sent without being answered may then be written twice. The lock is held.
func (p *Producer) rename(b *batch) {
	if b.unsure {
		for i := range b.entries {
			b.entries[i].unsure = true
		}
		p.trouble.twice += len(b.entries)
	}
	p.putBack(b)
	p.disown(b.queue)
}

// disown makes a queue ask for a producer id that no other batch of it had. The
// other queues keep theirs: it serves them well. The lock is held.
func (p *Producer) disown(q *queue) {
	if p.id == q.id {
		p.id = identity{}
	}
	q.id = identity{}
}

// failed lets a queue pause. The lock is held.
func (p *Producer) failed(q *queue, err error) {
	now := time.Now()
	q.pause = min(max(2*q.pause, firstRetry), lastRetry)
	q.notBefore = now.Add(q.pause)
	p.trouble.begin(&q.trouble, now, err)
}

// recovered ends a queue's trouble. The lock is held.
func (p *Producer) recovered(q *queue) {
	q.pause, q.notBefore = 0, time.Time{}
	p.trouble.end(&q.trouble)
}
