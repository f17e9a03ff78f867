package journal

import (
	"context"
	"sync"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/connector/submit"
)

// Guard makes the attempts of one command safe. It implements submit.Guard.
type Guard struct {
	ledger *Ledger
	ref    Ref
	whole  bool // the command has one part

	mu   sync.Mutex
	at   int64 // position of the intent whose outcome the final done carries
	came *sms.Submission
}

// Guard returns that of a command which is Fresh or Begun. whole says that it
// can have no more than one part; then the part's done and the command's final
// done are one record, one wait instead of two.
func (l *Ledger) Guard(ref Ref, whole bool) *Guard {
	return &Guard{ledger: l, ref: ref, whole: whole}
}

// Begin implements submit.Guard.
func (g *Guard) Begin(ctx context.Context, a submit.Attempt) (submit.Permit, error) {
	p, err := g.begin(ctx, a)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// flush writes the outcome that waits for a final done: another attempt comes
// first, so the command has more parts than was thought. Nobody waits for it, as
// it stands before that attempt's intent.
func (g *Guard) flush() {
	r := g.ledger.record(done, g.ref)
	if g.attach(&r); r.names >= 0 {
		g.ledger.send(&r, func(int64, error) {})
	}
}

// attach lets the final done carry the outcome that waits for it.
func (g *Guard) attach(r *record) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.came != nil {
		r.names, r.came = g.at, *g.came
		g.came = nil
	}
}

// permit is one intent on its way through ack and fence to its end.
type permit struct {
	guard  *Guard
	waiter waiter

	// Under the ledger's lock.
	durable   bool
	abandoned bool
	closed    bool
}

// writeIntent sends the intent and returns at once.
func (g *Guard) writeIntent(a submit.Attempt) *permit {
	l := g.ledger
	p := &permit{guard: g, waiter: waiter{at: -1, ready: make(chan error, 1)}}
	r := l.record(intent, g.ref)
	r.part, r.first, r.last, r.attempt = a.Part, a.First, a.Last, a.Number
	r.flagged, r.expires = a.PossibleDuplicate, a.Expires
	l.mu.Lock()
	l.permits++
	l.mu.Unlock()
	l.send(&r, p.acked)
	return p
}

// acked runs under the ledger's lock.
func (p *permit) acked(at int64, err error) {
	l := p.guard.ledger
	if err != nil {
		p.waiter.ready <- err
		return
	}
	p.waiter.at, p.durable = at, true
	if p.abandoned {
		p.writeRelease()
		return
	}
	l.tenure.reached(afterIntent)
	l.queue(&p.waiter)
	l.tenure.poke()
}

func (p *permit) awaitFence(ctx context.Context) error {
	l := p.guard.ledger
	select {
	case err := <-p.waiter.ready:
		return err
	case <-l.tenure.ended:
		return l.tenure.alive()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// abandon gives up an intent that was not submitted: released now if it is
// durable, else as soon as it is.
func (p *permit) abandon() {
	l := p.guard.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.closed {
		return
	}
	p.closed, p.abandoned = true, true
	l.permits--
	for i, w := range l.waiting {
		if w == &p.waiter {
			l.waiting = append(l.waiting[:i], l.waiting[i+1:]...)
			break
		}
	}
	if p.durable {
		p.writeRelease()
	}
}

// writeRelease runs under the ledger's lock. Nobody waits for it: a new intent
// of the same part stands behind it in the same log, and one that is lost with
// the process costs a doubt, never a second text.
func (p *permit) writeRelease() {
	l := p.guard.ledger
	r := l.record(released, p.guard.ref)
	r.names = p.waiter.at
	l.send(&r, func(int64, error) {})
}

// Valid implements submit.Permit: the tenure lasts and its last commit was sent
// less than half a session ago, by the clock that runs on and by the one on the
// wall, which also counts the time that a suspended machine slept.
func (p *permit) Valid() bool {
	l := p.guard.ledger
	if l.tenure.alive() != nil {
		return false
	}
	l.mu.Lock()
	lease, closed := l.lease, p.closed
	l.mu.Unlock()
	now, half := time.Now(), l.tenure.config.SessionTimeout/2
	return !closed && now.Sub(lease) < half && now.Round(0).Sub(lease.Round(0)) < half
}

// Release implements submit.Permit.
func (p *permit) Release(context.Context) error {
	l := p.guard.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.close() {
		p.writeRelease()
	}
	return nil
}

// Done implements submit.Permit. It writes what came of the attempt, whoever
// owns the partition by now.
func (p *permit) Done(ctx context.Context, s sms.Submission) error {
	g, l := p.guard, p.guard.ledger
	l.mu.Lock()
	first := p.close()
	l.mu.Unlock()
	if !first {
		return nil
	}
	l.tenure.reached(beforeDone)
	if g.whole && s.Status != sms.Unknown && l.tenure.alive() == nil {
		// Nothing follows but the final done. After unknown another attempt may.
		g.mu.Lock()
		g.at, g.came = p.waiter.at, &s
		g.mu.Unlock()
		return nil
	}
	r := l.record(done, g.ref)
	r.names, r.came = p.waiter.at, s
	_, err := l.write(ctx, &r)
	return err
}

// close reports whether the permit was open. The caller holds the lock.
func (p *permit) close() bool {
	if p.closed {
		return false
	}
	p.closed = true
	p.guard.ledger.permits--
	return true
}
