package caps

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"

	"smsbridge/connector/kafkaio"
	"smsbridge/connector/submit"
)

// Config says what the caps are and what is counted.
type Config struct {
	PerMinute, PerDay int    // recipients; 0: no such cap, but not both
	Group             string // whose submits count
	Journal           string // topic
	Client            *kafkaio.Client

	// Reached is told when commands begin to wait for a cap, and when none does
	// any more. It must not block.
	Reached func(bool)

	Log   *slog.Logger
	Meter metric.Meter
}

// Caps hold the group to its caps. They implement submit.Caps. CatchUp comes
// first, and then Run runs; before that nothing is let through.
type Caps struct {
	config Config
	most   int // recipients of a request
	looks  looks

	follower *kafkaio.Follower // of CatchUp and Run

	mu       sync.Mutex
	count    *count
	journal  journalView // nil while it is behind
	journals int         // partitions that the journal is known to have
	share    float64     // of the group's partitions
	reserved int         // recipients let through whose intents were not looked at yet
	queue    []*place    // in the order of arrival
	lot      float64     // for less than a share; drawn anew with each tick
	shy      time.Time   // nothing is reserved before it
	reached  bool        // as it was told
	waited   time.Time   // when anybody did last
}

// journalView is what was read of the journal; a kafkaio.Follower is.
type journalView interface {
	Partitions() int
	// Sync returns when everything was taken that stood there at the call.
	Sync(ctx context.Context) error
}

// New makes caps. Until SetShare is called all of them are ours.
func New(c Config) (*Caps, error) {
	if c.PerMinute <= 0 && c.PerDay <= 0 || c.PerMinute < 0 || c.PerDay < 0 || c.Reached == nil {
		return nil, errors.New("caps: a cap above zero and Reached are needed")
	}
	caps := &Caps{config: c, most: math.MaxInt, share: 1, looks: newLooks(), count: newCount(c.Group, c.PerMinute, c.PerDay)}
	for _, w := range caps.count.windows {
		caps.most = min(caps.most, w.limit)
	}
	return caps, caps.newMetrics(c.Meter)
}

// Span is how far back the journal matters to caps, 0 where there are none.
func Span(perMinute, perDay int) time.Duration {
	switch {
	case perDay > 0:
		return day.length + longestAttempt
	case perMinute > 0:
		return minute.length + longestAttempt
	default:
		return 0
	}
}

// Most is how many recipients a request may have to be ever let through.
func (c *Caps) Most() int { return c.most }

// SetShare says how many of all partitions are ours, and how many partitions the
// journal has.
func (c *Caps) SetShare(owned, total, journals int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if owned > 0 && total >= owned {
		c.share = float64(owned) / float64(total)
	}
	c.journals = journals
	c.nudge()
}

// Queue implements submit.Caps.
func (c *Caps) Queue(recipients int) submit.Place {
	return &place{caps: c, recipients: recipients, wake: submit.NewEvent()}
}

// place is that of one request.
type place struct {
	caps       *Caps
	recipients int
	wake       *submit.Event // it may be its turn, it then looks for itself

	queued, reserved bool
}

// Reserve implements submit.Place. A request of more recipients than a cap, as
// of a split that was begun under a higher one, never has its turn.
func (p *place) Reserve() *submit.Event {
	c := p.caps
	if p.recipients > c.most {
		return p.wake
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	wake := p.wake
	if !p.queued && !p.reserved {
		p.queued = true
		c.queue = append(c.queue, p)
	}
	if p.queued && c.queue[0] == p && c.room(p.recipients) {
		if float64(c.reserved+p.recipients) > c.mine() {
			c.lot = math.Inf(1) // one for each drawing
		}
		c.queue = c.queue[1:]
		c.reserved += p.recipients
		p.queued, p.reserved = false, true
	}
	c.nudge()
	if p.reserved {
		return nil
	}
	return wake
}

// Confirm implements submit.Place.
func (p *place) Confirm(ctx context.Context) (bool, error) {
	c := p.caps
	seen := c.look(ctx)
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p.giveBack() // the intent counts from here on
	fits := seen && c.journal != nil && c.count.left(time.Now()) >= 0
	if !fits {
		// Others took the room at the same time: both give way, for not quite as
		// long. Or nobody reads the journal at the moment.
		c.shy = time.Now().Add(tick + rand.N(2*tick))
	}
	c.nudge()
	return fits, nil
}

// Leave implements submit.Place.
func (p *place) Leave() {
	c := p.caps
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.queued {
		c.queue = slices.DeleteFunc(c.queue, func(q *place) bool { return q == p })
		p.queued = false
	}
	p.giveBack()
	c.nudge()
}

func (p *place) giveBack() {
	if p.reserved {
		p.caps.reserved -= p.recipients
		p.reserved = false
	}
}

// room reports whether so many recipients may be reserved now. mu is held.
func (c *Caps) room(recipients int) bool {
	now := time.Now()
	if c.journal == nil || c.journals > c.journal.Partitions() || now.Before(c.shy) ||
		c.reserved+recipients > c.count.left(now) {
		return false
	}
	// What is less than our share is drawn by lot: else the last recipients of a
	// cap could be nobody's share.
	return c.lot*float64(recipients) < c.mine()-float64(c.reserved) || float64(c.reserved+recipients) <= c.mine()
}

// mine is our share of what is left. mu is held.
func (c *Caps) mine() float64 { return c.share * float64(c.count.left(time.Now())) }

// lull is how long nobody must have waited for a cap before it is told so: where
// commands come a little faster than the cap lets them go, each waits a moment.
const lull = time.Second

// nudge wakes the first of the queue when it may be its turn, and tells whether
// anybody waits for a cap. mu is held.
func (c *Caps) nudge() {
	now := time.Now()
	reached := c.reached && now.Sub(c.waited) < lull
	if len(c.queue) > 0 {
		first := c.queue[0]
		c.waited = now
		reached = reached || c.journal != nil && first.recipients > c.count.left(now)
		if c.room(first.recipients) {
			first.wake.Happen()
			first.wake = submit.NewEvent()
		}
	}
	if reached != c.reached {
		c.reached = reached
		c.config.Reached(reached)
	}
}
