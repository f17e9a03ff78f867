package submit

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"smsbridge/codec/sms"
)

// board is one order for everything, which a test changes.
type board struct {
	mu      sync.Mutex
	order   Order
	changed *Event
}

func newOrder(o Order) *board { return &board{order: o, changed: NewEvent()} }

func (b *board) Standing(*sms.Command) (Order, *Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.order, b.changed
}

func (b *board) now(o Order) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.order = o
	b.changed.Happen()
	b.changed = NewEvent()
}

func under(b *board) func(*Config) { return func(c *Config) { c.Orders = b } }

func TestAHeldCommandWaitsAndGoesOnWhenItMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newOrder(Hold)
		l := newLab(t, accepts, balanceOf("0", "5"), under(b))
		time.AfterFunc(time.Hour, func() { b.now(Proceed) })
		r := l.must(t, command(1))
		if r.Status != sms.Accepted || l.submittedAt()[0] != time.Hour {
			t.Errorf("%s, submitted after %v", r.Status, l.submittedAt())
		}
	})
}

func TestAHeldCommandExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, accepts, balanceOf("0", "5"), under(newOrder(Hold)))
		if r := l.must(t, command(1)); r.Status != sms.Expired || l.posts() != 0 {
			t.Errorf("%s, %d submits", r.Status, l.posts())
		}
	})
}

func TestACancelledCommandIsNeverSubmitted(t *testing.T) {
	for name, from := range map[string]Order{"that waits": Hold, "that comes later": Cancel} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newOrder(from)
				l := newLab(t, accepts, balanceOf("0", "5"), under(b))
				time.AfterFunc(time.Minute, func() { b.now(Cancel) })
				r := l.must(t, command(1))
				if r.Status != sms.Cancelled || r.Reason != sms.CancelledReason || l.posts() != 0 || len(r.Submissions) != 0 {
					t.Errorf("%s, %s, %d submits", r.Status, r.Reason, l.posts())
				}
			})
		})
	}
}

func TestACommandThatIsCancelledBetweenTwoAttemptsIsNotSubmittedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newOrder(Proceed)
		l := newLab(t, inTurn(notSent, accepts), balanceOf("0", "5"), under(b))
		time.AfterFunc(time.Millisecond, func() { b.now(Cancel) })
		if r := l.must(t, command(1)); r.Status != sms.Cancelled || l.posts() != 1 {
			t.Errorf("%s, %d submits", r.Status, l.posts())
		}
	})
}

func TestACommandThatMayHaveBeenSentIsNotCalledCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newOrder(Proceed)
		l := newLab(t, inTurn(lost, accepts), balanceOf("0", "5"), func(c *Config) { c.Orders, c.OnUnknown = b, sms.ResendUnknown })
		time.AfterFunc(time.Millisecond, func() { b.now(Cancel) })
		if r := l.must(t, command(1)); r.Status != sms.Unknown || l.posts() != 1 {
			t.Errorf("%s, %d submits", r.Status, l.posts())
		}
	})
}

func TestPartsThatAreNotSubmittedYetAreCancelledAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newOrder(Proceed)
		l := newLab(t, inTurn(accepts, notSent, accepts), balanceOf("0", "5"), func(c *Config) { c.Orders, c.MaxRecipients = b, 1 })
		time.AfterFunc(time.Millisecond, func() { b.now(Cancel) })
		r := l.must(t, command(3))
		if r.Status != sms.PartiallyAccepted || r.Reason != sms.CancelledReason || r.Accepted != 1 || l.posts() != 2 {
			t.Errorf("%s, %s, %d accepted, %d submits", r.Status, r.Reason, r.Accepted, l.posts())
		}
	})
}

func TestAnOrderThatComesWhileAnIntentIsWrittenIsObeyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newOrder(Proceed)
		l := newLab(t, accepts, balanceOf("0", "5"), under(b))
		l.guard.valid = func() bool { b.now(Cancel); return true } // asked last before the request
		if r := l.must(t, command(1)); r.Status != sms.Cancelled || l.posts() != 0 {
			t.Errorf("%s, %d submits", r.Status, l.posts())
		}
	})
}
