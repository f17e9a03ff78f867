package demo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"smsbridge/cmd/smslab/trial"
)

// patience is how long the ending waits for something new.
const patience = 30 * time.Second

// addUp waits for what is still under way and holds what came out against what
// went in.
func (s *show) addUp(ctx context.Context) error {
	late := s.recorder.Settle(ctx, patience)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, err := range s.stage.Retire(ctx, patience) {
		s.recorder.Note(trial.Event{Kind: trial.Unclean, At: time.Now(), Detail: err.Error()})
	}
	h, err := s.recorder.History(ctx)
	if err != nil {
		return err
	}
	sums := &sums{screen: s.screen}
	s.printf("\n%s\n", s.paint(strong, "It adds up when both columns are equal"))
	s.printf("%-44s %8s %8s\n", "", "went in", "came out")
	sums.commands(h, &s.expected)
	sums.provider(h)
	verdict := trial.Check(h)
	sums.pushes(&verdict.Figures)
	sums.line("dead letters", s.expected.deadLetters, s.recorder.DeadLetters())
	sums.promises(&verdict)
	if late != nil {
		s.printf("%v\n", late)
	}
	if sums.wrong > 0 || late != nil {
		return ErrSums
	}
	s.printf("%s\n", s.paint(good, "It adds up."))
	return nil
}

// sums prints lines of two numbers and counts those that differ.
type sums struct {
	*screen
	wrong int
}

func (s *sums) line(what string, in, out int) {
	mark, colour := "ok", good
	if in != out {
		mark, colour = "WRONG", bad
		s.wrong++
	}
	s.printf("%-44s %8d %8d  %s\n", what, in, out, s.paint(colour, mark))
}

func (s *sums) commands(h *trial.History, e *expectation) {
	first := map[trial.Position]string{}
	seen := map[end]int{}
	asExpected, withID := 0, 0
	for _, n := range e.byID {
		withID += n
	}
	for _, r := range h.Results {
		if _, ok := first[r.Command]; ok {
			continue
		}
		first[r.Command] = r.Status
		if e.byID[end{r.ID, r.Status}] > seen[end{r.ID, r.Status}] {
			seen[end{r.ID, r.Status}]++
			asExpected++
		}
	}
	came := map[string]int{}
	for _, status := range first {
		came[status]++
	}
	s.line("commands = results", len(h.Commands), len(first))
	statuses := make([]string, 0, len(came))
	for status := range came {
		statuses = append(statuses, status)
	}
	for status := range e.statuses {
		if _, ok := came[status]; !ok {
			statuses = append(statuses, status)
		}
	}
	slices.Sort(statuses)
	for _, status := range statuses {
		s.line("  to be "+status, e.statuses[status], came[status])
	}
	s.line("  each as expected, of those with an id", withID, asExpected)
}

func (s *sums) provider(h *trial.History) {
	carriedOut, refused := 0, 0
	for _, sub := range h.Submissions {
		if sub.Code == "0" {
			carriedOut++
		} else {
			refused++
		}
	}
	told := 0
	for _, r := range h.Results {
		for _, p := range r.Parts {
			if p.SendID != "" {
				told++
			}
		}
	}
	s.line("submits in the provider's ledger = in results", carriedOut, told)
	s.printf("%-44s %8d\n", "  and some that it refused or put off", refused)
}

func (s *sums) pushes(f *trial.Figures) {
	s.line("reports pushed = reports, repeats aside", f.ReportPushes, f.Reports)
	s.line("  matched to their command", f.Reports, f.Matched)
	s.line("messages pushed = inbound", f.InboundPushes, f.Inbound)
}

func (s *sums) promises(v *trial.Verdict) {
	all := len(trial.Invariants())
	broken := 0
	for _, inv := range trial.Invariants() {
		if n, _ := v.Smallest(inv.Name); n > 0 {
			broken++
		}
	}
	s.line("invariants, checked on all of it = held", all, all-broken)
	if broken > 0 {
		s.mu.Lock()
		v.Print(s.out)
		s.mu.Unlock()
	}
	s.printf("%s\n", s.paint(quiet, fmt.Sprintf("unknown outcomes: %d; texts sent: %d", v.Figures.Unknown, v.Figures.Texts)))
}
