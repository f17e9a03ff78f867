package caps

import (
	"slices"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/connector/journal"
)

// count is what the group has submitted, by what its journal says.
type count struct {
	group   string
	windows []*window
	open    map[command][]attempt // not ended yet
	opened  int                   // recipients of these
}

// command is the place of a command: partition and offset.
type command struct {
	partition int
	offset    int64
}

// attempt is one whose intent stands at a position of the journal.
type attempt struct {
	at         int64
	recipients int
	since      time.Time
}

// longestAttempt is longer than any attempt takes. One without an end is nobody's
// any more, as of a command topic that was made anew; it must not count for ever.
const longestAttempt = 15 * time.Minute

func newCount(group string, perMinute, perDay int) *count {
	c := &count{group: group, open: make(map[command][]attempt)}
	if perMinute > 0 {
		c.windows = append(c.windows, newWindow(perMinute, minute))
	}
	if perDay > 0 {
		c.windows = append(c.windows, newWindow(perDay, day))
	}
	return c
}

// take takes up an entry of the journal, which stands at a position and says
// something of a time not later than now.
func (c *count) take(e *journal.Entry, partition int, position int64, at, now time.Time) {
	if e.Group != c.group {
		return
	}
	id := command{partition, e.Command.Offset}
	switch e.Kind { //nolint:exhaustive // the others neither begin nor end an attempt
	case journal.IntentEntry:
		n := e.Last - e.First + 1
		c.open[id] = append(c.open[id], attempt{at: position, recipients: n, since: at})
		c.opened += n
	case journal.ReleasedEntry:
		c.end(id, e.Intent)
	case journal.DoneEntry:
		c.answer(id, e, at, now)
	case journal.FinalEntry:
		c.answer(id, e, at, now)
		// The command is told; what is still open of it was a dead process's, and
		// may have been submitted.
		for _, a := range c.open[id] {
			c.opened -= a.recipients
			c.add(now, at, a.recipients)
		}
		delete(c.open, id)
	}
}

// answer counts what came of an attempt, once: where its end is known already the
// entry is a zombie's, or about an attempt from before the window.
func (c *count) answer(id command, e *journal.Entry, at, now time.Time) {
	if e.Submission == nil {
		return
	}
	if n := c.end(id, e.Intent); n > 0 {
		c.add(now, at, accepted(e.Submission, n))
	}
}

// accepted is how many of n recipients were or may have been accepted.
func accepted(s *sms.Submission, n int) int {
	switch s.Status {
	case sms.Accepted, sms.PartiallyAccepted:
		return min(s.Accepted, n)
	case sms.Unknown:
		return n
	default:
		return 0
	}
}

// end takes an attempt out of the open ones and returns its recipients, 0 where
// it is not among them.
func (c *count) end(id command, at int64) int {
	all := c.open[id]
	i := slices.IndexFunc(all, func(a attempt) bool { return a.at == at })
	if i < 0 {
		return 0
	}
	n := all[i].recipients
	c.opened -= n
	if len(all) == 1 {
		delete(c.open, id)
	} else {
		c.open[id] = slices.Delete(all, i, i+1)
	}
	return n
}

func (c *count) add(now, at time.Time, n int) {
	for _, w := range c.windows {
		w.add(now, at, n)
	}
}

// left is how many recipients are within every cap now.
func (c *count) left(now time.Time) int {
	left := c.windows[0].left(now)
	for _, w := range c.windows[1:] {
		left = min(left, w.left(now))
	}
	return left - c.opened
}

// sweep counts what has been open for too long as submitted when it began.
func (c *count) sweep(now time.Time) {
	for id, all := range c.open {
		for _, a := range slices.Clone(all) {
			if now.Sub(a.since) > longestAttempt {
				c.add(now, a.since.Add(longestAttempt), c.end(id, a.at))
			}
		}
	}
}
