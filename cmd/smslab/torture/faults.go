package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"smsbridge/cmd/smslab/lab"
	"smsbridge/cmd/smslab/trial"
)

// fault is something that is done to a connector, or to the provider.
type fault struct {
	at time.Duration // after the start
	do func(ctx context.Context, c *lab.Connector) error
}

// schedule spreads n faults over the run: one in each n-th of it, so that a
// number that was asked for is a number that happens.
func (r *run) schedule(n int, rng *rand.Rand, do func(context.Context, *lab.Connector) error) []fault {
	const first, last = 0.1, 0.9
	faults := make([]fault, n)
	for i := range faults {
		share := first + (last-first)*(float64(i)+rng.Float64())/float64(n)
		faults[i] = fault{time.Duration(share * float64(r.For)), do}
	}
	return faults
}

// strike takes the connectors apart. Each is a hand that takes the next fault, so
// one suffers one at a time and several may suffer at once.
func (r *run) strike(ctx context.Context, rng *rand.Rand) error {
	var mu sync.Mutex
	between := func(low, high time.Duration) time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return low + time.Duration(rng.Int64N(int64(high-low)))
	}
	faults := slices.Concat(
		r.schedule(r.Kills, rng, func(ctx context.Context, c *lab.Connector) error { return r.kill(ctx, c, between(0, 3*time.Second)) }),
		r.schedule(r.Freezes/2, rng, func(ctx context.Context, c *lab.Connector) error {
			return r.freeze(ctx, c, between(session/10, session*8/10))
		}),
		r.schedule(r.Freezes-r.Freezes/2, rng, func(ctx context.Context, c *lab.Connector) error {
			return r.freeze(ctx, c, between(session*12/10, session*2))
		}),
		r.schedule(r.Restarts, rng, r.restart),
	)
	if r.ProviderFaults {
		faults = append(faults, r.providerFaults()...)
	}
	slices.SortFunc(faults, func(a, b fault) int { return int(a.at - b.at) })
	next := make(chan fault)
	errs := make(chan error, len(r.stage.Connectors)) // so that none waits for the others
	for _, c := range r.stage.Connectors {
		go func() {
			var err error
			for f := range next {
				if err == nil {
					err = f.do(ctx, c)
				}
			}
			errs <- err
		}()
	}
	for _, f := range faults {
		if wait(ctx, time.Until(r.start.Add(f.at))) != nil {
			break
		}
		next <- f
	}
	close(next)
	var err error
	for range r.stage.Connectors {
		if e := <-errs; err == nil {
			err = e
		}
	}
	return err
}

func (r *run) kill(ctx context.Context, c *lab.Connector, down time.Duration) error {
	if r.gone(c) {
		return c.Start()
	}
	at := time.Now()
	c.Process.Kill()
	if err := wait(ctx, down); err != nil {
		return err
	}
	r.recorder.Note(trial.Event{Kind: trial.Kill, Instance: c.Name, At: at, Until: time.Now()})
	return c.Start()
}

func (r *run) freeze(ctx context.Context, c *lab.Connector, length time.Duration) error {
	if r.gone(c) {
		return c.Start()
	}
	at := time.Now()
	if err := c.Process.Freeze(); err != nil {
		return err
	}
	if err := wait(ctx, length); err != nil {
		return err
	}
	until := time.Now()
	r.recorder.Note(trial.Event{Kind: trial.Freeze, Instance: c.Name, At: at, Until: until})
	return c.Process.Thaw()
}

func (r *run) restart(_ context.Context, c *lab.Connector) error {
	if r.gone(c) {
		return c.Start()
	}
	at := time.Now()
	if err := c.Process.Stop(grace + 10*time.Second); err != nil {
		r.recorder.Note(trial.Event{Kind: trial.Unclean, Instance: c.Name, At: time.Now(), Detail: err.Error()})
	}
	r.recorder.Note(trial.Event{Kind: trial.Restart, Instance: c.Name, At: at, Until: time.Now()})
	return c.Start()
}

// gone notes a connector that has ended by itself.
func (r *run) gone(c *lab.Connector) bool {
	err := c.Process.Unasked()
	if err != nil {
		r.recorder.Note(trial.Event{Kind: trial.Exit, Instance: c.Name, At: time.Now(), Detail: err.Error()})
	}
	return err != nil
}

// peace ends the provider's faults.
var peace = map[string]any{
	"drop": 0, "reset": 0, "cut": 0, "error": 0, "html": 0, "system": 0, "redirect": 0,
	"throttle": 0, "busy": 0, "hang": 0, "stale": 0, "code": "",
}

// providerFaults are small ones all the time, bursts of 429, and an account that
// is refused for a while, twice.
func (r *run) providerFaults() []fault {
	say := func(change map[string]any) func(context.Context, *lab.Connector) error {
		return func(ctx context.Context, _ *lab.Connector) error { return r.stage.Provider.Faults(ctx, change) }
	}
	at := func(percent int) time.Duration { return r.For * time.Duration(percent) / 100 }
	const hold = 5 * time.Second
	refuse := func(code string) func(context.Context, *lab.Connector) error {
		return func(ctx context.Context, _ *lab.Connector) error {
			now := time.Now()
			r.recorder.Note(trial.Event{Kind: trial.AccountHold, At: now, Until: now.Add(hold)})
			return r.stage.Provider.Faults(ctx, map[string]any{"code": code, "code_text": "account refused", "code_for": hold.String()})
		}
	}
	return []fault{
		{at(2), say(map[string]any{
			"drop": 0.02, "reset": 0.01, "cut": 0.005, "error": 0.01, "html": 0.002, "system": 0.005, "stale": 0.01,
			"redirect": 0.001, "hang": 0.0005, "hang_for": "20s", "throttle": 0.01,
		})},
		{at(25), say(map[string]any{"throttle": 0.5})},
		{at(30), say(map[string]any{"throttle": 0.01})},
		{at(45), refuse("12")},
		{at(60), say(map[string]any{"busy": 0.3, "retry_after": 1})},
		{at(64), say(map[string]any{"busy": 0})},
		{at(75), refuse("13")},
	}
}

// strikeBrokers kills brokers one after the other and starts each again; the
// embedded one, which keeps everything in memory, is frozen.
func (r *run) strikeBrokers(ctx context.Context, rng *rand.Rand) error {
	for _, f := range r.schedule(r.BrokerKills, rng, nil) {
		if err := wait(ctx, time.Until(r.start.Add(f.at))); err != nil {
			return err
		}
		n := 1 + rng.IntN(max(r.Brokers, 1))
		at := time.Now()
		if err := r.broker(ctx, r.BrokerKill, n, (*lab.Process).Freeze); err != nil {
			return err
		}
		if err := wait(ctx, 2*time.Second+time.Duration(rng.Int64N(int64(6*time.Second)))); err != nil {
			return err
		}
		if err := r.broker(ctx, r.BrokerStart, n, (*lab.Process).Thaw); err != nil {
			return err
		}
		r.recorder.Note(trial.Event{Kind: trial.BrokerKill, Instance: strconv.Itoa(n), At: at, Until: time.Now()})
	}
	return nil
}

func (r *run) broker(ctx context.Context, command string, n int, embedded func(*lab.Process) error) error {
	if command == "" {
		if r.stage.Broker == nil {
			return fmt.Errorf("to kill a broker that is not ours needs -broker-kill and -broker-start")
		}
		return embedded(r.stage.Broker)
	}
	command = strings.ReplaceAll(command, "{n}", strconv.Itoa(n))
	out, err := exec.CommandContext(ctx, "bash", "-c", command).CombinedOutput() //nolint:gosec // the command line's own words
	if err != nil {
		return fmt.Errorf("%s: %w: %s", command, err, out)
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
