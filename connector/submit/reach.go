package submit

import (
	"context"
	"time"

	"smsbridge/codec/sms"
)

// reachLine waits until the operator, the line and the caps let it through.
func (j *journey) reachLine(ctx context.Context) error {
	for {
		if err := j.mayStillPost(ctx); err != nil {
			return err
		}
		order, changed := j.order()
		moved := j.config.Line.closed()
		switch {
		case order == Cancel:
			return errCancelled
		case order == Hold:
			moved = nil // the line is not what it waits for
			j.leave()
		case moved != nil:
			j.leave()
		case j.place == nil:
			return nil
		default:
			if moved = j.place.Reserve(); moved == nil {
				return nil
			}
			j.last = sms.CapReached
		}
		if reason := j.config.Line.State().Reason; reason != "" {
			j.last = reason
		}
		if err := await(ctx, moved, changed, j.plan.expires); err != nil {
			return err
		}
	}
}

// order is what stands for the command now, and a channel that is closed when
// that may have changed.
func (j *journey) order() (Order, <-chan struct{}) {
	if j.config.Orders == nil {
		return Proceed, nil
	}
	return j.config.Orders.Standing(j.cmd)
}

// proceeds reports whether no operator has held or cancelled the command.
func (j *journey) proceeds() bool {
	order, _ := j.order()
	return order == Proceed
}

// leave gives its place before the caps to those behind it.
func (j *journey) leave() {
	if j.place != nil {
		j.place.Leave()
	}
}

// fits reports whether the caps still allow the request, now that its intent is
// there for the whole group to see.
func (j *journey) fits(ctx context.Context) (bool, error) {
	if j.place == nil {
		return true, nil
	}
	return j.place.Confirm(ctx)
}

// pay waits for the rate, once for each request that is made.
func (j *journey) pay(ctx context.Context) error {
	if j.paid {
		return nil
	}
	if err := j.config.Rate.wait(ctx, len(j.mobiles), j.plan.expires); err != nil {
		return err
	}
	j.paid = true
	return nil
}

// mayStillPost fails when the time for it is over.
func (j *journey) mayStillPost(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if !time.Now().Before(j.plan.expires) {
		return errExpired
	}
	return nil
}
