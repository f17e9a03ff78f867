package correlate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"smsbridge/codec"
	"smsbridge/connector/kafkaio"
)

const (
	// fetchBytes bounds what is read at a time, packed. Two such batches of each
	// topic can be in memory.
	fetchBytes = 256 << 10
	// lookPause is how often the clock is heard.
	lookPause = 500 * time.Millisecond
	// most messages that are written at a time, about. It bounds memory.
	most = 1000
)

// partition is one partition of both topics while it is ours. All of it belongs to
// the goroutine of run; what others see is atomic.
type partition struct {
	c        *Correlator
	id       int
	log      *slog.Logger
	work     context.Context //nolint:containedctx // outlives the generation by the grace period
	identity string
	shelf    *shelf
	claim    claim
	tail     fetched
	pushes   fetched

	todo  map[string]struct{}  // sendids of which something may be untold
	asked map[string]time.Time // when evidence was found for an orphan
	out   output

	done      atomic.Int64 // every push below is published or parked
	restored  atomic.Int64 // position in sendids while it is restored
	restoring atomic.Int64 // end of it, 0: restored
	waiting   atomic.Int64 // parked pushes
	ask       atomic.Bool
	halted    atomic.Pointer[string]
}

// fetched is what a fetcher reads, in the order of its partition.
type fetched struct {
	fetcher *kafkaio.Fetcher
	channel chan batch // without a buffer: one batch is ready, one is worked on
	next    int64      // all below was worked on
}

type batch struct {
	records []kafkaio.Record
	next    int64
}

// run correlates until ctx ends.
func (p *partition) run(ctx context.Context) error {
	err := p.correlate(ctx)
	if _, newer := errors.AsType[*versionError](err); newer {
		reason := err.Error()
		p.halted.Store(&reason)
		p.log.Error("partition halted", "error", err)
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}

func (p *partition) correlate(ctx context.Context) error {
	if err := p.restore(ctx); err != nil {
		return fmt.Errorf("restoring sendids partition %d: %w", p.id, err)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.read(ctx, &p.tail, p.lostSendids) })
	g.Go(func() error { return p.read(ctx, &p.pushes, p.lostPushes) })
	g.Go(func() error { return p.loop(ctx) })
	return g.Wait()
}

func (p *partition) loop(ctx context.Context) error {
	tick := time.NewTicker(lookPause)
	defer tick.Stop()
	if err := p.tell(ctx); err != nil { // what an owner before us has left
		return err
	}
	for ctx.Err() == nil {
		var err error
		select {
		case b := <-p.tail.channel:
			if err = p.learn(b); err == nil {
				err = p.tell(ctx)
			}
		case b := <-p.pushes.channel:
			err = p.take(b)
		case <-tick.C:
			err = p.look(ctx)
		case <-ctx.Done():
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// read hands over what a fetcher reads. lost decides about what nobody can read.
func (p *partition) read(ctx context.Context, f *fetched, lost func(error) error) error {
	for {
		records, err := f.fetcher.Next(ctx)
		if err != nil && ctx.Err() == nil {
			if err = lost(err); err == nil {
				continue
			}
		}
		if err != nil {
			return err
		}
		select {
		case f.channel <- batch{records, f.fetcher.Position()}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// lostSendids goes on behind a damaged batch. Anything else is for a new start,
// which looks whether the topic is still the same.
func (p *partition) lostSendids(err error) error {
	damaged, ok := errors.AsType[*kafkaio.BatchError](err)
	if !ok {
		return err
	}
	p.c.metrics.lost(p.work, lostSendids)
	p.log.Error("sendids cannot be read, their reports become orphans", "error", err)
	p.tail.fetcher.Skip(damaged.Next)
	return nil
}

// lostPushes goes on with what there is: reports that the topic has not any more
// are lost, which must not keep the others.
func (p *partition) lostPushes(err error) error {
	if skipLost(p.pushes.fetcher, err) != nil {
		return err
	}
	p.c.metrics.lost(p.work, lostPushes)
	p.log.Error("pushes cannot be read, their reports are lost", "error", err)
	return nil
}

// take publishes a batch of pushes, or parks them, and then lets it be committed.
func (p *partition) take(b batch) error {
	for i := range b.records {
		if err := p.takeOne(b.records[i]); err != nil {
			return err
		}
		if len(p.out.messages) >= most {
			if err := p.flush(); err != nil {
				return err
			}
		}
	}
	p.c.cfg.Reached(beforePublish)
	if err := p.flush(); err != nil {
		return err
	}
	p.c.cfg.Reached(afterPublish)
	p.pushes.next = b.next
	p.done.Store(b.next)
	return nil
}

func (p *partition) takeOne(rec kafkaio.Record) error {
	push, err := decodePush(rec)
	switch {
	case errors.Is(err, errUnreadable):
		p.deadLetter(rec, err)
		return nil
	case err != nil:
		return err
	}
	e, err := p.shelf.look(push.SendID)
	switch {
	case err != nil:
		return err
	case e != nil && e.push(rec.Offset) != nil:
		// Parked by an owner before us, who was not able to commit. What
		// becomes of it follows from the sendids topic alone.
	case e != nil && e.sent != nil:
		return p.match(&p.out, e, &push)
	default:
		p.out.add(p.fact(push.SendID, &fact{Kind: kindParked, Push: rec.Offset, Digest: digestOf(p.key(), &push), At: time.Now()}))
	}
	return nil
}

// key is that of the hashes that are written.
func (p *partition) key() codec.HashKey { return p.c.cfg.NumberKeys[0] }

// fact makes a record of ours for the sendids topic: in this partition, whatever
// the key says, as it is about what lies in it.
func (p *partition) fact(sendid string, f *fact) kafkaio.Message {
	return factRecord(p.c.cfg.Sendids, p.id, sendid, f)
}

// flush writes what was collected and returns when it is durable.
func (p *partition) flush() error {
	if len(p.out.messages) == 0 {
		return nil
	}
	var err error
	for from := 0; from < len(p.out.messages) && err == nil; {
		to := from + slice(p.out.messages[from:])
		err = p.write(p.out.messages[from:to])
		if errors.Is(err, kafkaio.ErrTooLarge) {
			err = p.writeEach(from, to)
		}
		from = to
	}
	if err == nil {
		p.c.metrics.published(p.work, &p.out)
	}
	p.out = output{messages: p.out.messages[:0]}
	return err
}

// writeEach writes messages of which one is larger than its topic takes: that one
// in its short form. The others may have been written and come again, which are the
// same events.
func (p *partition) writeEach(from, to int) error {
	for i := from; i < to; i++ {
		err := p.write(p.out.messages[i : i+1])
		if short := p.out.short[i]; short != nil && errors.Is(err, kafkaio.ErrTooLarge) {
			err = p.write([]kafkaio.Message{short()})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sliceBytes bounds what the producer is given at a time. One push may be about a
// thousand numbers, and each of their reports carries the command's key and
// metadata: more than the producer's whole buffer would be refused for ever.
const sliceBytes = 1 << 20

// slice is how many of the messages are written together: at least one.
func slice(messages []kafkaio.Message) int {
	bytes := 0
	for i := range messages {
		m := &messages[i]
		bytes += len(m.Key) + len(m.Value)
		for j := range m.Headers {
			bytes += len(m.Headers[j].Key) + len(m.Headers[j].Value)
		}
		if bytes > sliceBytes && i > 0 {
			return i
		}
	}
	return len(messages)
}

// overloadPause is how long to wait when the producer's buffer is full.
const overloadPause = 20 * time.Millisecond

func (p *partition) write(messages []kafkaio.Message) error {
	for {
		_, err := p.c.cfg.Producer.Produce(p.work, messages...)
		if !errors.Is(err, kafkaio.ErrOverloaded) {
			return err
		}
		select {
		case <-time.After(overloadPause):
		case <-p.work.Done():
			return err
		}
	}
}
