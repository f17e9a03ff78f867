package trial

import "fmt"

// nothingLeaks: I19.
func nothingLeaks(v *view) []Violation {
	var broken []Violation
	for _, l := range v.Leaks {
		broken = append(broken, Violation{Facts: []string{fmt.Sprintf("%s, line %d", l.File, l.Line)}})
	}
	return broken
}

// processesStay: I21.
func processesStay(v *view) []Violation {
	var broken []Violation
	for i := range v.Events {
		if e := &v.Events[i]; e.Kind == Exit {
			broken = append(broken, Violation{Facts: []string{e.fact()}})
		}
	}
	return broken
}
