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

// What a command may take beyond the provider's own time, at 1,000 a second.
const (
	providerLatency = 20 * time.Millisecond
	perSecond       = 1000
	p50Goal         = 6 * time.Millisecond
	p99Goal         = 15 * time.Millisecond
)

// latency measures from the producer's call to the consumer's sight of the result.
func (b *bench) latency(ctx context.Context) error {
	length := time.Duration(float64(15*time.Second) * b.scale)
	p50, p99 := map[contender]float64{}, map[contender]float64{}
	for _, c := range []contender{lean, bridge} {
		added, err := b.paced(ctx, c, length)
		if err != nil {
			return err
		}
		p50[c], p99[c] = milliseconds(percentile(added, 0.5)), milliseconds(percentile(added, 0.99))
	}
	goal := func(d time.Duration) string { return fmt.Sprintf("≤ %d ms", d.Milliseconds()) }
	b.row("1,000/s: added latency, p50", p50[lean], p50[bridge], "ms", "", goal(p50Goal), p50[bridge] <= milliseconds(p50Goal))
	b.row("1,000/s: added latency, p99", p99[lean], p99[bridge], "ms", "", goal(p99Goal), p99[bridge] <= milliseconds(p99Goal))
	return nil
}

// paced sends commands at an even pace and returns the latencies beyond the
// provider's, sorted, without those of the first fifth.
func (b *bench) paced(ctx context.Context, c contender, length time.Duration) ([]time.Duration, error) {
	stage, err := b.raise(ctx, inFlight, providerLatency)
	if err != nil {
		return nil, err
	}
	defer stage.Strike()
	var mu sync.Mutex
	sent := map[string]time.Time{}
	var added []time.Duration
	recorder, err := lab.Record(ctx, stage, func(o lab.Output) {
		now := time.Now()
		mu.Lock()
		defer mu.Unlock()
		if at, ok := sent[o.CommandID]; ok && o.Topic == "results" {
			added = append(added, now.Sub(at)-providerLatency)
			delete(sent, o.CommandID)
		}
	})
	if err != nil {
		return nil, err
	}
	defer recorder.Close()
	process, err := b.start(stage, c)
	if err != nil {
		return nil, err
	}
	n := int(length.Seconds() * perSecond)
	// A first command shows that the group has formed.
	for i := -1; i < n; i++ {
		id, key, value := command(i + 1)
		mu.Lock()
		sent[id] = time.Now()
		mu.Unlock()
		recorder.Send(ctx, trial.Command{ID: id, Key: key}, value)
		if i < 0 {
			if err := emptied(ctx, &mu, sent, process); err != nil {
				return nil, err
			}
			mu.Lock()
			added = added[:0]
			mu.Unlock()
			continue
		}
		if err := lab.Pause(ctx, time.Second/perSecond); err != nil {
			return nil, err
		}
	}
	if err := emptied(ctx, &mu, sent, process); err != nil {
		return nil, err
	}
	mu.Lock()
	defer mu.Unlock()
	steady := slices.Clone(added[len(added)/5:])
	slices.Sort(steady)
	return steady, nil
}

// emptied waits until everything that was sent was answered.
func emptied(ctx context.Context, mu *sync.Mutex, sent map[string]time.Time, process *lab.Process) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute, fmt.Errorf("%s does not answer everything", process.Name))
	defer cancel()
	for {
		mu.Lock()
		open := len(sent)
		mu.Unlock()
		if open == 0 {
			return nil
		}
		if err := process.Unasked(); err != nil {
			return err
		}
		if err := lab.Pause(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}
