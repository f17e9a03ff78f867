package correlate

import (
	"context"
	"errors"
	"sync"
	"time"
)

// look does what the clock has to do. Nothing is decided while sendids are unread,
// among them what was decided the last time.
func (p *partition) look(ctx context.Context) error {
	now := time.Now()
	due, err := p.due(ctx, now)
	ask := p.ask.Load()
	if err != nil || len(due) == 0 && !ask {
		return err
	}
	if unread, err := p.unread(ctx, &p.tail, p.c.cfg.Sendids); unread || err != nil {
		return err
	}
	if err := p.forget(due[forget]); err != nil {
		return err
	}
	for _, sendid := range due[deadline] {
		p.out.add(p.fact(sendid, &fact{Kind: kindOverdue}))
	}
	if err := p.giveUp(ctx, due[orphaned], now); err != nil {
		return err
	}
	if err := p.decide(); err != nil {
		return err
	}
	if ask {
		p.ask.Store(false)
		return p.askAgain(ctx)
	}
	return nil
}

// due lists the sendids that the clock has to do something with.
func (p *partition) due(ctx context.Context, now time.Time) (map[moment][]string, error) {
	// Reports that are here already are not missing, and find their command.
	pushesUnread := sync.OnceValues(func() (bool, error) { return p.unread(ctx, &p.pushes, p.c.cfg.Pushes) })
	due := map[moment][]string{}
	var failed error
	err := p.shelf.due(now.UnixMilli(), func(sendid string, what moment) bool {
		if what == orphaned {
			if now.Sub(p.asked[sendid]) < p.c.rules.orphanAfter {
				return true
			}
		} else if unread, err := pushesUnread(); unread || err != nil {
			failed = err
			return err == nil
		}
		due[what] = append(due[what], sendid)
		return len(due[what]) < most
	})
	return due, errors.Join(err, failed)
}

// unread reports whether there is more to be read of a topic. It asks Kafka: what
// the last fetch said is old where fetching fails.
func (p *partition) unread(ctx context.Context, f *fetched, topic string) (bool, error) {
	if f.next < f.fetcher.HighWatermark() {
		return true, nil // most of the time, where there is much to do
	}
	end, err := p.c.cfg.Kafka.EndOffset(ctx, topic, p.id)
	return f.next < end, err
}

// forget drops entries that can no longer matter.
func (p *partition) forget(sendids []string) error {
	if len(sendids) == 0 {
		return nil
	}
	for _, sendid := range sendids {
		if err := p.shelf.drop(sendid); err != nil {
			return err
		}
	}
	return p.save()
}

// giveUp decides that pushes have waited long enough, unless there is evidence of
// whose they are.
func (p *partition) giveUp(ctx context.Context, sendids []string, now time.Time) error {
	for _, sendid := range sendids {
		e, err := p.shelf.look(sendid)
		if err != nil {
			return err
		}
		if e == nil {
			continue
		}
		if _, already := p.asked[sendid]; !already {
			found, err := p.evidence(ctx, sendid, e)
			if err != nil {
				return err
			}
			if found {
				p.asked[sendid] = now
				continue
			}
		}
		delete(p.asked, sendid)
		for i := range e.pushes {
			q := &e.pushes[i]
			if e.waits(q) && q.at+p.c.rules.orphanAfter.Milliseconds() <= now.UnixMilli() {
				p.out.add(p.fact(sendid, &fact{Kind: kindOrphan, Push: q.offset}))
			}
		}
	}
	return nil
}

// decide writes decisions down. They come into force when they are read back:
// only then it is known what stood before them.
func (p *partition) decide() error {
	if len(p.out.messages) == 0 {
		return nil
	}
	err := p.flush()
	p.c.cfg.Reached(afterDecide)
	return err
}

// askAgain asks about everything whose sendid is not known.
func (p *partition) askAgain(ctx context.Context) error {
	if p.c.cfg.Evidence == nil {
		return nil
	}
	sendids, err := p.shelf.sendids(kindUnknown)
	if err != nil {
		return err
	}
	for _, sendid := range sendids {
		e, err := p.shelf.look(sendid)
		if err != nil {
			return err
		}
		if e == nil {
			continue
		}
		found, err := p.evidence(ctx, sendid, e)
		if err != nil {
			return err
		}
		if _, already := p.asked[sendid]; found && !already && e.waiting() > 0 {
			p.asked[sendid] = time.Now()
		}
	}
	return nil
}

// evidence asks whose the reports of an unknown sendid may be.
func (p *partition) evidence(ctx context.Context, sendid string, e *entry) (found bool, err error) {
	if p.c.cfg.Evidence == nil || len(e.pushes) == 0 {
		return false, nil
	}
	u := Unclaimed{SendID: sendid, FirstSeen: time.UnixMilli(e.pushes[0].at)}
	offsets := make([]int64, len(e.pushes))
	for i := range e.pushes {
		offsets[i] = e.pushes[i].offset
		if at := time.UnixMilli(e.pushes[i].at); at.Before(u.FirstSeen) {
			u.FirstSeen = at
		}
	}
	pushes, err := p.reread(ctx, offsets)
	if err != nil {
		return false, err
	}
	for _, offset := range offsets {
		if push := pushes[offset]; push != nil && push.SendID == sendid {
			u.add(push)
		}
	}
	if len(u.Mobiles) == 0 {
		return false, nil
	}
	return p.c.cfg.Evidence(ctx, u)
}
