package submit

import (
	"context"
	"fmt"
	"time"

	"smsbridge/codec/sms"
)

// Submitter brings commands to their results. It may be used by many
// goroutines; it has none of its own.
type Submitter struct {
	config  Config
	allow   []string
	credits chan struct{} // parts with an intent, or about to have one: twice the slots, so that intents are written ahead
	slots   chan struct{} // parts whose request may have left: what a crash can leave in doubt
	metrics *metrics
	tracing tracing
}

// New makes a Submitter.
func New(c Config) (*Submitter, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	s := &Submitter{
		config:  c,
		allow:   allowList(c.NumberAllow),
		credits: make(chan struct{}, 2*c.MaxInFlight),
		slots:   make(chan struct{}, c.MaxInFlight),
		tracing: newTracing(c.Tracer, c.Group),
	}
	var err error
	s.metrics, err = newMetrics(c.Meter, c.Line, func() int { return len(s.slots) })
	return s, err
}

// Submit brings a command to its result. It blocks: for the line, the rate, the
// guard, a slot, the provider, and between attempts, until the validity ends.
// An error means that the command is not decided and must not be committed.
//
// There are two lifetimes. When ctx ends, whatever was not submitted yet gives
// up, the parts behind a submitted one too: the next owner takes them up, with
// the same split, where a stop or a rebalance that waited for them would end in
// the midst of one and leave it in doubt. What has left is brought to its end
// under work, which should last longer by the time of a submit, as nobody can be
// asked later what came of it.
func (s *Submitter) Submit(ctx, work context.Context, cmd *sms.Command, history History, guard Guard) (*sms.Result, error) {
	start := time.Now()
	work, span := s.tracing.start(work, cmd)
	defer span.end()

	p := s.planFor(cmd)
	parts := p.split(history, s.config.MaxRecipients)
	outcomes := make([]sms.Submission, 0, len(parts))
	if p.fault != nil {
		parts = history.Parts // what was begun must be told, nothing is begun
	}
	for i := range parts {
		mobiles, fits := p.mobiles(&parts[i])
		if fits && len(mobiles) == 0 {
			continue // nobody in it is allowed
		}
		j := journey{Submitter: s, cmd: cmd, plan: &p, guard: guard, number: i, mobiles: mobiles}
		j.resume(&parts[i], fits)
		if s.config.Caps != nil {
			j.place = s.config.Caps.Queue(parts[i].Last - parts[i].First + 1) // as its intent says
		}
		outcome, err := j.travel(ctx, work)
		if err != nil {
			span.fail()
			return nil, fmt.Errorf("submit: part %d not decided: %w", i, err)
		}
		outcomes = append(outcomes, outcome)
	}

	r := s.sum(cmd, &p, outcomes)
	r.Trace = span.trace(cmd.Trace)
	span.tell(r)
	s.tell(work, r, start)
	return r, nil
}

// tell counts a result.
func (s *Submitter) tell(ctx context.Context, r *sms.Result, start time.Time) {
	from := r.CommandedAt
	if from.Unix() <= 0 {
		from = start
	}
	s.metrics.resulted(ctx, r, r.At.Sub(from))
}
