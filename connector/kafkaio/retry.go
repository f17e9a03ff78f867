package kafkaio

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// Pauses between attempts double from the first to the last.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 2 * time.Second
)

// backoff gives the pauses between attempts. The zero value is ready.
type backoff struct{ next time.Duration }

// wait pauses, and returns early, with the context's error, when ctx ends.
func (b *backoff) wait(ctx context.Context) error {
	pause := max(b.next, firstPause)
	b.next = min(2*pause, lastPause)
	// Half of it by chance: what failed together shall not come back together.
	pause = pause/2 + rand.N(pause/2)
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// persist repeats try until it succeeds, fails for good, or ctx ends, which
// then tells the last trouble too.
func (c *Client) persist(ctx context.Context, try func() error) error {
	var (
		pause   backoff
		trouble error
	)
	for {
		err := try()
		if err == nil || !temporary(err) {
			return err
		}
		if trouble == nil || !over(ctx) {
			trouble = err // an attempt that ctx cut short tells nothing
		}
		if ended := pause.wait(ctx); ended != nil {
			return errors.Join(ended, trouble)
		}
	}
}

// over reports whether ctx has ended. A connection with ctx's deadline may notice
// it before ctx does.
func over(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(deadline)
}
