package submit

import (
	"context"
	"fmt"
	"time"

	"smsbridge/codec/sms"
)

// Run is one command on its way to its result. It is for one goroutine at a time
// and has none: what it must wait for it says, and holds nothing meanwhile but its
// place before the caps.
type Run struct {
	submitter *Submitter
	cmd       *sms.Command
	guard     Guard
	history   History
	plan      plan
	span      span
	start     time.Time

	parts    []Part
	next     int      // index of the part after part
	part     *partRun // under way; nil between two
	outcomes []sms.Submission
}

// Wait is what a command waits for: a time, or one of some events, whichever comes
// first.
type Wait struct {
	Until time.Time
	On    []*Event
	For   sms.Reason // what stands in its way
}

// Begin starts a command's way. Work bounds the span.
func (s *Submitter) Begin(work context.Context, cmd *sms.Command, history History, guard Guard) *Run {
	r := &Run{submitter: s, cmd: cmd, guard: guard, history: history, plan: s.planFor(cmd), start: time.Now()}
	r.span = s.tracing.start(work, cmd)
	r.parts = r.plan.split(history, s.config.MaxRecipients)
	if r.plan.fault != nil {
		r.parts = history.Parts // what was begun must be told, nothing is begun
	}
	r.outcomes = make([]sms.Submission, 0, len(r.parts))
	return r
}

// Step brings the command on: to its result, or to where it must wait. Then Step
// is to be called again when the wait is over, or Drop. It blocks for the guard, a
// slot and the provider. An error means that the command is not decided and must
// not be committed.
//
// There are two lifetimes. When ctx ends, whatever was not submitted yet gives up,
// parts that would follow a submitted one too: whoever owns the command next takes
// up the same split. What has left is brought to its end under work, which must
// last longer by the time of a submit, as nobody can be asked later what came of it.
func (r *Run) Step(ctx, work context.Context) (*sms.Result, *Wait, error) {
	work = r.span.within(work)
	for {
		if r.part == nil && !r.nextPart() {
			return r.finish(work), nil, nil
		}
		wait, err := r.part.step(ctx, work)
		if wait != nil {
			return nil, wait, nil
		}
		if err != nil {
			r.span.fail()
			r.Drop()
			return nil, nil, fmt.Errorf("submit: part %d not decided: %w", r.part.number, err)
		}
		r.part.leave()
		r.outcomes, r.part = append(r.outcomes, r.part.outcome), nil
	}
}

// Drop ends the way of a command that is not brought on any more.
func (r *Run) Drop() {
	if r.part != nil {
		r.part.leave()
	}
	r.span.end()
}

// nextPart begins the next part that has anybody in it, if there is one.
func (r *Run) nextPart() bool {
	s := r.submitter
	for r.next < len(r.parts) {
		number, part := r.next, &r.parts[r.next]
		r.next++
		mobiles, fits := r.plan.mobiles(part)
		if fits && len(mobiles) == 0 {
			continue // nobody in it is allowed
		}
		p := &partRun{Submitter: s, cmd: r.cmd, plan: &r.plan, guard: r.guard, number: number, mobiles: mobiles}
		p.resume(part, fits)
		if s.config.Caps != nil {
			p.place = s.config.Caps.Queue(part.Last - part.First + 1) // as its intent says
		}
		r.part = p
		return true
	}
	return false
}

func (r *Run) finish(work context.Context) *sms.Result {
	defer r.span.end()
	result := r.submitter.sum(r.cmd, &r.plan, r.outcomes)
	result.Trace = r.span.trace(r.cmd.Trace)
	r.span.tell(result)
	r.submitter.tell(work, result, r.start)
	return result
}
