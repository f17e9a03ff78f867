package trial

import (
	"fmt"
	"slices"
	"time"
)

const (
	// promptly is within what whoever a fault does not concern has its result.
	promptly = 5 * time.Second
	// rejoining is what a rebalance may take beyond the session that precedes it.
	rejoining = time.Second
)

// bystander is a command that a fault did not concern while it lasted.
type bystander struct {
	command *Command
	during  *Event
	waited  time.Duration // not counting rebalances and what concerned everybody
}

// bystandersGoOn: I22.
func bystandersGoOn(v *view) []Violation {
	var broken []Violation
	for _, b := range v.bystanders() {
		if b.waited <= promptly {
			continue
		}
		facts := []string{b.during.fact(), b.command.fact()}
		if row := v.firstRow(b.command); row != nil {
			facts = append(facts, row.fact())
		}
		broken = append(broken, Violation{Facts: append(facts, fmt.Sprintf("the fault did not concern it, and it waited for %v", b.waited.Round(time.Millisecond)))})
	}
	return broken
}

// bystanders are the commands that were under way while a fault of others lasted,
// or so shortly after it that it may have held them, and that nothing concerned:
// not their record, text, key, class or partition, no fault of their own submits,
// and no command before them in their key that was concerned.
func (v *view) bystanders() []bystander {
	var partial, general []Event
	for _, e := range v.faults {
		if e.Scope != nil {
			e.Until = v.over(&e)
			partial = append(partial, e)
		} else {
			general = append(general, e)
		}
	}
	if len(partial) == 0 {
		return nil
	}
	concerned := v.concerned(partial)
	var found []bystander
	for i := range v.Commands {
		c := &v.Commands[i]
		if concerned[c] || c.Gone {
			continue
		}
		end := v.answeredAt(c)
		during := slices.IndexFunc(partial, func(e Event) bool { return e.At.Before(end) && e.Until.Add(promptly).After(c.At) })
		if during < 0 {
			continue
		}
		waited := end.Sub(c.At) - v.disturbed(general, v.Session+rejoining, c.At, end)
		found = append(found, bystander{c, &partial[during], waited})
	}
	return found
}

// over is when a fault is over for those whom it concerns: all that waited in it
// have their results.
func (v *view) over(e *Event) time.Time {
	end := e.Until
	for i := range v.Commands {
		c := &v.Commands[i]
		if !c.Gone && e.Scope.fits(c) && (e.Until.IsZero() || c.At.Before(e.Until)) {
			end = later(end, v.answeredAt(c))
		}
	}
	return end
}

// concerned are the commands that some fault concerned.
func (v *view) concerned(partial []Event) map[*Command]bool {
	all := map[*Command]bool{}
	for i := range v.Commands {
		c := &v.Commands[i]
		end := v.answeredAt(c)
		all[c] = c.ID != "" && slices.ContainsFunc(v.byID[c.ID].submissions, func(s *Submission) bool { return s.Fault != "" }) ||
			slices.ContainsFunc(partial, func(e Event) bool {
				return e.Scope.fits(c) && e.At.Before(end) && !e.Until.Before(c.At)
			})
	}
	for _, commands := range v.byKey {
		var held time.Time // until then whoever comes in this key waits for one that is concerned
		for _, c := range commands {
			all[c] = all[c] || c.At.Before(held)
			if all[c] {
				held = later(held, v.answeredAt(c))
			}
		}
	}
	return all
}

// answeredAt is when a command had its first result; the end of the run if it has
// none.
func (v *view) answeredAt(c *Command) time.Time {
	if row := v.firstRow(c); row != nil {
		return row.At
	}
	return v.End
}

func (v *view) firstRow(c *Command) *Result {
	if rows := v.rowsAt[c.Position]; len(rows) > 0 {
		return rows[0]
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
