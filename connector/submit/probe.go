package submit

import (
	"context"
	"math"
	"strconv"
	"strings"
	"time"

	"smsbridge/codec/wire"
	"smsbridge/connector/provider"
)

// A held line asks the balance after a second, and then half as often each
// time. The provider wants to be asked every 60 s at the most; a line that
// waited that long after every short fault would keep one-time codes for a
// minute, so a fault costs six questions in its first minute and two in each
// further one. The pause starts anew only after a submit was answered.
const (
	probeFirst = time.Second
	probeMost  = 30 * time.Second
)

// A line that is held while nothing can be proven either way lets one submit
// through all the same, after a minute and then half as often each time: the
// balance call may be out of order while submits work, and a balance that was
// topped up before we first saw it never rises. It is not done where the balance
// call itself names the fault. A trial that is refused again sent nothing; one
// that is not answered leaves one more command in doubt, hence the doubling.
const (
	unprovenFirst = time.Minute
	unprovenMost  = 10 * time.Minute
)

// Run opens the line whenever it is held, until ctx ends.
func (l *Line) Run(ctx context.Context) error {
	for {
		select {
		case <-l.holds:
			l.probe(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

// probe asks the balance until it speaks for a trial.
func (l *Line) probe(ctx context.Context) {
	if l.noteFloor() {
		l.consider(l.asking.after(ctx, time.Now()))
	}
	timer := time.NewTimer(l.nextPause())
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		if l.consider(l.asking.after(ctx, time.Now())) {
			return
		}
		timer.Reset(l.nextPause())
	}
}

// noteFloor reports whether the balance must be known at once, to see it rise.
func (l *Line) noteFloor() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cause == credit
}

// nextPause doubles with every probe since the last answered submit.
func (l *Line) nextPause() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	pause := l.pause
	l.pause = min(2*pause, probeMost)
	return pause
}

// consider reopens the line if the balance call speaks for it.
func (l *Line) consider(b wire.Balance, failure *provider.Failure) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if failure == nil {
		if reason, ok := wire.AccountReason(b.Code); ok {
			l.blame(account, reason, nil)
			return false
		}
	}
	proven, patient := l.proves(b, failure), time.Since(l.heldAt) >= l.patience
	if !proven && (!patient || !l.mayBeTried(b, failure)) {
		return false
	}
	if !proven {
		l.patience = min(2*l.patience, unprovenMost)
	}
	l.reopen()
	return true
}

// proves reports whether a balance answer that names no fault of the account
// is enough for a trial. mu is held.
func (l *Line) proves(b wire.Balance, failure *provider.Failure) bool {
	healthy := failure == nil && b.Code == "0"
	switch l.cause {
	case account, throttled:
		return healthy
	case address:
		return failure == nil
	case unreachable:
		// Any answer will do, also one that refuses us: the trial tells the rest.
		return failure == nil || failure.Class == provider.LineDown || failure.Class == provider.Throttled
	case ambiguity:
		// Proves nothing of submits, but while not even this is answered a
		// submit would only be one more in doubt.
		return healthy
	case credit:
		amount, known := amountOf(b)
		if !healthy || !known {
			return false
		}
		risen := amount > l.floor
		l.floor = min(l.floor, amount)
		return risen
	default:
		return true
	}
}

// mayBeTried reports whether the line may be tried without proof: unless the
// answer says that there is no money. mu is held.
func (l *Line) mayBeTried(b wire.Balance, failure *provider.Failure) bool {
	amount, known := amountOf(b)
	return l.cause != credit || failure != nil || !known || amount > 0
}

// amountOf reads a balance. It is compared, never added up, so a float serves.
func amountOf(b wire.Balance) (amount float64, known bool) {
	amount, err := strconv.ParseFloat(strings.TrimSpace(b.Amount), 64)
	return amount, err == nil && !math.IsNaN(amount) && !math.IsInf(amount, 0)
}

// balanceDesk lets many who need to know the balance share one call.
type balanceDesk struct {
	ask     func(context.Context) (wire.Balance, *provider.Failure)
	turn    chan struct{} // one at a time asks; the next in line may share its answer
	asked   time.Time
	balance wire.Balance
	failure *provider.Failure
}

// after returns an answer to a question put at or after t.
func (d *balanceDesk) after(ctx context.Context, t time.Time) (wire.Balance, *provider.Failure) {
	select {
	case d.turn <- struct{}{}:
	case <-ctx.Done():
		return wire.Balance{}, &provider.Failure{Class: provider.NotSent, Err: context.Cause(ctx)}
	}
	defer func() { <-d.turn }()
	if d.asked.IsZero() || d.asked.Before(t) {
		d.asked = time.Now()
		d.balance, d.failure = d.ask(ctx)
	}
	return d.balance, d.failure
}
