package caps

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"smsbridge/connector/journal"
	"smsbridge/connector/kafkaio"
)

// tick is how often it is looked whether windows have slid.
const tick = 100 * time.Millisecond

// CatchUp reads what the group submitted within the windows.
func (c *Caps) CatchUp(ctx context.Context) error {
	fresh := newCount(c.config.Group, c.config.PerMinute, c.config.PerDay)
	c.mu.Lock()
	c.count, c.journal = fresh, nil
	c.mu.Unlock()
	start := time.Now()
	f := &kafkaio.Follower{
		Client: c.config.Client, Topic: c.config.Journal, Take: func(rec *kafkaio.Record) { c.take(fresh, rec) },
		From:    start.Add(-Span(c.config.PerMinute, c.config.PerDay)),
		Damaged: func(err *kafkaio.BatchError) { c.config.Log.Error(uncounted, "error", err) },
	}
	if err := f.CatchUp(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.journal, c.follower = f, f
	c.config.Log.Info("counted what the group submitted", "left", fresh.left(time.Now()), "took", time.Since(start))
	c.nudge()
	return nil
}

// errGrown: the journal has more partitions than are followed.
var errGrown = errors.New("the journal has more partitions")

// Run counts on, until ctx ends.
func (c *Caps) Run(ctx context.Context) error {
	for {
		err := c.run(ctx)
		if !errors.Is(err, errGrown) {
			return err
		}
		if err := c.CatchUp(ctx); err != nil {
			return err
		}
	}
}

func (c *Caps) run(ctx context.Context) error {
	follower := c.follower
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return follower.Run(ctx) })
	g.Go(func() error {
		ticker := time.NewTicker(tick)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return nil
			}
			if c.ticked(); c.grown() {
				return errGrown
			}
		}
	})
	return g.Wait()
}

// ticked looks whether time alone has made room.
func (c *Caps) ticked() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count.sweep(time.Now())
	c.lot = rand.Float64()
	c.nudge()
}

// grown reports whether the journal has partitions that are not followed. Then
// nothing is let through any more.
func (c *Caps) grown() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	grown := c.journals > c.follower.Partitions()
	if grown {
		c.journal = nil
	}
	return grown
}

// uncounted: the owner of the partition halts by what cannot be read, and it alone.
const uncounted = "part of the journal cannot be read and is not counted for the caps"

// take takes up a record of the journal.
func (c *Caps) take(count *count, rec *kafkaio.Record) {
	e, err := journal.ReadEntry(rec.Value)
	if err != nil {
		c.config.Log.Error(uncounted, "partition", rec.Partition, "offset", rec.Offset, "error", err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	at := now // by our own clock, other hosts' need not be right
	if c.journal == nil && rec.Time.Before(now) {
		at = rec.Time
	}
	count.take(&e, rec.Partition, rec.Offset, at, now)
	c.nudge()
}

// looks lets many share one look at the journal.
type looks struct {
	turn  chan struct{} // of size 1: one at a time looks; the next in line may share what it saw
	began time.Time     // the last one
}

func newLooks() looks { return looks{turn: make(chan struct{}, 1)} }

// look returns when everything was taken that stood in the journal at the call,
// and false when that cannot be said.
func (c *Caps) look(ctx context.Context) bool {
	called := time.Now()
	select {
	case c.looks.turn <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	defer func() { <-c.looks.turn }()
	if c.looks.began.After(called) {
		return true
	}
	c.mu.Lock()
	view := c.journal
	c.mu.Unlock()
	if view == nil {
		return false
	}
	began := time.Now()
	if view.Sync(ctx) != nil {
		return false // Run tells why, unless ctx has ended
	}
	c.looks.began = began
	return true
}
