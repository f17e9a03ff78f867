package submit

import (
	"context"
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
	s.metrics, err = newMetrics(c.Meter, c.Line, s.InFlight)
	return s, err
}

// InFlight is how many requests may have left and are not answered yet.
func (s *Submitter) InFlight() int { return len(s.slots) }

// tell counts a result.
func (s *Submitter) tell(ctx context.Context, r *sms.Result, start time.Time) {
	from := r.CommandedAt
	if from.Unix() <= 0 {
		from = start
	}
	s.metrics.resulted(ctx, r, r.At.Sub(from))
}
