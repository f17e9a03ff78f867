package trial

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// Figures sum a run up.
type Figures struct {
	Commands, Answered, Lost   int
	Statuses                   map[string]int
	Submissions, Texts         int // complete submits; recipients of those that were carried out
	Twice                      int // parts carried out more than once that nobody wished to be resent
	Resent                     int // the same where on_unknown is resend
	Unknown, UnknownBound      int // parts
	RepeatedResults, Revisions int
	ReportPushes, Reports      int // facts that were pushed and answered 200; facts on the topic
	Matched, RepeatedReports   int
	NoReports                  int
	InboundPushes, Inbound     int
	Gone                       int // deleted and without a result, which is excused
	Bystanders                 int // commands beside a fault that did not concern them
	Slowest, P99               time.Duration
	Events                     map[Kind]int
}

func (v *view) figures() Figures {
	f := Figures{
		Commands: len(v.Commands), Submissions: len(v.Submissions), UnknownBound: v.unknownBound(),
		Unknown: len(v.unknownParts()), Statuses: map[string]int{}, Events: map[Kind]int{},
	}
	for _, c := range v.commandAt {
		row := truth(v.rowsAt[c.Position])
		if row == nil && c.Gone {
			f.Gone++
			continue
		}
		if row == nil {
			f.Lost++
			continue
		}
		f.Answered++
		f.Statuses[row.Status]++
		f.Revisions += max(row.Revision-1, 0)
	}
	events := map[string]bool{}
	for i := range v.Results {
		events[v.Results[i].EventID] = true
	}
	f.RepeatedResults = len(v.Results) - len(events)
	for _, s := range v.stories {
		for _, subs := range s.parts() {
			accepted := 0
			for _, sub := range subs {
				if sub.accepted() {
					accepted++
					f.Texts += sub.Count
				}
			}
			switch {
			case accepted < 2:
			case s.resend():
				f.Resent++
			default:
				f.Twice++
			}
		}
	}
	f.reports(v)
	f.bystanders(v)
	for _, e := range v.Events {
		f.Events[e.Kind]++
	}
	return f
}

// bystanders sums up how long whom no fault concerned waited beside one.
func (f *Figures) bystanders(v *view) {
	var waited []time.Duration
	for _, b := range v.bystanders() {
		waited = append(waited, b.waited)
	}
	slices.Sort(waited)
	if f.Bystanders = len(waited); f.Bystanders > 0 {
		f.P99, f.Slowest = waited[(len(waited)-1)*99/100], waited[len(waited)-1]
	}
}

// reports counts by what is said: a push that was repeated is no other fact.
func (f *Figures) reports(v *view) {
	pushed, published := v.pushed(answered), v.published()
	matched, events, unreported := map[reportFact]bool{}, map[string]bool{}, map[string]bool{}
	for i := range v.Reports {
		r := &v.Reports[i]
		events[r.EventID] = true
		switch {
		case r.Status == "no_report":
			unreported[r.SendID] = true
		case r.Correlation != "orphan":
			matched[r.fact()] = true
		}
	}
	f.RepeatedReports, f.NoReports = len(v.Reports)-len(events), len(unreported)
	f.ReportPushes, f.Reports, f.Matched = len(pushed.reports), len(published.reports), len(matched)
	f.InboundPushes, f.Inbound = len(pushed.messages), len(published.messages)
}

// Print writes the figures, a line for each.
func (f *Figures) Print(w io.Writer) {
	line := func(name string, n int, note string) { fmt.Fprintf(w, "  %-26s %9d  %s\n", name, n, note) }
	line("commands", f.Commands, "")
	line("commands with a result", f.Answered, "")
	statuses := make([]string, 0, len(f.Statuses))
	for status := range f.Statuses {
		statuses = append(statuses, status)
	}
	slices.Sort(statuses)
	for _, status := range statuses {
		line("  "+status, f.Statuses[status], "")
	}
	line("lost", f.Lost, "")
	if f.Gone > 0 {
		line("deleted", f.Gone, "records of commands, before they were done")
	}
	line("twice", f.Twice, "parts that the provider carried out more than once")
	line("resent", f.Resent, "the same by the command's own wish, on_unknown resend")
	line("unknown", f.Unknown, fmt.Sprintf("parts; at most %d by what was injected", f.UnknownBound))
	line("repeated results", f.RepeatedResults, "the same event once more")
	line("revisions", f.Revisions, "")
	line("submits at the provider", f.Submissions, fmt.Sprintf("%d texts carried out", f.Texts))
	line("reports pushed", f.ReportPushes, fmt.Sprintf("%d on the topic, %d matched, %d of their events twice", f.Reports, f.Matched, f.RepeatedReports))
	line("without a final report", f.NoReports, "submits, told at the deadline")
	line("inbound pushed", f.InboundPushes, fmt.Sprintf("%d on the topic", f.Inbound))
	if f.Bystanders > 0 {
		line("bystanders of faults", f.Bystanders, fmt.Sprintf("commands; p99 %v, the slowest %v, rebalances aside", f.P99.Round(time.Millisecond), f.Slowest.Round(time.Millisecond)))
	}
	for _, kind := range []Kind{Kill, Freeze, Restart, Join, BrokerKill, Outage, AccountHold, Poison, Unreadable, Deletion, Forbidden, Throttled, Pause, LongList} {
		if n := f.Events[kind]; n > 0 {
			line(string(kind)+"s", n, "")
		}
	}
}
