package submit

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/codec/wire"
	"smsbridge/connector/provider"
)

// connectsFor is a provider to which it takes long to connect, and which then
// asks once more, as the real one does.
func connectsFor(d time.Duration) submitFunc {
	return func(ctx context.Context, r provider.Request) (wire.Answer, *provider.Failure) {
		time.Sleep(d)
		if !r.Still() {
			return wire.Answer{}, &provider.Failure{Class: provider.NotSent, Err: provider.ErrWithheld}
		}
		return accepts(ctx, r)
	}
}

func TestASlowConnectDoesNotSubmitAfterTheValidity(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, connectsFor(10*time.Second), balanceOf("0", "1000"), nil)
		cmd := command(1)
		cmd.ExpiresAt = time.Now().Add(5 * time.Second)
		r := l.must(t, cmd)
		if r.Status != sms.Expired || len(r.Submissions) != 0 {
			t.Errorf("status %s with %d submissions", r.Status, len(r.Submissions))
		}
		if l.guard.open() != 0 {
			t.Errorf("%d permits left open", l.guard.open())
		}
	})
}

func TestAPermitThatLapsesWhileConnectingIsReplacedByAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, connectsFor(10*time.Second), balanceOf("0", "1000"), nil)
		lapses := time.Now().Add(15 * time.Second)
		asked := 0
		l.guard.valid = func() bool { // holds before each connect, and after the second one
			asked++
			return asked != 2
		}
		r := l.must(t, command(1))
		if r.Status != sms.Accepted || len(l.guard.attempts) != 2 || l.guard.released != 1 || time.Now().Before(lapses) {
			t.Errorf("status %s, %d permits, %d released", r.Status, len(l.guard.attempts), l.guard.released)
		}
	})
}

func TestARefusalOfTheSecondAttemptIsWrittenDownNotReleased(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, inTurn(lost, answers("1", "")), balanceOf("0", "1000"), resend)
		r := l.must(t, command(1))
		if r.Status != sms.Unknown || l.guard.released != 0 || len(l.guard.dones) != 2 {
			t.Errorf("status %s, %d released, %d written down; released, an heir could submit a third time", r.Status, l.guard.released, len(l.guard.dones))
		}
	})
}
