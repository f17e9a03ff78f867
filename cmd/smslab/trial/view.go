package trial

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// view is a history, looked up in every way that the invariants need.
type view struct {
	*History
	byID        map[string]*story
	stories     []*story // in the order of their first record
	rowsAt      map[Position][]*Result
	commandAt   map[Position]*Command
	byKey       map[string][]*Command // in the order of offsets; nothing without a key
	byPartition map[int32][]*Command  // in the order of offsets
	faults      []Event               // what was done to the run, in the order of time
}

// story is everything about one command id.
type story struct {
	id          string
	commands    []*Command // more than one when the id was repeated, in the order of offsets
	submissions []*Submission
	rows        []*Result
}

func newView(h *History) *view {
	v := &view{
		History: h, byID: map[string]*story{}, rowsAt: map[Position][]*Result{},
		commandAt: map[Position]*Command{}, byKey: map[string][]*Command{}, byPartition: map[int32][]*Command{},
	}
	v.faults = slices.DeleteFunc(slices.Clone(h.Events), func(e Event) bool {
		return e.Kind == Start || e.Kind == Exit || e.Kind == Unclean
	})
	slices.SortFunc(v.faults, func(a, b Event) int { return a.At.Compare(b.At) })
	for i := range h.Commands {
		c := &h.Commands[i]
		v.commandAt[c.Position] = c
		v.byPartition[c.Partition] = append(v.byPartition[c.Partition], c)
		if c.Key != "" {
			v.byKey[c.Key] = append(v.byKey[c.Key], c)
		}
		if c.ID != "" {
			s := v.story(c.ID)
			s.commands = append(s.commands, c)
		}
	}
	byOffset := func(a, b *Command) int { return int(a.Offset - b.Offset) }
	for _, list := range v.byPartition {
		slices.SortFunc(list, byOffset)
	}
	for _, list := range v.byKey {
		slices.SortFunc(list, byOffset)
	}
	for _, s := range v.stories {
		slices.SortFunc(s.commands, byOffset)
	}
	for i := range h.Submissions {
		s := v.story(h.Submissions[i].ID)
		s.submissions = append(s.submissions, &h.Submissions[i])
	}
	for i := range h.Results {
		r := &h.Results[i]
		v.rowsAt[r.Command] = append(v.rowsAt[r.Command], r)
		s := v.story(r.ID)
		s.rows = append(s.rows, r)
	}
	return v
}

func (v *view) story(id string) *story {
	s, ok := v.byID[id]
	if !ok {
		s = &story{id: id}
		v.byID[id] = s
		v.stories = append(v.stories, s)
	}
	return s
}

// parts groups the submissions by the part that they were for.
func (s *story) parts() map[string][]*Submission {
	parts := map[string][]*Submission{}
	for _, sub := range s.submissions {
		parts[sub.Number] = append(parts[sub.Number], sub)
	}
	return parts
}

// resend reports whether the command wished to be submitted once more in doubt.
func (s *story) resend() bool { return len(s.commands) > 0 && s.commands[0].Resend }

// truth is the row of the highest revision, among equals the latest.
func truth(rows []*Result) *Result {
	var best *Result
	for _, r := range rows {
		if best == nil || r.Revision > best.Revision || r.Revision == best.Revision && r.Row.Offset > best.Row.Offset {
			best = r
		}
	}
	return best
}

// reportsInOrder are the rows of the reports topic as their readers see them.
func (v *view) reportsInOrder() []*Report {
	rows := make([]*Report, len(v.Reports))
	for i := range v.Reports {
		rows[i] = &v.Reports[i]
	}
	slices.SortStableFunc(rows, func(a, b *Report) int {
		return cmp.Or(cmp.Compare(a.Row.Partition, b.Row.Partition), cmp.Compare(a.Row.Offset, b.Row.Offset))
	})
	return rows
}

// facts tells a story, earliest records first, without a number or a text.
func (s *story) facts(subs []*Submission, rows []*Result) []string {
	facts := make([]string, 0, len(s.commands)+len(subs)+len(rows))
	for _, c := range s.commands {
		facts = append(facts, c.fact())
	}
	for _, sub := range subs {
		facts = append(facts, sub.fact(s.commands))
	}
	for _, r := range rows {
		facts = append(facts, r.fact())
	}
	return facts
}

const clock = "15:04:05.000"

func (p Position) String() string { return fmt.Sprintf("%d@%d", p.Partition, p.Offset) }

func (c *Command) fact() string {
	return fmt.Sprintf("%s command %s, id %q, key %q, %d recipients", c.At.Format(clock), c.Position, c.ID, head(c.Key), len(c.Numbers))
}

// head is enough of a key to know it.
func head(key string) string {
	const most = 64
	if len(key) <= most {
		return key
	}
	return fmt.Sprintf("%s… (%d bytes)", key[:most], len(key))
}

func (s *Submission) fact(commands []*Command) string {
	from := "?"
	for _, c := range commands {
		if i := slices.Index(c.Numbers, s.Number); i >= 0 {
			from = fmt.Sprint(i)
			break
		}
	}
	said := "code " + s.Code
	if s.Code == "" {
		said = "nothing done"
	}
	if s.Fault != "" {
		said += ", fault " + s.Fault
	}
	return fmt.Sprintf("%s submission of %q, %d recipients from number %s on: %s, sendid %s", s.At.Format(clock), s.ID, s.Count, from, said, tail(s.SendID))
}

func (r *Result) fact() string {
	return fmt.Sprintf("%s result %s of command %s (%q): revision %d %s, reason %q, event %s",
		r.At.Format(clock), r.Row, r.Command, r.ID, r.Revision, r.Status, r.Reason, tail(r.EventID))
}

func (r *Report) tell() string {
	return fmt.Sprintf("report %s of %q (%s): sendid %s %s %s, revision %d %s, event %s",
		r.Row, r.ID, r.Command, tail(r.SendID), r.Status, r.State, r.Revision, r.Correlation, tail(r.EventID))
}

func (p *Push) tell(what string) string {
	return fmt.Sprintf("%s push of %s, sendid %s %s: answered %d", p.At.Format(clock), what, tail(p.SendID), p.State, p.Status)
}

func (e *Event) fact() string {
	s := fmt.Sprintf("%s %s %s", e.At.Format(clock), e.Kind, e.Instance)
	if !e.Until.IsZero() {
		s += " until " + e.Until.Format(clock)
	}
	return strings.TrimSpace(s + " " + e.Detail)
}

// tail is enough of an identifier to find it.
func tail(id string) string {
	if len(id) <= 8 {
		return id
	}
	return "…" + id[len(id)-8:]
}

// frozen reports whether t lies in a freeze or so shortly after it that a
// submission may still be the woken process's last one.
func (v *view) frozen(t time.Time) bool {
	const last = 2 * time.Second
	return slices.ContainsFunc(v.Events, func(e Event) bool {
		return e.Kind == Freeze && !t.Before(e.At) && (e.Until.IsZero() || t.Before(e.Until.Add(last)))
	})
}

func (v *view) count(kind Kind) int {
	n := 0
	for _, e := range v.Events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}
