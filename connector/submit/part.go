package submit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v4"

	"smsbridge/codec/sms"
	"smsbridge/connector/provider"
)

// errNotDurable marks a verdict that could not be made durable: it must not be
// told, and nothing else may be told in its place.
var errNotDurable = errors.New("verdict is not durable")

// partRun is one part on its way.
type partRun struct {
	*Submitter
	cmd     *sms.Command
	plan    *plan
	guard   Guard
	number  int // of the part
	mobiles []string

	outcome sms.Submission
	begun   int        // attempts that had an intent
	doubts  int        // attempts that may have been carried out
	tries   int        // attempts that count towards Retry.MaxAttempts
	last    sms.Reason // why it is not sent yet
	paid    bool       // the rate, for the next attempt
	place   Place      // before the caps; nil where there are none
	backoff *backoff.ExponentialBackOff

	notBefore time.Time  // the next attempt
	resting   sms.Reason // why not

	refused  bool   // by HTTP
	answered uint64 // what the line had answered by then
}

// step brings the part to its outcome, or to where it must wait. An error means
// that it has none.
//
// ctx bounds what is not submitted yet, work what is.
func (j *partRun) step(ctx, work context.Context) (*Wait, error) {
	for !j.decided() {
		wait, err := j.ready(ctx)
		if wait != nil {
			return wait, nil
		}
		if err == nil {
			err = j.once(ctx, work)
		}
		switch {
		case err == nil:
		case errors.Is(err, errExpired):
			j.end(sms.Expired, j.lastReason(sms.ValidityExpired))
		case errors.Is(err, errCancelled):
			j.end(sms.Cancelled, sms.CancelledReason)
		case errors.Is(err, errSuppressed):
			j.end(sms.Suppressed, sms.SuppressedReason)
		case errors.Is(err, errNotDurable), j.doubts == 0:
			return nil, err
		default:
			// The second attempt will not be made, and what the first left is an
			// outcome too.
			return nil, nil
		}
	}
	return nil, nil
}

// once makes one attempt, and says what comes before the next.
func (j *partRun) once(ctx, work context.Context) error {
	v, err := j.attempt(ctx, work)
	if err == nil && v.signal == refused && v.cause == address {
		j.suspect()
		return nil
	}
	if err != nil || v.fate != unsent && v.fate != inDoubt || j.decided() {
		return err
	}
	return j.rest(ctx, v)
}

func (j *partRun) lastReason(otherwise sms.Reason) sms.Reason {
	if j.last == "" {
		return otherwise
	}
	return j.last
}

// attempt submits the part once, if rate, line, guard and slots let it. What it
// takes it gives back in reverse: the slot only when the outcome is durable, as
// a slot stands for what a crash can leave in doubt.
func (j *partRun) attempt(ctx, work context.Context) (verdict, error) {
	defer j.leave()
	if err := enterGate(ctx, j.credits, j.plan.expires); err != nil {
		return verdict{}, err
	}
	defer func() { <-j.credits }()
	if err := j.pay(ctx); err != nil {
		return verdict{}, err
	}
	t, open := j.config.Line.enter()
	if !open {
		return verdict{fate: unposted}, nil
	}
	defer j.config.Line.leave(&t, verdict{})

	permit, err := j.guard.Begin(ctx, Attempt{
		Part: j.number, First: j.outcome.First, Last: j.outcome.Last, Number: j.begun + 1,
		Expires: j.plan.expires, PossibleDuplicate: j.doubts > 0,
	})
	if err != nil {
		return verdict{}, err
	}
	j.begun++
	if fits, err := j.fits(ctx); !fits || err != nil {
		return verdict{fate: unposted}, release(work, permit, err)
	}
	if err := enterGate(ctx, j.slots, j.plan.expires); err != nil {
		return verdict{}, release(work, permit, err)
	}
	defer func() { <-j.slots }()

	if err := j.mayStillPost(ctx); err != nil {
		return verdict{}, release(work, permit, err)
	}
	if !j.config.Line.stands(&t) || !permit.Valid() || !j.proceeds() {
		return verdict{fate: unposted}, release(work, permit, nil)
	}
	v := j.post(work, func() bool {
		return permit.Valid() && j.config.Line.stands(&t) && j.proceeds() && time.Now().Before(j.plan.expires)
	})
	// The line first: what it hears must stop others now, not when Kafka has
	// acknowledged.
	j.config.Line.leave(&t, v)
	return v, j.close(work, permit, v, t.trial)
}

// post makes the request, if the permission to make it still stands when the
// connection does.
func (j *partRun) post(work context.Context, still func() bool) verdict {
	start := time.Now()
	request := provider.Request{
		Content: j.plan.text.Content, Sign: j.plan.text.Sign, Extension: j.cmd.Extension, Mobiles: j.mobiles,
		Still: still,
	}
	if j.cmd.SendAt.After(start) { // else now: the provider's clock decides what it does with the past
		request.SendAt = j.cmd.SendAt
	}
	answer, failure := j.config.Provider.Submit(work, request)
	if failure != nil && errors.Is(failure, provider.ErrWithheld) {
		return verdict{fate: unposted}
	}
	latency := time.Since(start)
	j.paid = false
	j.outcome.Attempts++

	var v verdict
	if failure != nil {
		v = judgeFailure(failure)
	} else {
		v = j.judgeAnswer(work, answer, len(j.mobiles))
	}
	j.metrics.attempted(work, v.fate)
	if v.alert {
		j.config.Log.Warn("provider did not understand a submit",
			"command_id", j.cmd.ID, "reason", string(v.reason), "provider_code", answer.Code)
	}
	if j.doubts > 0 && v.fate != inDoubt && !betters(v) {
		return v // the outcome stays that of the attempt in doubt
	}
	j.outcome.ProviderCode, j.outcome.ProviderText, j.outcome.ProviderMessageID = answer.Code, answer.Text, answer.SendID
	j.outcome.SubmittedAt, j.outcome.Latency = start, latency
	if v.fate == settled {
		most := len(j.mobiles) // an answer may claim more than was asked for
		j.outcome.Accepted = min(answer.Accepted, most)
		j.outcome.Invalid = min(answer.Invalid, most)
		j.outcome.Blocked = min(answer.Blocked, most)
	}
	return v
}

// close makes the verdict durable and takes it into the part's outcome.
func (j *partRun) close(work context.Context, permit Permit, v verdict, trial bool) error {
	switch {
	case v.fate == inDoubt, v.fate == settled && j.doubts == 0, betters(v):
		return j.done(work, permit, v)
	case v.fate == settled:
		// Refused, and so would a third be; the first one's doubt remains. The
		// attempt was judged all the same: released, it would leave an heir the
		// right to make it once more.
		j.doubts = mostDoubts
		return j.record(work, permit)
	case v.fate == unsent && !trial:
		j.tries++
		j.last = v.reason
	default:
		j.last = v.reason
	}
	return release(work, permit, nil)
}

func (j *partRun) done(work context.Context, permit Permit, v verdict) error {
	j.outcome.Status, j.outcome.Reason = v.status, v.reason
	j.outcome.PossibleDuplicate = j.doubts > 0
	if v.fate == inDoubt {
		j.doubts++
	}
	return j.record(work, permit)
}

// record makes the part's outcome as it is now durable.
func (j *partRun) record(work context.Context, permit Permit) error {
	if err := permit.Done(work, j.outcome); err != nil {
		return fmt.Errorf("%w: %w", errNotDurable, err)
	}
	return nil
}

// release gives a permit back without a request having been made or carried
// out, for the given cause.
func release(work context.Context, permit Permit, cause error) error {
	if err := permit.Release(work); err != nil {
		return fmt.Errorf("permit not released: %w", err)
	}
	return cause
}

// suspectPause is how long a text that was refused by HTTP lets others go first.
const suspectPause = 2 * time.Second

// suspect sets a part aside that was refused by HTTP. If others pass meanwhile and
// it is refused again, then it is this text that the gateway does not let through.
func (j *partRun) suspect() {
	answered := j.config.Line.answers()
	if j.refused && answered > j.answered {
		j.end(sms.Rejected, sms.GatewayRefused)
		return
	}
	j.refused, j.answered = true, answered
	j.notBefore, j.resting = time.Now().Add(suspectPause), forBackoff
}

// rest says when the next attempt may be made, or gives the part up: an answer now
// is worth more than the same answer when the validity ends.
func (j *partRun) rest(ctx context.Context, v verdict) error {
	if j.config.Retry.MaxAttempts > 0 && j.tries >= j.config.Retry.MaxAttempts {
		j.end(sms.Failed, v.reason)
		return nil
	}
	if j.backoff == nil {
		j.backoff = j.config.Retry.backoff()
	}
	wait := max(min(j.backoff.NextBackOff(), j.config.Retry.Max), v.after)
	j.notBefore, j.resting = time.Now().Add(wait), forBackoff
	if v.signal == busy {
		j.resting = sms.RateLimited
	}
	if !j.notBefore.Before(j.plan.expires) {
		return errExpired
	}
	j.metrics.retried(ctx, v.fate)
	return nil
}
