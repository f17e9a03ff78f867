package submit

import (
	"time"

	"smsbridge/codec/sms"
)

// State is the line as others may see it.
type State struct {
	Line   sms.LineState
	Reason sms.Reason // empty when open
	Since  time.Time
}

// Watch returns the state, and the next time that it may have changed. Who looks late sees the latest state, not every one in between.
func (l *Line) Watch() (State, *Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.told(), l.movement()
}

// State returns the state of the line.
func (l *Line) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.told()
}

// Cap says whether commands wait for a cap. The line is then told as held, though
// nothing is wrong with it: what is within the cap goes on.
func (l *Line) Cap(reached bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	switch {
	case reached && l.capped.IsZero():
		l.capped = now
		l.config.Log.Warn("cap reached, commands wait")
	case !reached && !l.capped.IsZero():
		l.config.Log.Info("no command waits for a cap any more", "waited_for", now.Sub(l.capped))
		l.capped = time.Time{}
	default:
		return
	}
	l.announce()
}

// told is the state as others see it: what is wrong with the line goes before a
// cap. mu is held.
func (l *Line) told() State {
	if l.state.Line == sms.LineOpen && !l.capped.IsZero() {
		return State{Line: sms.LineHeld, Reason: sms.CapReached, Since: l.capped}
	}
	return l.state
}
