package trial

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Violation is a counterexample: facts that cannot all be true of a connector
// that keeps the invariant.
type Violation struct {
	Invariant string
	Facts     []string
}

// Invariant is a promise and how it is judged.
type Invariant struct {
	Name  string
	Says  string
	judge func(*view) []Violation
}

// Invariants lists the promises in the order in which they are reported.
func Invariants() []Invariant {
	return []Invariant{
		{"I1", "every acknowledged command has a final result", everyCommandAnswered},
		{"I2", "no part is submitted again once it was, or may have been, carried out", nothingTwice},
		{"I4", "a result says what the provider did", resultsAreTrue},
		{"I5", "unknown outcomes stay within what was injected", unknownsBounded},
		{"I6", "a repeated result is the same event, byte for byte", repeatsAreIdentical},
		{"I7", "only an unknown is revised", revisionsFollow},
		{"I8", "first submissions of a key follow the order of offsets", keysInOrder},
		{"I9", "the committed offset never passes an open command and never goes back", commitsFollowResults},
		{"I10", "a repeated id is submitted once and answered duplicate", repeatsAreDuplicates},
		{"I11", "nothing is submitted after its validity", nothingLate},
		{"I12", "a refused account holds the line and burns no command", accountHolds},
		{"I13", "every push answered 200 is on its topic", pushesAreDurable},
		{"I14", "nothing is published that the provider did not push", nothingForged},
		{"I15", "the same push is the same event, another push another", eventIDsMatchFacts},
		{"I16", "every report of a known sendid is matched to its command, and a missing one told once", reportsAreMatched},
		{"I17", "no partition stands still", partitionsMove},
		{"I19", "no number, text or secret in a log", nothingLeaks},
		{"I20", "the journal never ends before what was fenced", journalReachesFences},
		{"I21", "no process ends by itself", processesStay},
		{"I22", "whom a fault does not concern is answered within 5 s, rebalances aside", bystandersGoOn},
	}
}

// Verdict is what Check found.
type Verdict struct {
	Figures    Figures
	Violations []Violation
}

// Check judges a history by every invariant.
func Check(h *History) Verdict {
	v := newView(h)
	verdict := Verdict{Figures: v.figures()}
	for _, inv := range Invariants() {
		for _, violation := range inv.judge(v) {
			violation.Invariant = inv.Name
			verdict.Violations = append(verdict.Violations, violation)
		}
	}
	return verdict
}

// OK reports whether every invariant held.
func (v *Verdict) OK() bool { return len(v.Violations) == 0 }

// Smallest gives, for an invariant, how often it was broken and the
// counterexample with the fewest facts.
func (v *Verdict) Smallest(invariant string) (count int, smallest Violation) {
	for _, violation := range v.Violations {
		if violation.Invariant != invariant {
			continue
		}
		if count == 0 || len(violation.Facts) < len(smallest.Facts) {
			smallest = violation
		}
		count++
	}
	return count, smallest
}

// Print writes a line for each invariant and the smallest counterexample of each
// broken one.
func (v *Verdict) Print(w io.Writer) {
	for _, inv := range Invariants() {
		count, smallest := v.Smallest(inv.Name)
		if count == 0 {
			fmt.Fprintf(w, "  ok      %-4s %s\n", inv.Name, inv.Says)
			continue
		}
		fmt.Fprintf(w, "  BROKEN  %-4s %s: %d times, in the smallest case:\n", inv.Name, inv.Says, count)
		const most = 20
		facts := smallest.Facts
		if more := len(facts) - most; more > 0 {
			facts = append(slices.Clone(facts[:most]), fmt.Sprintf("… and %d facts more", more))
		}
		fmt.Fprintf(w, "            %s\n", strings.Join(facts, "\n            "))
	}
}
