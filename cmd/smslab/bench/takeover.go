package bench

import (
	"context"
	"fmt"
	"time"
)

// takeOver measures how another connector goes on with what a killed one left.
func (b *bench) takeOver(ctx context.Context) error {
	n := int(120_000 * max(b.scale, 0.25))
	setup := b.setup(inFlight, 0)
	setup.Connectors = 2
	stage, counter, strike, err := waiting(ctx, setup, n)
	if err != nil {
		return err
	}
	defer strike()
	first, second := stage.Connectors[0], stage.Connectors[1]
	if err := first.Start(); err != nil {
		return err
	}
	results := stage.Topics.Results()
	before, err := between(ctx, counter, results, n/10, n*4/10, first.Process)
	if err != nil {
		return err
	}
	first.Process.Kill()
	killed := time.Now()
	left, err := reach(ctx, counter, results, 0, nil)
	if err != nil {
		return err
	}
	if err := second.Start(); err != nil {
		return err
	}
	resumed, err := reach(ctx, counter, results, int(left.count)+1, second.Process)
	if err != nil {
		return err
	}
	after, err := between(ctx, counter, results, n*6/10, n*9/10, second.Process)
	if err != nil {
		return err
	}
	const allowance = 5 * time.Second
	gap := resumed.at.Sub(killed)
	b.head("\nsmsbridge alone, killed with a backlog", "before", "after")
	b.row("first result after kill -9", 0, gap.Seconds(), "s", "", fmt.Sprintf("≤ %v, the session is %v", session+allowance, session), gap <= session+allowance)
	ratio := after.perSecond / before.perSecond
	b.row("throughput after the take-over", before.perSecond, after.perSecond, "commands/s", ratioText(ratio), "≥ 0.80", ratio >= 0.8)
	return nil
}
