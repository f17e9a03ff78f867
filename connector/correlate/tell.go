package correlate

import (
	"context"
	"errors"
	"slices"

	"smsbridge/codec/sms"
	"smsbridge/connector/kafkaio"
)

// tell publishes what follows from the sendids topic: reports that were parked, as
// orphans or with their command, and that reports are missing. First the events
// are durable, then the facts that say so: who dies in between has the next owner
// publish the same events once more.
func (p *partition) tell(ctx context.Context) error {
	for len(p.todo) > 0 && ctx.Err() == nil {
		sendids := make([]string, 0, most/10)
		for sendid := range p.todo {
			if sendids = append(sendids, sendid); len(sendids) == cap(sendids) {
				break
			}
		}
		if err := p.tellSome(ctx, sendids); err != nil {
			return err
		}
		for _, sendid := range sendids {
			delete(p.todo, sendid)
		}
	}
	return nil
}

func (p *partition) tellSome(ctx context.Context, sendids []string) error {
	var offsets []int64
	for _, sendid := range sendids {
		e, err := p.shelf.look(sendid)
		if err != nil {
			return err
		}
		if e == nil {
			continue
		}
		for i := range e.pushes {
			if q := &e.pushes[i]; e.owes(q) {
				offsets = append(offsets, q.offset)
			}
		}
	}
	pushes, err := p.reread(ctx, offsets)
	if err != nil {
		return err
	}
	var facts []kafkaio.Message
	for _, sendid := range sendids {
		e, err := p.shelf.look(sendid)
		if err != nil {
			return err
		}
		if e == nil {
			continue
		}
		more, err := p.tellOne(sendid, e, pushes)
		if err != nil {
			return err
		}
		facts = append(facts, more...)
	}
	p.c.cfg.Reached(beforeTell)
	if err := p.flush(); err != nil {
		return err
	}
	p.c.cfg.Reached(afterTell)
	for _, m := range facts {
		p.out.add(m)
	}
	return p.flush()
}

// tellOne collects the events of one sendid, and returns the facts to follow them.
func (p *partition) tellOne(sendid string, e *entry, pushes map[int64]*pushed) (facts []kafkaio.Message, err error) {
	add := func(f *fact) { facts = append(facts, p.fact(sendid, f)) }
	for i := range e.pushes {
		q := &e.pushes[i]
		push := pushes[q.offset]
		if push != nil && push.SendID != sendid {
			push = nil // the topic was made anew
		}
		if e.owesOrphan(q) {
			if push != nil {
				p.report(&p.out, push, firstRevision, sms.Orphan, nil)
			}
			add(&fact{Kind: kindTold, Push: q.offset, Orphan: true})
		}
		if e.owesMatched(q) {
			if push != nil {
				if err := p.match(&p.out, e, push); err != nil {
					return nil, err
				}
			}
			add(&fact{Kind: kindTold, Push: q.offset})
		}
		if push == nil && e.owes(q) {
			p.c.metrics.lost(p.work, lostPushes)
			p.log.Error("a push that waited for its sendid is gone from its topic", "offset", q.offset)
		}
	}
	if e.missing > 0 && !e.closed {
		if err := p.unreported(&p.out, sendid, e); err != nil {
			return nil, err
		}
		add(&fact{Kind: kindClosed})
	}
	return facts, nil
}

// reread reads pushes once more by their offsets. What is gone, or cannot be read,
// is missing in the answer.
func (p *partition) reread(ctx context.Context, offsets []int64) (map[int64]*pushed, error) {
	found := make(map[int64]*pushed, len(offsets))
	if len(offsets) == 0 {
		return found, nil
	}
	end, err := p.c.cfg.Kafka.EndOffset(ctx, p.c.cfg.Pushes, p.id)
	if err != nil {
		return nil, err
	}
	slices.Sort(offsets)
	var fetcher *kafkaio.Fetcher
	for i := 0; i < len(offsets); {
		if offsets[i] >= end {
			break // the topic was made anew
		}
		if fetcher == nil {
			fetcher = p.c.cfg.Kafka.Fetcher(kafkaio.FetchConfig{Topic: p.c.cfg.Pushes, Partition: p.id, Offset: offsets[i], MaxBytes: rereadBytes})
		}
		fetcher.Skip(offsets[i])
		records, err := fetcher.Next(ctx)
		if err != nil {
			if err = skipLost(fetcher, err); err != nil {
				return nil, err
			}
		}
		i = pick(found, offsets, i, records, fetcher.Position())
	}
	return found, nil
}

// rereadBytes is read at a time: parked pushes often lie together, but seldom many.
const rereadBytes = 64 << 10

// pick takes the wanted pushes out of what was read, up to a position, and returns
// the index of the next one that is wanted.
func pick(found map[int64]*pushed, offsets []int64, i int, records []kafkaio.Record, next int64) int {
	for _, rec := range records {
		for i < len(offsets) && offsets[i] < rec.Offset {
			i++
		}
		if i < len(offsets) && offsets[i] == rec.Offset {
			if push, err := decodePush(rec); err == nil {
				found[rec.Offset] = &push
			}
		}
	}
	for i < len(offsets) && offsets[i] < next {
		i++
	}
	return i
}

// skipLost moves on past what cannot be read any more.
func skipLost(f *kafkaio.Fetcher, err error) error {
	var (
		damaged *kafkaio.BatchError
		out     *kafkaio.OutOfRangeError
	)
	switch {
	case errors.As(err, &damaged):
		f.Skip(damaged.Next)
	case errors.As(err, &out) && out.Offset < out.Start:
		f.Skip(out.Start)
	default:
		return err
	}
	return nil
}
