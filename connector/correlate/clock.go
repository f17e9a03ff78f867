package correlate

import (
	"context"
	"time"
)

// look does what the clock has to do. Nothing is decided while sendids are behind,
// nor until what was decided the last time has been read back.
func (p *partition) look(ctx context.Context) error {
	if p.tail.behind() || p.tail.next <= p.decided {
		return nil
	}
	now := time.Now()
	due := map[moment][]string{}
	err := p.shelf.due(now.UnixMilli(), func(sendid string, what moment) bool {
		switch {
		case what == deadline && p.pushes.behind():
			// Reports that are here already are not missing.
			return true
		case what == orphaned && now.Sub(p.asked[sendid]) < p.c.rules.orphanAfter:
			return true
		}
		due[what] = append(due[what], sendid)
		return len(due[what]) < most
	})
	if err != nil {
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
	if p.ask.Swap(false) {
		return p.askAgain(ctx)
	}
	return nil
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
	acks, err := p.write(p.out.messages)
	p.out = output{messages: p.out.messages[:0]}
	for _, ack := range acks {
		p.decided = max(p.decided, ack.Offset)
	}
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
