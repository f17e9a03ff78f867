package submit

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"sync"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/codec/wire"
	"smsbridge/connector/provider"
)

// When the line is held for what happened to submits, rather than for what the
// provider said of the account.
const (
	unsentInRow    = 5  // failures that reached nobody
	doubtfulInRow  = 5  // submits that may have been carried out
	busyInRow      = 5  // told to come later
	refusedInRow   = 5  // refused by HTTP, though others had passed before
	recentOutcomes = 20 // of these, half doubtful
)

// passedLately is how long after the last answer a refusal by HTTP is taken for one
// text's trouble: it says nothing of a line by which others pass.
const passedLately = time.Minute

// free is the concurrency of a line that nothing holds back.
const free = math.MaxInt

// LineConfig says what a line works with.
type LineConfig struct {
	// Balance asks the provider for the balance. It costs nothing and answers
	// the account's codes as a submit would.
	Balance func(context.Context) (wire.Balance, *provider.Failure)
	// MaxInFlight is the number of concurrent submits at which a line that
	// reopens by one and doubles counts as free again.
	MaxInFlight int
	Log         *slog.Logger
}

// Line is the way to the provider. It is held when submits are pointless
// (account, balance, address, nobody there) or harmful (answers that do not
// come: each would leave a command in doubt), and opens by itself: Run asks the
// balance until that speaks for a trial, one submit goes first, and every
// success doubles how many may follow at once.
type Line struct {
	config LineConfig
	asking balanceDesk

	mu       sync.Mutex
	state    State
	capped   time.Time // since when commands wait for a cap; zero: none does
	cause    cause
	heldAt   time.Time // of the last hold; State.Since is that of the first in a row
	epoch    uint64    // counts holds; what was submitted before one says nothing of what came after
	limit    int       // submits that may be under way: 0 held, free open, between: reopening
	entered  int       // submits under way since the last hold
	unsent   int       // in a row
	busy     int       // in a row
	rejected int       // by HTTP, in a row
	passed   uint64    // submits that were answered
	passedAt time.Time // the last of them
	doubtful int       // in a row
	recent   outcomes
	floor    float64       // lowest balance seen in a hold for want of money
	pause    time.Duration // before the next probe
	patience time.Duration // with a line that nothing can prove
	moved    *Event        // happens when anything above changed that somebody waits for; nil when nobody does
	holds    chan struct{} // tells Run of a hold; one is enough, it then looks for itself
}

// cause is what a held line waits for.
type cause int

const (
	account     cause = iota + 1 // the account's codes: the balance must answer 0
	credit                       // no money: the balance must rise
	address                      // refused by HTTP: the balance must be answered at all
	unreachable                  // nobody there: somebody must answer
	ambiguity                    // no answers to submits: only a submit can tell
	throttled                    // told to come later, whoever asks: the balance must be answered
)

// signal is what the outcome of a submit says of the line.
type signal int

const (
	nothing      signal = iota // not submitted after all
	busy                       // reached, and told to come later
	answered                   // judged by its content
	unansweredBy               // may have been carried out
	unsentTo                   // reached nobody
	refused                    // the account or the address is at fault
)

// ticket is the right to make one submit.
type ticket struct {
	epoch uint64
	trial bool // the line was reopening
	back  bool // given back
}

// NewLine returns an open line. Run must run, or a line once held stays so.
func NewLine(c LineConfig) (*Line, error) {
	if c.Balance == nil || c.MaxInFlight < 1 || c.Log == nil {
		return nil, errors.New("submit: a line needs Balance, MaxInFlight of 1 or more, and Log")
	}
	return &Line{
		config: c,
		asking: balanceDesk{ask: c.Balance, turn: make(chan struct{}, 1)},
		state:  State{Line: sms.LineOpen, Since: time.Now()},
		limit:  free,
		pause:  probeFirst,

		patience: unprovenFirst,
		holds:    make(chan struct{}, 1),
	}, nil
}

// closed returns nil when a submit may begin, else what to wait for before asking
// again.
func (l *Line) closed() *Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.entered < l.limit {
		return nil
	}
	return l.movement()
}

// movement returns the next change. mu is held.
func (l *Line) movement() *Event {
	if l.moved == nil {
		l.moved = NewEvent()
	}
	return l.moved
}

// announce wakes everyone who waits. mu is held.
func (l *Line) announce() {
	if l.moved != nil {
		l.moved.Happen()
		l.moved = nil
	}
}

// enter gives the right to submit once, if there is one. Every ticket goes back
// by leave, and the first time counts.
func (l *Line) enter() (ticket, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.entered >= l.limit {
		return ticket{}, false
	}
	l.entered++
	return ticket{epoch: l.epoch, trial: l.limit != free}, true
}

// stands reports whether the line was not held since t was given. It is asked
// once more just before the request, so that after a hold only those submits
// follow that were already on their way.
func (l *Line) stands(t *ticket) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return t.epoch == l.epoch
}

// leave gives a ticket back and tells what came of the submit. Whatever began
// before the last hold is heard no more: it describes the line as it was.
func (l *Line) leave(t *ticket, v verdict) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.back || t.epoch != l.epoch {
		return
	}
	t.back = true
	l.entered--
	reopening := l.limit != free
	switch v.signal {
	case nothing:
	case busy:
		l.unsent = 0
		l.busy++
		if l.busy >= busyInRow {
			l.hold(throttled, v)
		}
	case answered:
		l.unsent, l.doubtful, l.busy, l.rejected = 0, 0, 0, 0
		l.passed++
		l.passedAt = time.Now()
		l.recent.add(false)
		l.widen()
	case unansweredBy:
		l.unsent = 0
		l.doubtful++
		l.recent.add(true)
		if reopening || l.doubtful >= doubtfulInRow || l.recent.halfDoubtful() {
			l.hold(ambiguity, v)
		}
	case unsentTo:
		l.unsent++
		if reopening || l.unsent >= unsentInRow {
			l.hold(unreachable, v)
		}
	case refused:
		l.rejected++
		if v.cause != address || reopening || !l.passes() {
			l.hold(v.cause, v)
		}
	}
	if reopening {
		l.announce()
	}
}

// passes reports whether others pass, so that a refusal by HTTP is about one text.
// mu is held.
func (l *Line) passes() bool {
	return l.rejected < refusedInRow && time.Since(l.passedAt) <= passedLately
}

// answers counts the submits that were answered: where it has grown, others passed.
func (l *Line) answers() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.passed
}

// hold stops everything that has not been submitted yet. mu is held.
func (l *Line) hold(c cause, v verdict) {
	now := time.Now()
	l.epoch++
	l.limit, l.entered = 0, 0
	l.unsent, l.doubtful, l.busy, l.rejected, l.recent = 0, 0, 0, 0, outcomes{}
	l.heldAt = now
	l.floor = math.Inf(1)
	l.blame(c, v.reason, v.err)
	select {
	case l.holds <- struct{}{}:
	default:
	}
}

// blame names what the line is held for, and err what happened, where it was no
// answer. mu is held.
func (l *Line) blame(c cause, reason sms.Reason, err error) {
	l.cause = c
	if l.state.Line == sms.LineHeld && l.state.Reason == reason {
		return
	}
	if l.state.Line == sms.LineOpen {
		l.state.Since = time.Now()
	}
	l.state.Line, l.state.Reason = sms.LineHeld, reason
	said := []any{"reason", string(reason)}
	if err != nil {
		said = append(said, "error", err)
	}
	l.config.Log.Warn("line held", said...)
	l.announce()
}

// reopen lets one submit through, or few. After ambiguity the line still counts as held
// until that submit is answered, as nothing else proves anything; else an hour
// of hanging would be told as a hundred openings. mu is held.
func (l *Line) reopen() {
	l.limit = 1
	if l.cause == throttled {
		// Nothing was sent by what is throttled, and one that is says nothing of others:
		// as many are tried as it takes to hold the line again.
		l.limit = busyInRow
	}
	if l.cause != ambiguity {
		l.declareOpen()
	}
	l.announce()
}

// widen doubles what a reopening line lets through. mu is held.
func (l *Line) widen() {
	if l.limit == free {
		return
	}
	l.pause, l.patience = probeFirst, unprovenFirst
	l.declareOpen()
	l.limit *= 2
	if l.limit >= l.config.MaxInFlight {
		l.limit = free
	}
	l.announce()
}

// declareOpen says that the line is open. mu is held.
func (l *Line) declareOpen() {
	if l.state.Line == sms.LineOpen {
		return
	}
	now := time.Now()
	l.config.Log.Info("line open", "held_for", now.Sub(l.state.Since))
	l.state = State{Line: sms.LineOpen, Since: now}
}
