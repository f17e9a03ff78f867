package submit

import (
	"context"
	"time"

	"golang.org/x/time/rate"
)

// Rate bounds the recipients a second of the whole group: each instance takes
// the share of the partitions that it owns.
type Rate struct {
	whole   float64 // recipients a second, 0 is unlimited
	limiter *rate.Limiter
	// One command at a time stands at the limiter, the others behind it, so
	// that a large one is not overtaken for ever and a new share counts at once
	// for all who wait.
	turn chan struct{}
}

// NewRate returns the budget of the whole group, in recipients a second; 0 is
// unlimited. Until SetShare is called all of it is ours.
func NewRate(recipients float64) *Rate {
	r := &Rate{whole: recipients, turn: make(chan struct{}, 1)}
	r.limiter = rate.NewLimiter(rate.Limit(recipients), burst(recipients))
	return r
}

// SetShare says how many of all partitions are ours. With none of them nothing
// is to be submitted, and the share stays as it was.
func (r *Rate) SetShare(owned, total int) {
	if owned < 1 || total < owned {
		return
	}
	share := r.whole * float64(owned) / float64(total)
	r.limiter.SetLimit(rate.Limit(share))
	r.limiter.SetBurst(burst(share))
}

// burst is a tenth of a second's worth: a second with an idle tenth before it
// is not much more than the budget.
func burst(perSecond float64) int {
	return max(1, int(perSecond/10))
}

// wait returns when n recipients may be submitted: nil, errExpired when that
// cannot be before until, or the cause of ctx's end. Requests of more
// recipients than a burst pay in pieces.
func (r *Rate) wait(ctx context.Context, n int, until time.Time) error {
	if r.whole <= 0 {
		return nil
	}
	if err := enterGate(ctx, r.turn, until); err != nil {
		return err
	}
	defer func() { <-r.turn }()
	for n > 0 {
		piece := min(n, r.limiter.Burst())
		now := time.Now()
		ticket := r.limiter.ReserveN(now, piece)
		if !ticket.OK() { // the burst has just become smaller
			continue
		}
		delay := ticket.DelayFrom(now)
		if err := pause(ctx, delay, until); err != nil {
			ticket.Cancel()
			return err
		}
		n -= piece
	}
	return nil
}
