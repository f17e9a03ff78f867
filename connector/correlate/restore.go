package correlate

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"smsbridge/connector/kafkaio"
)

// progressPause is how often a long restore tells how far it is.
const progressPause = 5 * time.Second

// restore reads the sendids partition up to its end as it is listed now: from the
// position that the shelf is complete to, or from its start. The end is listed
// after the group was joined, but nothing depends on that: what an owner before us
// writes later is read later, and means the same.
func (p *partition) restore(ctx context.Context) error {
	end, err := p.c.cfg.Kafka.EndOffset(ctx, p.c.cfg.Sendids, p.id)
	if err != nil {
		return err
	}
	p.restoring.Store(end)
	defer p.restoring.Store(0)
	p.todo = make(map[string]struct{})
	trusted, err := p.trust(ctx, end)
	if err != nil {
		return err
	}
	if !trusted {
		if err := p.startAnew(ctx); err != nil {
			return err
		}
	}
	from, began, told := p.claim.Position, time.Now(), time.Now()
	for p.tail.next < end {
		records, err := p.tail.fetcher.Next(ctx)
		if err != nil {
			if err = p.lostSendids(err); err != nil {
				return err
			}
			continue
		}
		if err := p.learn(batch{records, p.tail.fetcher.Position()}); err != nil {
			return err
		}
		if time.Since(told) > progressPause {
			told = time.Now()
			p.log.Info("restoring sendids", "from", from, "position", p.tail.next, "end", end)
		}
	}
	p.log.Info("sendids restored", "from", from, "end", end, "took", time.Since(began).Round(time.Millisecond), "parked", p.shelf.parked)
	// What was seen on the way may long have been told.
	clear(p.todo)
	return p.remind()
}

// remind puts everything that is untold on the list.
func (p *partition) remind() error {
	sendids, err := p.shelf.sendids(kindUntold)
	for _, sendid := range sendids {
		p.todo[sendid] = struct{}{}
	}
	return err
}

// trust reports whether the shelf is about this topic as it is now, and then has
// the tail begin where it is complete to.
func (p *partition) trust(ctx context.Context, end int64) (bool, error) {
	c, ok, err := p.shelf.claim()
	if err != nil || !ok || c.Identity != p.identity || c.Position > end || c.Witness < 0 || c.Witness >= end {
		return false, err
	}
	fetcher := p.fetcher(c.Witness)
	records, err := fetcher.Next(ctx)
	var (
		damaged *kafkaio.BatchError
		out     *kafkaio.OutOfRangeError
	)
	switch {
	case errors.As(err, &damaged), errors.As(err, &out):
		return false, nil
	case err != nil:
		return false, err
	case len(records) == 0 || records[0].Offset != c.Witness || sha256.Sum256(records[0].Value) != c.Sum:
		return false, nil
	}
	p.claim = c
	p.tail.fetcher, p.tail.next = p.fetcher(c.Position), c.Position
	return true, p.shelf.count()
}

// startAnew empties the shelf and has the tail begin at the start of the topic.
func (p *partition) startAnew(ctx context.Context) error {
	if err := p.shelf.clear(); err != nil {
		return err
	}
	start, err := p.c.cfg.Kafka.StartOffset(ctx, p.c.cfg.Sendids, p.id)
	if err != nil {
		return err
	}
	p.claim = claim{Identity: p.identity, Position: start, Witness: -1}
	p.tail.fetcher, p.tail.next = p.fetcher(start), start
	return nil
}

func (p *partition) fetcher(at int64) *kafkaio.Fetcher {
	return p.c.cfg.Kafka.Fetcher(kafkaio.FetchConfig{
		Topic: p.c.cfg.Sendids, Partition: p.id, Offset: at, MaxBytes: fetchBytes,
	})
}

// learn takes in what the sendids topic says next, and saves it.
func (p *partition) learn(b batch) error {
	for i := range b.records {
		rec := &b.records[i]
		f, err := decodeFact(*rec)
		switch {
		case errors.Is(err, errUnreadable):
			p.c.metrics.lost(p.work, lostSendids)
			p.log.Error("a record of sendids means nothing", "offset", rec.Offset)
			continue
		case err != nil:
			return err
		}
		work, err := p.shelf.apply(string(rec.Key), &f)
		if err != nil {
			return err
		}
		if f.Kind == kindSent {
			delete(p.asked, string(rec.Key))
		}
		if work {
			p.todo[string(rec.Key)] = struct{}{}
		}
	}
	if len(b.records) > 0 {
		p.claim.note(b.records[len(b.records)-1])
	}
	p.claim.Position, p.tail.next = b.next, b.next
	p.restored.Store(b.next)
	err := p.save()
	p.c.cfg.Reached(afterLearn)
	return err
}

func (p *partition) save() error {
	err := p.shelf.save(&p.claim)
	p.waiting.Store(int64(p.shelf.parked))
	return err
}
