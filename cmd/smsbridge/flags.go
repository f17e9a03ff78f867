package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
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
	flags.Var(&since, "since", "")
	flags.Var(&until, "until", "")
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

// parse reads flags wherever they stand among the other words, which it returns.
func parse(flags *flag.FlagSet, args []string, usage string) (words []string, err error) {
	flags.SetOutput(io.Discard)
	for {
		if err := flags.Parse(args); err != nil {
			return nil, misuse(err, usage)
		}
		if flags.NArg() == 0 {
			return words, nil
		}
		words, args = append(words, flags.Arg(0)), flags.Args()[1:]
	}
}

// parseAlone reads flags that no other word may stand among.
func parseAlone(flags *flag.FlagSet, args []string, usage string) error {
	words, err := parse(flags, args, usage)
	if err == nil && len(words) > 0 {
		err = misuse(fmt.Errorf("%q is not known", words[0]), usage)
	}
	return err
}

// misuse is an error that ends with exitUsage and tells the usage.
func misuse(err error, usage string) error {
	return fmt.Errorf("%w; %w\n%s", err, errUsage, usage)
}
