package correlate

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"smsbridge/connector/kafkaio"
)

// commitPause is how often the offsets are committed. A killed process has its
// successor publish as much once more, which are the same events.
const commitPause = 200 * time.Millisecond

// flushPause is how often the local store writes down what it has in memory. A
// killed process reads as much of the sendids topic once more.
const flushPause = 30 * time.Second

// tenure is what this process owns for one generation.
type tenure struct {
	c         *Correlator
	gen       *kafkaio.Generation
	work      context.Context //nolint:containedctx // outlives the generation by the grace period
	parts     []*partition
	count     int
	committed map[int]kafkaio.Committed
	troubled  bool
}

// run works until ctx ends or a partition cannot go on. What was begun is finished
// and committed before it returns.
func (t *tenure) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, p := range t.parts {
		g.Go(func() error { return p.run(ctx) })
	}
	g.Go(func() error {
		tick, flush := time.NewTicker(commitPause), time.NewTicker(flushPause)
		defer tick.Stop()
		defer flush.Stop()
		for {
			select {
			case <-flush.C:
				if t.c.store != nil {
					t.c.store.Flush()
				}
			case <-tick.C:
				if err := t.commit(ctx); err != nil {
					return err
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	err := g.Wait()
	t.c.cfg.Reached(beforeLastCommit)
	return errors.Join(err, t.commit(t.work))
}

// commit says how far the pushes were published or parked. When the answer is
// lost, an old commit may come into force behind a newer one; then some pushes are
// published once more, which are the same events. So nothing has to be fenced
// here, unlike with commands.
func (t *tenure) commit(ctx context.Context) error {
	commits := map[kafkaio.TopicPartition]kafkaio.Commit{}
	for _, p := range t.parts {
		next := kafkaio.Commit{Offset: p.done.Load(), Metadata: metadataOf(t.count)}
		if last := t.committed[p.id]; last.Offset != next.Offset || last.Metadata != next.Metadata {
			commits[kafkaio.TopicPartition{Topic: t.c.cfg.Pushes, Partition: p.id}] = next
		}
	}
	if len(commits) == 0 {
		return nil
	}
	err := t.gen.Commit(ctx, commits)
	switch {
	case err == nil:
		t.troubled = false
		for tp, c := range commits {
			t.committed[tp.Partition] = kafkaio.Committed{Offset: c.Offset, Metadata: c.Metadata}
		}
	case errors.Is(err, kafkaio.ErrFenced):
		return kafkaio.ErrLost
	case ctx.Err() == nil && !t.troubled:
		t.troubled = true
		t.c.cfg.Log.Warn("offsets of pushes not committed, trying again", "error", err)
	}
	return nil
}
