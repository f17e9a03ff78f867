package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"smsbridge/cmd/smslab/lab"
	"smsbridge/cmd/smslab/trial"
)

// Options say how much is done to whom.
type Options struct {
	For        time.Duration // during which commands come and faults strike
	Commands   int
	Connectors int
	Roles      []string // of each, in turns; none: every role
	InFlight   int      // PROVIDER_MAX_IN_FLIGHT of each
	Repeats    float64  // share of commands that repeat an earlier id
	Seed       uint64

	Kills, Freezes, Restarts int // of connectors
	Joins                    int // of one connector more, for a while
	BrokerKills              int
	Outages                  int           // of the whole of Kafka
	Outage                   time.Duration // the length of each
	Brokers                  int           // how many BrokerKill may choose from
	BrokerKill, BrokerStart  string        // shell commands, {n} is the broker; empty: the embedded broker is frozen instead
	ProviderFaults           bool

	// Faults that concern single records, texts, keys, classes or partitions.
	Poisons, Unreadables, Deletions, Forbids, Throttles, Pauses int
	ListStops                                                   int // of connectors, with long lists under way

	AdminBrokers string // see lab.Setup
	Dir          string // for logs; empty: a temporary folder, removed after a success
}

// ErrBroken is what Run ends with when an invariant was broken.
var ErrBroken = errors.New("a promise was broken")

// What the connectors are given.
const (
	session       = 6 * time.Second
	partitions    = 12
	maxRecipients = 3
	grace         = 25 * time.Second // SHUTDOWN_GRACE, as by default
	patience      = time.Minute + session
)

// run is one run.
type run struct {
	Options
	out      io.Writer
	start    time.Time
	stage    *lab.Stage
	recorder *lab.Recorder
}

// Run tortures, judges and prints what it found.
func Run(ctx context.Context, out io.Writer, o Options) (err error) {
	r := &run{Options: o, out: out}
	if r.Dir == "" {
		if r.Dir, err = os.MkdirTemp("", "smslab-torture-"); err != nil {
			return err
		}
		defer func() {
			if err == nil {
				os.RemoveAll(r.Dir) //nolint:errcheck // a temporary folder
				return
			}
			fmt.Fprintf(out, "the logs are in %s\n", r.Dir)
		}()
	}
	if err := r.raise(ctx); err != nil {
		return err
	}
	defer r.stage.Strike()
	defer r.recorder.Close()
	r.start = time.Now()
	watched, stop := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	watcher.Go(func() { r.watch(watched) })
	quiet := func() { stop(); watcher.Wait() }
	defer quiet()
	if err := r.torment(ctx); err != nil {
		return err
	}
	return r.judge(ctx, quiet)
}

func (r *run) raise(ctx context.Context) error {
	binaries, err := lab.FindBinaries(ctx, r.Dir)
	if err != nil {
		return err
	}
	r.stage, err = lab.Raise(ctx, lab.Setup{
		Dir: r.Dir, Binaries: binaries, Partitions: partitions, Connectors: r.Connectors + min(r.Joins, 1), Session: session, InFlight: r.InFlight,
		AdminBrokers: r.AdminBrokers, Roles: r.Roles, Spool: true,
		Settings: map[string]string{
			"PROVIDER_MAX_RECIPIENTS": fmt.Sprint(maxRecipients), "SHUTDOWN_GRACE": grace.String(), "RETRY_INITIAL": "100ms", "RETRY_MAX": "2s", "BALANCE_INTERVAL": "10s",
			// Short, so that what nobody reported on, and reports of unknown submits, are seen in one run.
			// A sendid is forgotten after two deadlines, which must not end in an outage.
			"ORPHAN_AFTER": "20s", "REPORT_DEADLINE": (45*time.Second + 3*r.Outage*time.Duration(min(r.Outages, 1))).String(),
		},
		Provider: []string{
			"-latency-min", "5ms", "-latency-max", "60ms", "-mo-rate", "5", "-mo-hostile", "0.5", "-push-query", "0.1",
			"-reports", "0.5", "-report-delay-min", "100ms", "-report-delay-max", "3s", "-report-group", "3",
			"-forbid", forbidden, "-slow-numbers", slowNumbers, "-slow-for", slowFor.String(),
			"-report-repeat", "0.2", "-report-early", "0.1",
			"-report-mix", "DELIVRD=86,UNDELIV=4,EXPIRED=2,UNKNOWN=2,ENROUTE=1,号码 不存在=1,ID:0141=1,SY1RESP:-9=1,delivrd=1,REJECT=1",
		},
	})
	if err != nil {
		return err
	}
	r.recorder, err = lab.Record(ctx, r.stage, nil)
	connectors := r.stage.Connectors[:r.Connectors]
	for _, c := range connectors {
		if err == nil {
			r.recorder.Note(trial.Event{Kind: trial.Start, Instance: c.Name, At: time.Now()})
			err = c.Start()
		}
	}
	for _, c := range connectors {
		ready, cancel := context.WithTimeout(ctx, time.Minute)
		if err == nil {
			err = c.Ready(ready)
		}
		cancel()
	}
	if err != nil {
		if r.recorder != nil {
			r.recorder.Close()
		}
		r.stage.Strike()
	}
	return err
}

// torment has commands come and faults strike at the same time.
func (r *run) torment(ctx context.Context) error {
	fmt.Fprintf(r.out, "%d commands in %v to %d connectors, seed %d: %d kills, %d freezes, %d restarts, %d joins, %d broker kills, %d outages of %v, provider faults %v\n",
		r.Commands, r.For, r.Connectors, r.Seed, r.Kills, r.Freezes, r.Restarts, r.Joins, r.BrokerKills, r.Outages, r.Outage, r.ProviderFaults)
	fmt.Fprintf(r.out, "of others' concern: %d poisonings, %d unreadable batches, %d deletions, %d times forbidden texts, %d throttled keys, %d pauses, %d stops under long lists\n",
		r.Poisons, r.Unreadables, r.Deletions, r.Forbids, r.Throttles, r.Pauses, r.ListStops)
	ctx, cancel := context.WithCancel(ctx)
	var forging sync.WaitGroup
	defer forging.Wait()
	defer cancel()
	hands := []func(context.Context, *rand.Rand) error{r.produce, r.strike, r.strikeBrokers, r.visit, r.alone}
	errs := make(chan error, len(hands)) // so that none waits for the others
	for i, hand := range hands {
		go func() { errs <- hand(ctx, rand.New(rand.NewPCG(r.Seed, uint64(i+1)))) }()
	}
	forging.Go(func() { r.forge(ctx, rand.New(rand.NewPCG(r.Seed, 0))) })
	for range hands {
		if err := <-errs; err != nil {
			return err
		}
	}
	if r.ProviderFaults {
		if err := r.stage.Provider.Faults(ctx, peace); err != nil {
			return err
		}
	}
	if r.Joins > 0 { // pushes may wait in its spool
		if err := r.stage.Connectors[r.Connectors].Start(); err != nil {
			return err
		}
	}
	return r.recorder.Flush(ctx)
}

// watch tells how far the run is until ctx ends.
func (r *run) watch(ctx context.Context) {
	for lab.Pause(ctx, 10*time.Second) == nil {
		commands, answers, _ := r.recorder.Progress()
		fmt.Fprintf(r.out, "%6s  produced %7d  answered %7d\n", time.Since(r.start).Round(time.Second), commands, answers)
	}
}

// judge waits for the end of all that is under way, has quiet end the progress
// lines, and checks.
func (r *run) judge(ctx context.Context, quiet func()) error {
	ending := time.Now()
	late := r.recorder.Settle(ctx, patience)
	quiet()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	fmt.Fprintf(r.out, "settled in %v after the last fault\n\n", time.Since(ending).Round(time.Millisecond))
	for _, err := range r.stage.Retire(ctx, grace+10*time.Second) {
		r.recorder.Note(trial.Event{Kind: trial.Unclean, At: time.Now(), Detail: err.Error()})
	}
	h, err := r.recorder.History(ctx)
	if err != nil {
		return err
	}
	h.Ordered = true
	verdict := trial.Check(h)
	verdict.Figures.Print(r.out)
	fmt.Fprintln(r.out)
	verdict.Print(r.out)
	if late != nil {
		return fmt.Errorf("%w: %w", ErrBroken, late)
	}
	if !verdict.OK() {
		return ErrBroken
	}
	return nil
}
