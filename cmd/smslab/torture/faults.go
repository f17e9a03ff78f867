package torture

import (
	"context"
	"math/rand/v2"
	"slices"
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
		r.schedule(r.Deletions, rng, r.delete),
		r.schedule(r.ListStops, rng, r.stopLists),
	)
	if r.ProviderFaults {
		faults = append(faults, r.providerFaults()...)
	}
	slices.SortFunc(faults, func(a, b fault) int { return int(a.at - b.at) })
	next := make(chan fault)
	victims := r.stage.Connectors[:r.Connectors]
	errs := make(chan error, len(victims)) // so that none waits for the others
	for _, c := range victims {
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
		if lab.Pause(ctx, time.Until(r.start.Add(f.at))) != nil {
			break
		}
		next <- f
	}
	close(next)
	var err error
	for range victims {
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
	if err := lab.Pause(ctx, down); err != nil {
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
	if err := lab.Pause(ctx, length); err != nil {
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
	r.stop(c)
	r.recorder.Note(trial.Event{Kind: trial.Restart, Instance: c.Name, At: at, Until: time.Now()})
	return c.Start()
}

// visit has one more connector come for a while and leave again, which moves
// partitions twice.
func (r *run) visit(ctx context.Context, rng *rand.Rand) error {
	for _, f := range r.schedule(r.Joins, rng, nil) {
		if err := lab.Pause(ctx, time.Until(r.start.Add(f.at))); err != nil {
			return err
		}
		guest := r.stage.Connectors[r.Connectors]
		at := time.Now()
		if err := guest.Start(); err != nil {
			return err
		}
		if err := lab.Pause(ctx, 2*time.Second+time.Duration(rng.Int64N(int64(2*session)))); err != nil {
			return err
		}
		if !r.gone(guest) {
			r.stop(guest)
		}
		r.recorder.Note(trial.Event{Kind: trial.Join, Instance: guest.Name, At: at, Until: time.Now()})
	}
	return nil
}

// stop asks a connector to end and notes when it left something undone.
func (r *run) stop(c *lab.Connector) {
	if err := c.Process.Stop(grace + 10*time.Second); err != nil {
		r.recorder.Note(trial.Event{Kind: trial.Unclean, Instance: c.Name, At: time.Now(), Detail: err.Error()})
	}
}

// gone notes a connector that has ended by itself.
func (r *run) gone(c *lab.Connector) bool {
	err := c.Process.Unasked()
	if err != nil {
		r.recorder.Note(trial.Event{Kind: trial.Exit, Instance: c.Name, At: time.Now(), Detail: err.Error()})
	}
	return err != nil
}
