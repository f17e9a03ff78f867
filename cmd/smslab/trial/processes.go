package trial

import (
	"fmt"
	"slices"
	"time"
)

// nothingLeaks: I19.
func nothingLeaks(v *view) []Violation {
	var broken []Violation
	for _, l := range v.Leaks {
		broken = append(broken, Violation{Facts: []string{fmt.Sprintf("%s, line %d", l.File, l.Line)}})
	}
	return broken
}

// processesStay: I21. A stop may leave something undone only when Kafka was away
// so shortly before that waiting for it took the grace period.
func processesStay(v *view) []Violation {
	const before = time.Minute
	var broken []Violation
	for i := range v.Events {
		e := &v.Events[i]
		excused := e.Kind == Unclean && slices.ContainsFunc(v.Events, func(b Event) bool {
			return (b.Kind == BrokerKill || b.Kind == Outage) && b.At.Before(e.At) && b.Until.After(e.At.Add(-before))
		})
		if e.Kind == Exit || e.Kind == Unclean && !excused {
			broken = append(broken, Violation{Facts: []string{e.fact()}})
		}
	}
	return broken
}
