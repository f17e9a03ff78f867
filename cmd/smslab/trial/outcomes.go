package trial

import (
	"fmt"
	"slices"
	"time"
)

// everyCommandAnswered: I1. How soon is a matter of how much was to do; that it
// went on is I17's.
func everyCommandAnswered(v *view) []Violation {
	var broken []Violation
	for i := range v.Commands {
		c := &v.Commands[i]
		if len(v.rowsAt[c.Position]) == 0 && !c.Gone {
			s := &story{commands: []*Command{c}}
			var subs []*Submission
			if c.ID != "" {
				subs = v.byID[c.ID].submissions
			}
			broken = append(broken, Violation{Facts: append(s.facts(subs, nil), "no result")})
		}
	}
	return broken
}

// nothingTwice: I2. A submission whose answer left open what was done counts as
// one that was carried out, as the connector cannot have known better. With
// on_unknown resend there may be one more, told as a possible duplicate; but who
// was frozen over its answer may tell it, which is true, before it hears that
// another has submitted meanwhile.
func nothingTwice(v *view) []Violation {
	var broken []Violation
	for _, s := range v.stories {
		most := 1
		if s.resend() {
			most = 2
		}
		for _, subs := range s.parts() {
			subs = slices.DeleteFunc(slices.Clone(subs), func(sub *Submission) bool { return !sub.mayBeSent() })
			switch {
			case len(subs) > most:
				broken = append(broken, Violation{Facts: s.facts(subs, s.rows)})
			case len(subs) == 2 && !s.flagged() && !v.frozen(subs[1].At):
				broken = append(broken, Violation{Facts: append(s.facts(subs, s.rows), "no submission is flagged as a possible duplicate")})
			}
		}
	}
	return broken
}

func (s *story) flagged() bool {
	return slices.ContainsFunc(s.rows, func(r *Result) bool {
		return slices.ContainsFunc(r.Parts, func(p Part) bool { return p.PossibleDuplicate })
	})
}

// resultsAreTrue: I4. Who says accepted names a submission that the provider
// carried out for this command; who says that nothing was sent is not
// contradicted by the ledger.
func resultsAreTrue(v *view) []Violation {
	var broken []Violation
	for _, s := range v.stories {
		carriedOut := map[string]bool{}
		for _, sub := range s.submissions {
			if sub.accepted() {
				carriedOut[sub.SendID] = true
			}
		}
		untold := s.untold(carriedOut)
		for _, row := range s.rows {
			if why := row.untrue(carriedOut, untold); why != "" {
				only := &story{commands: s.commands}
				broken = append(broken, Violation{Facts: append(only.facts(s.submissions, []*Result{row}), why)})
			}
		}
	}
	return append(broken, v.wrongEnds()...)
}

// wrongEnds finds commands of which it was clear how they must end, and that ended
// otherwise. What was in flight when a process died may always be unknown.
func (v *view) wrongEnds() []Violation {
	var broken []Violation
	for i := range v.Commands {
		c := &v.Commands[i]
		row := truth(v.rowsAt[c.Position])
		switch {
		case c.Ends == "" || row == nil || row.Status == "unknown":
		case row.Status != c.Ends:
			broken = append(broken, Violation{Facts: []string{c.fact(), row.fact(), "a " + string(c.Mark) + " must end " + c.Ends}})
		case c.Mark == Forbidden && row.Reason != "gateway_refused":
			broken = append(broken, Violation{Facts: []string{c.fact(), row.fact(), "a text that a gateway refuses is gateway_refused"}})
		}
	}
	return broken
}

// untold counts what was carried out for this id and no row accounts for, be it by
// its sendid or as unknown. An id that ended unsent may have come again.
func (s *story) untold(carriedOut map[string]bool) int {
	told := map[string]bool{}
	for _, row := range s.rows {
		for _, p := range row.Parts {
			if p.Status == "unknown" {
				return 0
			}
			told[p.SendID] = true
		}
	}
	n := 0
	for id := range carriedOut {
		if !told[id] {
			n++
		}
	}
	return n
}

func (r *Result) untrue(carriedOut map[string]bool, untold int) string {
	for i, p := range r.Parts {
		switch p.Status {
		case "accepted", "partially_accepted":
			if !carriedOut[p.SendID] {
				return fmt.Sprintf("part %d is %s by sendid %s, which the provider never gave to this command", i, p.Status, tail(p.SendID))
			}
		case "rejected":
			if p.SendID != "" && !carriedOut[p.SendID] {
				return fmt.Sprintf("part %d has a sendid that the provider never gave to this command", i)
			}
		}
	}
	switch r.Status {
	case "failed", "expired", "cancelled", "suppressed", "invalid":
		if untold > 0 && len(r.Parts) == 0 {
			return "the provider carried a submission out"
		}
	case "accepted":
		if len(r.Parts) == 0 {
			return "accepted without a submission"
		}
	}
	return ""
}

// unknownParts gives each part whose outcome was ever told as unknown, with its
// first row.
func (v *view) unknownParts() []*Result {
	type part struct {
		Position
		part int
	}
	seen := map[part]bool{}
	var rows []*Result
	for i := range v.Results {
		r := &v.Results[i]
		for n, p := range r.Parts {
			if p.Status == "unknown" && !seen[part{r.Command, n}] {
				seen[part{r.Command, n}] = true
				rows = append(rows, r)
			}
		}
		if r.Status == "unknown" && len(r.Parts) == 0 && !seen[part{r.Command, -1}] {
			seen[part{r.Command, -1}] = true
			rows = append(rows, r)
		}
	}
	return rows
}

// unknownBound is what a kill and a generation that is lost with work in flight
// may leave in doubt, and the answers that the provider withheld. A freeze costs
// one generation, a broker's death or Kafka's at most one of each connector.
func (v *view) unknownBound() int {
	lost := v.count(Kill) + v.count(Freeze) + (v.count(BrokerKill)+v.count(Outage))*v.Connectors
	bound := lost * 2 * v.MaxInFlight
	for i := range v.Submissions {
		if v.Submissions[i].doubtful() {
			bound++
		}
	}
	return bound + v.Partial
}

// unknownsBounded: I5. What was interrupted has something that interrupted it: an
// orderly stop does not.
func unknownsBounded(v *view) []Violation {
	rows, bound := v.unknownParts(), v.unknownBound()
	var broken []Violation
	for _, r := range rows {
		if c := v.commandAt[r.Command]; r.Reason == "interrupted" && c != nil && !v.interrupted(c.At, r.At) {
			broken = append(broken, Violation{Facts: []string{c.fact(), r.fact(), "nothing was killed or frozen between the two"}})
		}
	}
	if len(rows) <= bound {
		return broken
	}
	facts := []string{fmt.Sprintf("%d parts are unknown, at most %d could be", len(rows), bound)}
	for _, r := range rows[:min(len(rows), 10)] {
		facts = append(facts, r.fact())
	}
	return append(broken, Violation{Facts: facts})
}

// interrupted reports whether a process, or what it needs, was killed or frozen
// within a time.
func (v *view) interrupted(from, until time.Time) bool {
	return slices.ContainsFunc(v.Events, func(e Event) bool {
		struck := e.Kind == Kill || e.Kind == Freeze || e.Kind == BrokerKill || e.Kind == Outage
		return struck && e.At.Before(until) && !later(e.At, e.Until).Before(from)
	})
}

// repeatsAreIdentical: I6. One command record has one event for each revision,
// however often it is published; other than that who was frozen over its answer
// may tell it, which is true, beside what its successor told.
func repeatsAreIdentical(v *view) []Violation {
	var broken []Violation
	for _, rows := range v.rowsAt {
		first := map[int]*Result{}
		for _, r := range rows {
			f, ok := first[r.Revision]
			if !ok {
				first[r.Revision] = r
				continue
			}
			if (v.frozen(r.At) || v.frozen(f.At)) && remembered(f.Status) && remembered(r.Status) {
				continue
			}
			if f.EventID != r.EventID || f.Digest != r.Digest {
				what := "the events differ"
				if f.EventID == r.EventID {
					what = "the same event with other bytes"
				}
				broken = append(broken, Violation{Facts: []string{f.fact(), r.fact(), what}})
			}
		}
	}
	return broken
}

// revisionsFollow: I7.
func revisionsFollow(v *view) []Violation {
	var broken []Violation
	for _, rows := range v.rowsAt {
		for _, r := range rows {
			if r.Revision < 2 {
				continue
			}
			doubted, told := false, false
			for _, earlier := range rows {
				told = told || earlier.Revision == r.Revision-1 && !v.frozen(earlier.At) // who was frozen tells what it knows
				doubted = doubted || earlier.Revision == r.Revision-1 && earlier.Status == "unknown"
			}
			// A process may die, or lose the partition, between writing a doubt down
			// and telling it; and the answer may be there before the next one tells it.
			untold := !told && v.count(Kill)+v.count(Freeze)+v.count(BrokerKill)+v.count(Outage) > 0
			if !doubted && !untold {
				s := &story{}
				broken = append(broken, Violation{Facts: append(s.facts(nil, rows), "revised without having been unknown")})
				break
			}
		}
		if a, b := withStatus(rows, "accepted"), withStatus(rows, "rejected"); a != nil && b != nil {
			broken = append(broken, Violation{Facts: []string{a.fact(), b.fact(), "both accepted and rejected"}})
		}
	}
	return broken
}

func withStatus(rows []*Result, status string) *Result {
	for _, r := range rows {
		if r.Status == status {
			return r
		}
	}
	return nil
}

// repeatsAreDuplicates: I10. The first is the lowest offset; an id that ended
// unsent may come again, and one that was still under way when its repeat came
// counts whatever its end.
func repeatsAreDuplicates(v *view) []Violation {
	var broken []Violation
	for _, s := range v.stories {
		for i, c := range s.commands[min(1, len(s.commands)):] {
			if why := v.misjudged(c, s.commands[:i+1]); why != "" {
				broken = append(broken, Violation{Facts: append(s.facts(nil, s.rows), why)})
				break
			}
		}
	}
	return broken
}

// misjudged says what is wrong with the answer to a command whose id came before.
func (v *view) misjudged(c *Command, before []*Command) string {
	row := truth(v.rowsAt[c.Position])
	if row == nil {
		return ""
	}
	first := slices.IndexFunc(before, func(earlier *Command) bool {
		result := truth(v.rowsAt[earlier.Position])
		return earlier.Partition == c.Partition && result != nil && remembered(result.Status)
	})
	switch {
	case row.Status != "duplicate" && first >= 0:
		return "a repeat of an earlier one, and not answered duplicate"
	case row.Status != "duplicate":
		return ""
	case row.DuplicateOf == nil:
		return "duplicate of nothing"
	case !slices.ContainsFunc(before, func(earlier *Command) bool { return earlier.Position == *row.DuplicateOf }):
		return "duplicate of one that has not this id, or comes later"
	case row.FirstStatus == "":
		return ""
	case first < 0:
		return "duplicate of nothing that counts"
	case *row.DuplicateOf != before[first].Position:
		return "duplicate of another one than the first"
	}
	return ""
}

// remembered reports whether a command of this outcome was, or may have been, sent.
func remembered(status string) bool {
	return status == "accepted" || status == "partially_accepted" || status == "unknown"
}
