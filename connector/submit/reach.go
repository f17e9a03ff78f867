package submit

import (
	"context"
	"slices"
	"time"

	"smsbridge/codec/sms"
)

// What a command can wait for beside the reasons that a result may have.
const (
	forBackoff   sms.Reason = "backoff"   // before it is tried again
	forReopening sms.Reason = "reopening" // of the line, which begins with few
)

// ready returns nil when an attempt may begin now, else what the part waits for.
func (j *partRun) ready(ctx context.Context) (*Wait, error) {
	if err := j.mayStillPost(ctx); err != nil {
		return nil, err
	}
	order, changed := j.order()
	quiet := j.config.Quiet.Until(j.cmd.Class, time.Now())
	switch {
	case order == Cancel:
		return nil, errCancelled
	case order == Hold:
		j.last = sms.Paused
		return j.waitFor(sms.Paused, j.plan.expires, changed), nil
	case j.suppressed():
		return nil, errSuppressed
	case !quiet.IsZero():
		j.last = sms.QuietHours
		return j.waitFor(sms.QuietHours, quiet, changed), nil
	case time.Now().Before(j.notBefore):
		return j.waitFor(j.resting, j.notBefore, changed), nil
	}
	if moved := j.config.Line.closed(); moved != nil {
		reason := j.config.Line.State().Reason
		if reason == "" {
			return j.waitFor(forReopening, j.plan.expires, moved, changed), nil
		}
		j.last = reason
		return j.waitFor(reason, j.plan.expires, moved, changed), nil
	}
	if j.place == nil {
		return nil, nil
	}
	if turn := j.place.Reserve(); turn != nil {
		j.last = sms.CapReached
		return &Wait{Until: j.plan.expires, On: events(turn, changed), For: sms.CapReached}, nil
	}
	return nil, nil
}

// suppressed refuses the recipients who get no texts of the class, and reports
// whether nobody is left. It is asked before every attempt: who opts out while a
// command waits is sent nothing any more. A second attempt is not made for fewer
// people than the first, which may have reached them all.
func (j *partRun) suppressed() bool {
	suppressed := func(number string) bool { return j.config.Suppressed(j.cmd.Class, number) }
	if j.config.Suppressed == nil || !slices.ContainsFunc(j.mobiles, suppressed) {
		return false
	}
	if j.doubts > 0 {
		return true
	}
	left := make([]string, 0, len(j.mobiles))
	for _, number := range j.mobiles {
		if suppressed(number) {
			j.plan.refuse(j.cmd.To, number, sms.SuppressedReason)
		} else {
			left = append(left, number)
		}
	}
	j.mobiles, j.outcome.Recipients = left, len(left)
	return len(left) == 0
}

// waitFor gives up the place before the caps to those behind, who may have
// nothing else to wait for.
func (j *partRun) waitFor(what sms.Reason, until time.Time, on ...*Event) *Wait {
	j.leave()
	return &Wait{Until: earlier(until, j.plan.expires), On: events(on...), For: what}
}

// events are those of them that there are.
func events(on ...*Event) []*Event {
	return slices.DeleteFunc(on, func(e *Event) bool { return e == nil })
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// order is what stands for the command now, and the next time that this may
// change.
func (j *partRun) order() (Order, *Event) {
	if j.config.Orders == nil {
		return Proceed, nil
	}
	return j.config.Orders.Standing(j.cmd)
}

// proceeds reports whether no operator has held or cancelled the command.
func (j *partRun) proceeds() bool {
	order, _ := j.order()
	return order == Proceed
}

// leave gives its place before the caps to those behind it.
func (j *partRun) leave() {
	if j.place != nil {
		j.place.Leave()
	}
}

// fits reports whether the caps still allow the request, now that its intent is
// there for the whole group to see.
func (j *partRun) fits(ctx context.Context) (bool, error) {
	if j.place == nil {
		return true, nil
	}
	return j.place.Confirm(ctx)
}

// pay waits for the rate, once for each request that is made.
func (j *partRun) pay(ctx context.Context) error {
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
func (j *partRun) mayStillPost(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if !time.Now().Before(j.plan.expires) {
		return errExpired
	}
	return nil
}
