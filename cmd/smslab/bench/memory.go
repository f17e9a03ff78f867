package bench

import (
	"context"
	"fmt"
	"time"

	"smsbridge/cmd/smslab/lab"
)

// memory is the most that a process held while so many submits were in flight.
func (b *bench) memory(ctx context.Context) error {
	const (
		submits = 1024
		latency = 500 * time.Millisecond
		goal    = 80.0 // MB
	)
	n := int(10 * submits * max(b.scale, 0.5))
	most := map[contender]float64{}
	for _, c := range []contender{lean, bridge} {
		peak, err := b.peak(ctx, c, submits, latency, n)
		if err != nil {
			return err
		}
		most[c] = float64(peak) / 1e6
	}
	b.row(fmt.Sprintf("%d in flight: resident memory", submits), most[lean], most[bridge], "MB", "", fmt.Sprintf("≤ %.0f MB", goal), most[bridge] <= goal)
	return nil
}

func (b *bench) peak(ctx context.Context, c contender, submits int, latency time.Duration, n int) (int64, error) {
	stage, results, strike, err := waiting(ctx, b.setup(submits, latency), n)
	if err != nil {
		return 0, err
	}
	defer strike()
	process, err := b.start(stage, c)
	if err != nil {
		return 0, err
	}
	watched, stop := context.WithCancel(ctx)
	peak := make(chan int64)
	go func() {
		var most int64
		for lab.Pause(watched, 50*time.Millisecond) == nil {
			if now, err := process.Resident(); err == nil {
				most = max(most, now)
			}
		}
		peak <- most
	}()
	_, err = reach(ctx, results, stage.Topics.Results(), n, process)
	stop()
	return <-peak, err
}
