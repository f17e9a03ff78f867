package submit

import (
	"context"
	"errors"
	"time"
)

// errExpired ends every wait that meets, or would pass, the end of the
// validity. It never leaves this package: the command's result says it.
var errExpired = errors.New("validity expired")

// errCancelled ends the way of a command that an operator cancelled.
var errCancelled = errors.New("cancelled")

// errSuppressed ends the way of a part of which nobody is to get the text.
var errSuppressed = errors.New("suppressed")

// enterGate takes a place in gate, a channel whose capacity is the number of
// places.
func enterGate(ctx context.Context, gate chan struct{}, until time.Time) error {
	select {
	case gate <- struct{}{}:
		return nil
	default:
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case gate <- struct{}{}:
		return nil
	case <-timer.C:
		return errExpired
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// pause waits for d. If that would pass until, it does not begin to: an answer
// now is worth more than the same answer later.
func pause(ctx context.Context, d time.Duration, until time.Time) error {
	if d <= 0 {
		return nil
	}
	if !time.Now().Add(d).Before(until) {
		return errExpired
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
