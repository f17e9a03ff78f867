package bench

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"smsbridge/cmd/smslab/lab"
	"smsbridge/cmd/smslab/trial"
)

// An upgrade while one-time codes are wanted.
const (
	rollingInstances = 4
	codesPerSecond   = 100
	readyFor         = 3 * time.Second // before the next one is restarted, as minReadySeconds would have it
)

// rolling measures one-time codes, from the producer's call to the consumer's sight
// of the result, while each instance is stopped by SIGTERM and started anew in
// turn, beside the same without it.
func (b *bench) rolling(ctx context.Context) error {
	setup := b.setup(inFlight, providerLatency)
	setup.Connectors = rollingInstances
	stage, err := lab.Raise(ctx, setup)
	if err != nil {
		return err
	}
	defer stage.Strike()
	for _, c := range stage.Connectors {
		if err := c.Start(); err != nil {
			return err
		}
		if err := c.Ready(ctx); err != nil {
			return err
		}
	}
	codes := &codes{stage: stage, sent: map[string]time.Time{}}
	if codes.recorder, err = lab.Record(ctx, stage, codes.take); err != nil {
		return err
	}
	defer codes.recorder.Close()
	quiet := func(ctx context.Context) error { return lab.Pause(ctx, time.Duration(float64(30*time.Second)*b.scale)) }
	if _, err := codes.during(ctx, quiet); err != nil { // the group forms, connections are made
		return err
	}
	undisturbed, err := codes.during(ctx, quiet)
	if err != nil {
		return err
	}
	restarted, err := codes.during(ctx, func(ctx context.Context) error { return restartInTurn(ctx, stage) })
	if err != nil {
		return err
	}
	b.head(fmt.Sprintf("\none-time codes, %d/s, %d instances", codesPerSecond, rollingInstances), "quiet", "restarts")
	for _, p := range []struct {
		name string
		of   float64
	}{{"p50", 0.5}, {"p99", 0.99}, {"the slowest", 1}} {
		b.row("command to accepted, "+p.name, milliseconds(percentile(undisturbed, p.of)), milliseconds(percentile(restarted, p.of)), "ms", "", "", true)
	}
	other := codes.other // everything was answered
	b.row(fmt.Sprintf("not accepted of %d", len(undisturbed)+len(restarted)), 0, float64(other), "codes", "", "0", other == 0)
	return nil
}

// restartInTurn is a rolling upgrade.
func restartInTurn(ctx context.Context, stage *lab.Stage) error {
	for _, c := range stage.Connectors {
		if err := c.Process.Stop(time.Minute); err != nil {
			return err
		}
		if err := c.Start(); err != nil {
			return err
		}
		if err := c.Ready(ctx); err != nil {
			return err
		}
		if err := lab.Pause(ctx, readyFor); err != nil {
			return err
		}
	}
	return nil
}

// codes are one-time codes that are sent at an even pace.
type codes struct {
	stage    *lab.Stage
	recorder *lab.Recorder
	number   int

	mu    sync.Mutex
	sent  map[string]time.Time // not answered yet
	took  []time.Duration
	other int // answered, but not accepted
}

func (c *codes) take(o lab.Output) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.sent[o.CommandID]
	if !ok || o.Topic != "results" {
		return
	}
	delete(c.sent, o.CommandID)
	c.took = append(c.took, now.Sub(at))
	if o.Status != "accepted" {
		c.other++
	}
}

// during sends codes while something is done, and returns how long they took,
// sorted.
func (c *codes) during(ctx context.Context, work func(context.Context) error) ([]time.Duration, error) {
	done := make(chan error, 1) // nobody waits for it when ctx ends
	go func() { done <- work(ctx) }()
	ticker := time.NewTicker(time.Second / codesPerSecond)
	defer ticker.Stop()
	for {
		select {
		case err := <-done:
			if err != nil {
				return nil, err
			}
			if err := emptied(ctx, &c.mu, c.sent, c.stage.Connectors[0].Process); err != nil {
				return nil, err
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			took := slices.Sorted(slices.Values(c.took))
			c.took = nil
			return took, nil
		case <-ticker.C:
			c.send(ctx)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (c *codes) send(ctx context.Context) {
	c.number++
	id := fmt.Sprintf("otp-%d", c.number)
	value := fmt.Appendf(nil, `{"id":%q,"to":"1380000%04d","text":%q,"class":"otp"}`, id, c.number%10_000, lab.Text("Your code is 123456.", id))
	c.mu.Lock()
	c.sent[id] = time.Now()
	c.mu.Unlock()
	c.recorder.Send(ctx, trial.Command{ID: id, Key: id}, value)
}
