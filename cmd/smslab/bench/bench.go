package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"smsbridge/cmd/smslab/lab"
)

// Options say how long it takes.
type Options struct {
	Short  bool     // a quick look: fewer rounds, each shorter
	Rounds int      // of each contender
	IDs    int      // remembered, where that is measured; 0: a million
	Only   []string // of Parts; none: all
}

// parts are what is measured, in this order.
var parts = []struct {
	name    string
	measure func(*bench, context.Context) error
}{
	{"throughput", (*bench).throughput},
	{"latency", (*bench).latency},
	{"memory", (*bench).memory},
	{"pushes", (*bench).pushes},
	{"slow", (*bench).slow},
	{"reports", (*bench).reports},
	{"cost", (*bench).cost},
	{"takeover", (*bench).takeOver},
	{"ids", (*bench).ids},
	{"rolling", (*bench).rolling},
}

// Parts lists what can be measured, in the order in which it is.
func Parts() []string {
	names := make([]string, len(parts))
	for i, p := range parts {
		names[i] = p.name
	}
	return names
}

const (
	partitions = 12
	session    = 10 * time.Second
)

// bench is one run.
type bench struct {
	Options
	out      io.Writer
	dir      string
	binaries lab.Binaries
	scale    float64 // of the lengths
}

// Run measures everything and prints a table. On a machine with other work the
// ratios say more than the numbers.
func Run(ctx context.Context, out io.Writer, o Options) error {
	dir, err := os.MkdirTemp("", "smslab-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	b := &bench{Options: o, out: out, dir: dir, scale: 1}
	if o.Short {
		b.Rounds, b.scale = 1, 0.2
	}
	if b.binaries, err = lab.FindBinaries(ctx, dir); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d rounds in turns; lean is a loop of kafka-go and net/http without any guarantee; each role of smsbridge is measured by itself\n\n", b.Rounds)
	b.head("", "lean", "smsbridge")
	for _, p := range parts {
		if len(o.Only) > 0 && !slices.Contains(o.Only, p.name) {
			continue
		}
		if err := p.measure(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// head prints what the columns are from here on.
func (b *bench) head(what, left, right string) {
	fmt.Fprintf(b.out, "%-46s %10s %10s %7s  %s\n", what, left, right, "ratio", "goal")
}

// row prints a line of the table. held is whether the goal was reached.
func (b *bench) row(what string, left, right float64, unit, ratio, goal string, held bool) {
	mark := "  "
	if !held {
		mark = "! "
	}
	number := func(v float64) string {
		if v == 0 {
			return ""
		}
		return strconv.FormatFloat(v, 'f', digits(v), 64)
	}
	fmt.Fprintf(b.out, "%s%-44s %10s %10s %7s  %s\n", mark, what+", "+unit, number(left), number(right), ratio, goal)
}

func digits(v float64) int {
	if v < 100 {
		return 1
	}
	return 0
}

// contender is one of the two that are compared.
type contender int

const (
	lean contender = iota
	bridge
)

// raise sets a stage for one measurement.
func (b *bench) raise(ctx context.Context, inFlight int, latency time.Duration) (*lab.Stage, error) {
	return lab.Raise(ctx, b.setup(inFlight, latency))
}

func (b *bench) setup(inFlight int, latency time.Duration) lab.Setup {
	return lab.Setup{
		Dir: b.dir, Binaries: b.binaries, Partitions: partitions, Connectors: 1, Session: session, InFlight: inFlight,
		Roles:    []string{"intake"},
		Settings: map[string]string{"PROVIDER_TIMEOUT": "15s", "LOG_LEVEL": "warn"},
		Provider: []string{"-latency-min", latency.String(), "-latency-max", latency.String(), "-reports", "0"},
	}
}

// start runs a contender on the stage. It is killed with the stage.
func (b *bench) start(s *lab.Stage, c contender) (*lab.Process, error) {
	if c == bridge {
		err := s.Connectors[0].Start()
		return s.Connectors[0].Process, err
	}
	return s.Also(lab.Program{Name: "lean", Path: b.binaries.Lab, Env: os.Environ(), Dir: b.dir, Args: []string{
		"lean", "-brokers", s.Brokers, "-commands", s.Topics.Commands(), "-results", s.Topics.Results(), "-group", s.Group,
		"-url", s.Provider.URL(), "-name", lab.AccountName, "-password", lab.AccountPassword, "-in-flight", strconv.Itoa(s.InFlight),
	}})
}

// command is the n-th command: one recipient, one of many keys.
func command(n int) (id, key string, value []byte) {
	id, key = "b-"+strconv.Itoa(n), "key-"+strconv.Itoa(n%9973)
	value = fmt.Appendf(nil, `{"id":%q,"to":["1380000%04d"],"text":%q,"class":"notice"}`, id, n%10_000, lab.Text("Your parcel has arrived.", id))
	return id, key, value
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

func percentile(sorted []time.Duration, p float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(p*float64(len(sorted))), len(sorted)-1)]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func ratioText(r float64) string { return strings.TrimSpace(fmt.Sprintf("%.2f", r)) }
