package trial

import (
	"fmt"
	"slices"
	"time"
)

// keysInOrder: I8. What a process submits when it wakes from a freeze, others
// having gone on without it, is set aside.
func keysInOrder(v *view) []Violation {
	if !v.Ordered {
		return nil
	}
	place := make(map[*Submission]int, len(v.Submissions))
	for i := range v.Submissions {
		place[&v.Submissions[i]] = i
	}
	var broken []Violation
	for _, commands := range v.byKey {
		var before *Submission
		seen := map[string]bool{}
		for _, c := range commands {
			if c.ID == "" || seen[c.ID] || len(v.byID[c.ID].submissions) == 0 {
				continue
			}
			seen[c.ID] = true
			if again := v.byID[c.ID].commands; len(again) > 1 && !v.sent(again[0]) {
				continue // which of them was submitted is not seen here
			}
			sub := v.byID[c.ID].submissions[0]
			if before != nil && place[sub] < place[before] && !v.frozen(before.At) {
				s := &story{commands: []*Command{v.byID[before.ID].commands[0], c}}
				broken = append(broken, Violation{Facts: s.facts([]*Submission{sub, before}, nil)})
			}
			before = sub
		}
	}
	return broken
}

// sent reports whether the command was, or may have been, submitted.
func (v *view) sent(c *Command) bool {
	row := truth(v.rowsAt[c.Position])
	return row != nil && remembered(row.Status)
}

// commitsFollowResults: I9. A result's timestamp is older than its being
// acknowledged, hence than a commit that may follow from it.
func commitsFollowResults(v *view) []Violation {
	var broken []Violation
	next := map[int32]int{}
	last := map[int32]Sample{}
	for _, s := range v.Samples {
		if before, ok := last[s.Partition]; ok && s.Offset < before.Offset {
			broken = append(broken, Violation{Facts: []string{before.fact(), s.fact()}})
		}
		last[s.Partition] = s
		commands := v.byPartition[s.Partition]
		i := next[s.Partition]
		for ; i < len(commands) && commands[i].Offset < s.Offset; i++ {
			c := commands[i]
			rows := v.rowsAt[c.Position]
			if c.Gone {
				continue
			}
			if !slices.ContainsFunc(rows, func(r *Result) bool { return !r.At.After(s.At) }) {
				only := &story{commands: []*Command{c}}
				broken = append(broken, Violation{Facts: append(only.facts(nil, rows), s.fact())})
			}
		}
		next[s.Partition] = i
	}
	return broken
}

// journalReachesFences: I20, as far as it is seen from outside: what was once
// fenced, and hence acknowledged, is there in the end.
func journalReachesFences(v *view) []Violation {
	var broken []Violation
	for _, s := range v.Samples {
		if end := v.JournalEnds[s.Partition]; s.Fenced > end {
			broken = append(broken, Violation{Facts: []string{s.fact(), fmt.Sprintf("fenced up to %d, and the journal ends at %d", s.Fenced, end)}})
		}
	}
	return broken
}

func (s *Sample) fact() string {
	return fmt.Sprintf("%s partition %d is committed up to %d", s.At.Format(clock), s.Partition, s.Offset)
}

// nothingLate: I11, for commands that say themselves when they expire. The promise
// is about the connector's clock; what a busy machine takes until the provider has
// read the request is allowed for.
func nothingLate(v *view) []Violation {
	const allowance = time.Second
	var broken []Violation
	for _, s := range v.stories {
		for _, c := range s.commands {
			for _, sub := range s.submissions {
				if !c.Expires.IsZero() && sub.At.After(c.Expires.Add(allowance)) && !v.frozen(sub.At) {
					facts := (&story{commands: []*Command{c}}).facts([]*Submission{sub}, nil)
					broken = append(broken, Violation{Facts: append(facts, "it had expired at "+c.Expires.Format(clock))})
				}
			}
		}
	}
	return broken
}

// accountHolds: I12. From the first refusal of the account until a probe is
// answered well, no more submits follow than were in flight.
func accountHolds(v *view) []Violation {
	var broken []Violation
	probes := slices.Clone(v.Probes)
	slices.SortFunc(probes, time.Time.Compare)
	most := v.Connectors * v.MaxInFlight
	var refused []*Submission
	for i := range v.Submissions {
		s := &v.Submissions[i]
		if !s.accountCode() {
			continue
		}
		for len(probes) > 0 && !probes[0].After(s.At) {
			if len(refused) > 0 && probes[0].After(refused[0].At) {
				refused = nil
			}
			probes = probes[1:]
		}
		refused = append(refused, s)
		if len(refused) == most+1 {
			broken = append(broken, Violation{Facts: []string{
				refused[0].fact(nil), s.fact(nil),
				fmt.Sprintf("%d submits of a refused account, and at most %d can have been in flight", len(refused), most),
			}})
		}
	}
	for i := range v.Results {
		switch r := &v.Results[i]; r.Reason {
		case "insufficient_balance", "auth_failed", "account_closed", "account_suspended", "ip_not_allowed":
			if r.Status != "expired" && r.Status != "failed" {
				broken = append(broken, Violation{Facts: []string{r.fact()}})
			}
		}
	}
	return broken
}

// partitionsMove: I17. While a partition has commands without a result, results
// come: no pause longer than 30 s and a session, not counting the time during
// which a fault of the run keeps everything.
func partitionsMove(v *view) []Violation {
	longest := 30*time.Second + v.Session
	var broken []Violation
	for partition, commands := range v.byPartition {
		faults := slices.DeleteFunc(slices.Clone(v.faults), func(e Event) bool {
			return e.Kind == Throttle || e.Scope != nil && !slices.Contains(e.Scope.Partitions, partition)
		})
		acked := make([]time.Time, 0, len(commands))
		answered := make([]time.Time, 0, len(commands))
		for _, c := range commands {
			if c.Gone {
				continue
			}
			acked = append(acked, c.At)
			if rows := v.rowsAt[c.Position]; len(rows) > 0 {
				answered = append(answered, rows[0].At)
			}
		}
		slices.SortFunc(acked, time.Time.Compare)
		slices.SortFunc(answered, time.Time.Compare)
		if len(answered) < len(acked) {
			answered = append(answered, v.End)
		}
		for i, until := range answered {
			from := acked[min(i, len(acked)-1)] // the i-th answer cannot be awaited before the i-th command is there
			if i > 0 && answered[i-1].After(from) {
				from = answered[i-1]
			}
			if idle := until.Sub(from) - v.disturbed(faults, v.Session, from, until); idle > longest {
				broken = append(broken, Violation{Facts: []string{fmt.Sprintf(
					"partition %d has open commands and no result from %s to %s", partition, from.Format(clock), until.Format(clock))}})
			}
		}
	}
	return broken
}

// disturbed is how much of a time lay under these faults, which are in the order of
// time, and what follows each of them.
func (*view) disturbed(faults []Event, aftermath time.Duration, from, until time.Time) time.Duration {
	var sum time.Duration
	for _, e := range faults {
		end := e.At
		if e.Until.After(end) {
			end = e.Until
		}
		end = end.Add(aftermath)
		if end.After(until) {
			end = until
		}
		if e.At.After(from) {
			from = e.At
		}
		if end.After(from) { // what lies before was counted under an earlier fault
			sum += end.Sub(from)
			from = end
		}
	}
	return sum
}
