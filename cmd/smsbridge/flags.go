package main

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"smsbridge/connector/trail"
)

// moment is a time on the command line: as in the topics, or as a duration
// before now.
type moment struct{ time.Time }

// String implements flag.Value.
func (m *moment) String() string { return m.Format(time.RFC3339) }

// Set implements flag.Value.
func (m *moment) Set(text string) error {
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		m.Time = time.Now().Add(-ago)
		return nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.UTC); err == nil {
			m.Time = t
			return nil
		}
	}
	return errors.New("write a duration before now (48h), or a time in UTC (2006-01-02, 2006-01-02T15:04:05Z)")
}

// spanFlags adds -since and -until, and returns the span that they make.
func spanFlags(flags *flag.FlagSet) func() trail.Span {
	since := moment{time.Now().Add(-48 * time.Hour)}
	var until moment
	flags.Var(&since, "since", "from this `TIME` on: a duration before now, or a time in UTC; the last 48h where it is left out")
	flags.Var(&until, "until", "up to this `TIME`; now where it is left out")
	return func() trail.Span { return trail.Span{Since: since.Time, Until: until.Time} }
}

// pairs are flags like k=v, given once or more often.
type pairs map[string]string

// String implements flag.Value.
func (p pairs) String() string { return "" }

// Set implements flag.Value.
func (p pairs) Set(text string) error {
	name, value, found := strings.Cut(text, "=")
	if !found || name == "" {
		return errors.New("write it like order=4711")
	}
	p[name] = value
	return nil
}

// oneOf is a flag that takes one of some words.
type oneOf struct {
	word  string
	known []string
}

// String implements flag.Value.
func (o *oneOf) String() string { return o.word }

// Set implements flag.Value.
func (o *oneOf) Set(text string) error {
	if !slices.Contains(o.known, text) {
		return fmt.Errorf("write one of %s", strings.Join(o.known, ", "))
	}
	o.word = text
	return nil
}

func (o *oneOf) choices() []string { return o.known }
