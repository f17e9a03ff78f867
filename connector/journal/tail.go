package journal

import "math"

// tail knows which part of the journal was read or written by us. Reading back
// everything that we write would cost as much as writing it; but every ack says
// where our record stands, so only a gap between two of them, or an end above
// the last, can hold what others wrote.
type tail struct {
	read     int64 // all below is known
	from, to int64 // ours behind a gap: [from, to); equal when there is no gap
	pending  []int64
	newer    int64 // lowest position of a record that only a newer program understands
}

func (t *tail) begin(at int64) { t.read, t.from, t.to, t.newer = at, at, at, math.MaxInt64 }

// own: a record of ours stands at a position.
func (t *tail) own(at int64) {
	switch {
	case at < t.read:
	case t.from == t.to && at == t.read:
		t.read, t.from, t.to = at+1, at+1, at+1
	case t.from < t.to && at == t.to:
		t.to++
	default:
		t.from, t.to = at, at+1
	}
}

// gap returns what is to be read, none when both are equal.
func (t *tail) gap() (from, to int64) {
	if t.from == t.to {
		return t.read, t.read
	}
	return t.read, t.from
}

// through: everything below a position was read.
func (t *tail) through(at int64) {
	t.read = max(t.read, at)
	if t.read >= t.from {
		t.read = max(t.read, t.to)
		t.from, t.to = t.read, t.read
	}
}
