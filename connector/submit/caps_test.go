package submit

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"smsbridge/codec/sms"
)

// fakeCaps let requests through while there is room.
type fakeCaps struct {
	mu      sync.Mutex
	room    int
	more    *Event // there may be room
	confirm func() (bool, error)

	queued, reserved int
}

func (c *fakeCaps) Queue(n int) Place { return &fakePlace{caps: c, n: n} }

type fakePlace struct {
	caps             *fakeCaps
	n                int
	queued, reserved bool
}

func (p *fakePlace) Reserve() *Event {
	p.caps.mu.Lock()
	defer p.caps.mu.Unlock()
	if p.n > p.caps.room {
		if !p.queued {
			p.queued = true
			p.caps.queued++
		}
		return p.caps.more
	}
	p.leave()
	p.reserved = true
	p.caps.reserved += p.n
	p.caps.room -= p.n
	return nil
}

func (p *fakePlace) Confirm(context.Context) (bool, error) {
	if p.caps.confirm != nil {
		if ok, err := p.caps.confirm(); !ok || err != nil {
			return ok, err
		}
	}
	p.caps.mu.Lock()
	defer p.caps.mu.Unlock()
	p.reserved = false
	p.caps.reserved -= p.n
	return true, nil
}

func (p *fakePlace) Leave() {
	p.caps.mu.Lock()
	defer p.caps.mu.Unlock()
	p.leave()
}

func (p *fakePlace) leave() {
	if p.queued {
		p.queued = false
		p.caps.queued--
	}
	if p.reserved {
		p.reserved = false
		p.caps.reserved -= p.n
		p.caps.room += p.n
	}
}

func TestACommandWaitsForTheCapUntilSomethingEndsIt(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(l *lab, caps *fakeCaps, orders *board)
		status  sms.Status
		reason  sms.Reason
		posts   int
		after   time.Duration
	}{
		"nothing":   {func(*lab, *fakeCaps, *board) {}, sms.Expired, sms.CapReached, 0, 5 * time.Minute},
		"room":      {func(_ *lab, c *fakeCaps, _ *board) { c.room = 10; c.more.Happen() }, sms.Accepted, "", 1, time.Minute},
		"a cancel":  {func(_ *lab, _ *fakeCaps, b *board) { b.now(Cancel) }, sms.Cancelled, sms.CancelledReason, 0, time.Minute},
		"a release": {func(_ *lab, c *fakeCaps, b *board) { c.room = 10; b.now(Proceed) }, sms.Accepted, "", 1, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				caps := &fakeCaps{more: NewEvent()}
				orders := newOrder(Proceed)
				l := newLab(t, accepts, healthy, func(c *Config) { c.Caps, c.Orders = caps, orders })
				time.AfterFunc(time.Minute, func() {
					caps.mu.Lock()
					defer caps.mu.Unlock()
					c.happens(l, caps, orders)
				})
				cmd := command(3)
				cmd.Class = sms.OTP
				r := l.must(t, cmd)
				if r.Status != c.status || r.Reason != c.reason || l.posts() != c.posts || time.Since(l.start) != c.after {
					t.Errorf("%s %s after %s, %d requests", r.Status, r.Reason, time.Since(l.start), l.posts())
				}
				if caps.queued != 0 || caps.reserved != 0 || l.guard.open() != 0 {
					t.Errorf("left behind: %d in the queue, %d reserved, %d permits", caps.queued, caps.reserved, l.guard.open())
				}
			})
		})
	}
}

func TestWhatDoesNotGoGivesItsPlaceBack(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*lab, *fakeCaps)
		fails  bool
	}{
		"the intent fails": {func(l *lab, _ *fakeCaps) {
			l.guard.begin = func(context.Context, Attempt) error { return errors.New("no") }
		}, true},
		"nobody can confirm": {func(_ *lab, c *fakeCaps) { c.confirm = func() (bool, error) { return false, errors.New("no") } }, true},
		"the permit lapses":  {func(l *lab, _ *fakeCaps) { asked := 0; l.guard.valid = func() bool { asked++; return asked > 1 } }, false},
		"others took it once": {func(_ *lab, c *fakeCaps) {
			asked := 0
			c.confirm = func() (bool, error) { asked++; return asked > 1, nil }
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				caps := &fakeCaps{room: 100, more: NewEvent()}
				l := newLab(t, accepts, healthy, func(c *Config) { c.Caps = caps })
				c.change(l, caps)
				_, err := l.Submit(t.Context(), t.Context(), command(3), History{}, l.guard)
				if (err != nil) != c.fails || l.posts() > 1 || l.posts() == 0 != c.fails {
					t.Errorf("%d requests, %v", l.posts(), err)
				}
				if caps.queued != 0 || caps.reserved != 0 {
					t.Errorf("left behind: %d in the queue, %d reserved", caps.queued, caps.reserved)
				}
			})
		})
	}
}

func TestWhoeverIsHeldByAnOperatorLeavesTheQueueOfTheCap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		caps := &fakeCaps{more: NewEvent()}
		orders := newOrder(Proceed)
		l := newLab(t, accepts, healthy, func(c *Config) { c.Caps, c.Orders = caps, orders })
		l.another()
		if caps.queued != 1 {
			t.Fatalf("%d in the queue", caps.queued)
		}
		orders.now(Hold)
		synctest.Wait()
		if caps.queued != 0 {
			t.Error("it holds up whoever comes behind")
		}
	})
}

func TestTheLineTellsACapUnlessSomethingIsWrongWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, accepts, healthy, nil)
		began := time.Now()
		_, moved := l.line.Watch()
		l.line.Cap(true)
		<-moved.Done()
		if state := l.line.State(); state != (State{Line: sms.LineHeld, Reason: sms.CapReached, Since: began}) {
			t.Errorf("told %+v", state)
		}
		if l.line.closed() != nil {
			t.Error("what is within the cap is held up")
		}
		l.line.mu.Lock()
		l.line.hold(account, verdict{reason: sms.AuthFailed})
		l.line.mu.Unlock()
		if state := l.line.State(); state.Reason != sms.AuthFailed {
			t.Errorf("told %+v", state)
		}
		time.Sleep(time.Minute)
		if state := l.line.State(); state.Reason != sms.CapReached {
			t.Errorf("told %+v when the account is well again", state)
		}
		_, moved = l.line.Watch()
		l.line.Cap(false)
		<-moved.Done()
		if state := l.line.State(); state.Line != sms.LineOpen {
			t.Errorf("told %+v", state)
		}
	})
}
