package config

import (
	"fmt"
	"slices"
	"strings"
)

// Fault is one thing wrong with the environment. It never holds the value of a
// secret or of a URL.
type Fault struct {
	Variable string // in full, with its prefix
	Rule     string // what was broken
	Remedy   string // what to do about it
	Missing  bool   // only run and check need it, and it is not set
}

// Faults is every fault of one environment; as an error it takes a line for each.
type Faults []Fault

// Error lists the faults, a line for each after a first line that counts them.
func (f Faults) Error() string {
	var b strings.Builder
	if len(f) == 1 {
		b.WriteString("the configuration has a fault:")
	} else {
		fmt.Fprintf(&b, "the configuration has %d faults:", len(f))
	}
	for _, one := range f {
		fmt.Fprintf(&b, "\n  %s %s; %s", one.Variable, one.Rule, one.Remedy)
	}
	return b.String()
}

// checker collects faults while the rules are gone through.
type checker struct{ faults Faults }

func (k *checker) fault(name, rule, remedy string) {
	k.faults = append(k.faults, Fault{Variable: prefix + name, Rule: rule, Remedy: remedy})
}

// rule faults the first of names unless ok. A variable that is already at fault
// is not judged further, and nothing is judged by it: one mistake, one line.
func (k *checker) rule(ok bool, rule, remedy string, names ...string) {
	if !ok && k.sound(names...) {
		k.fault(names[0], rule, remedy)
	}
}

// require is rule for what only run and check need.
func (k *checker) require(ok bool, rule, remedy string, names ...string) {
	if !ok && k.sound(names...) {
		k.faults = append(k.faults, Fault{Variable: prefix + names[0], Rule: rule, Remedy: remedy, Missing: true})
	}
}

// sound reports whether none of names is at fault yet.
func (k *checker) sound(names ...string) bool {
	return !slices.ContainsFunc(k.faults, func(f Fault) bool {
		return slices.Contains(names, strings.TrimPrefix(f.Variable, prefix))
	})
}

func (k *checker) err() error {
	if len(k.faults) == 0 {
		return nil
	}
	return k.faults
}
