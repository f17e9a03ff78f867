package connector

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"golang.org/x/sync/errgroup"

	"smsbridge/connector/intake"
	"smsbridge/connector/kafkaio"
)

const (
	// windowRecords bounds the records of one partition between watermark and
	// fetch: a command that waits for its retry holds back at most so many.
	windowRecords = 1024
	// windowBytes is shared by the partitions of the process, so that memory
	// does not grow with their number.
	windowBytes = 32 << 20
	// leastWindowBytes lets several of the largest commands into every window.
	leastWindowBytes = 256 << 10
	// commitPause keeps commits apart; each carries every watermark that moved.
	commitPause = 50 * time.Millisecond
	// rejoinPause keeps a process that cannot work from shaking its group.
	rejoinPause = time.Second
)

// errLost is why work stops when the group gives the partitions to others.
var errLost = errors.New("the partitions are being assigned anew")

// consume works on whatever partitions the group assigns, one generation after
// the other, until ctx ends.
func (c *Connector) consume(ctx context.Context) error {
	group, err := c.kafka.JoinGroup(kafkaio.GroupConfig{
		ID: c.cfg.Group, Topics: []string{c.cfg.Topics.Commands}, RebalanceTimeout: c.cfg.Grace + c.cfg.Kafka.SessionTimeout,
	})
	if err != nil {
		return err
	}
	defer func() {
		if err := group.Close(); err != nil {
			c.log.Warn("the group was not left in order; its partitions move when the session times out", "error", err)
		}
	}()
	for {
		gen, err := group.Next(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		err = c.serve(ctx, gen)
		gen.Release()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errLost), err == nil:
		case errors.Is(err, kafkaio.ErrUnauthorized):
			return err
		default:
			c.log.Error("partitions given up, joining again", "error", err)
			sleep(ctx, rejoinPause)
		}
	}
}

// assigned is one partition while it is ours.
type assigned struct {
	id      int
	fetcher *kafkaio.Fetcher
	window  *intake.Window
	intake  *intake.Partition
}

// serve works on the partitions of one generation until they are taken away,
// ctx ends or a partition cannot go on. What was begun is finished and committed
// before it returns.
func (c *Connector) serve(ctx context.Context, gen *kafkaio.Generation) error {
	ctx, lose := context.WithCancelCause(ctx)
	defer lose(nil)
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		select {
		case <-gen.Lost():
			lose(errLost)
		case <-ctx.Done():
		}
	}()
	defer func() { lose(nil); <-watching }()

	parts, err := c.takeOver(ctx, gen)
	if err != nil {
		return err
	}
	c.owned.set(parts)
	defer c.owned.set(nil)

	g, ctx := errgroup.WithContext(ctx)
	for _, p := range parts {
		g.Go(func() error { return p.intake.Run(ctx) })
	}
	stop, committed := make(chan struct{}), make(chan error, 1)
	go func() { committed <- c.commit(gen, parts, stop) }()
	err = g.Wait()
	close(stop)
	return errors.Join(err, <-committed)
}

// takeOver prepares the partitions of a generation: nothing is fetched before
// the committed offset of every one of them is known for certain.
func (c *Connector) takeOver(ctx context.Context, gen *kafkaio.Generation) (map[int]*assigned, error) {
	ids := gen.Partitions(c.cfg.Topics.Commands)
	wanted := make([]kafkaio.TopicPartition, len(ids))
	for i, id := range ids {
		wanted[i] = kafkaio.TopicPartition{Topic: c.cfg.Topics.Commands, Partition: id}
	}
	if err := c.countPartitions(ctx, len(ids)); err != nil {
		return nil, err
	}
	offsets, err := gen.Offsets(ctx, wanted)
	if err != nil {
		return nil, err
	}
	parts := make(map[int]*assigned, len(ids))
	for _, tp := range wanted {
		start := offsets[tp].Offset
		if start < 0 {
			if start, err = c.kafka.StartOffset(ctx, tp.Topic, tp.Partition); err != nil {
				return nil, err
			}
		}
		parts[tp.Partition] = c.newAssigned(tp, start, len(ids))
	}
	c.log.Info("partitions assigned", "partitions", ids, "generation", gen.ID())
	return parts, nil
}

func (c *Connector) newAssigned(tp kafkaio.TopicPartition, start int64, share int) *assigned {
	p := &assigned{
		id:      tp.Partition,
		fetcher: c.kafka.Fetcher(kafkaio.FetchConfig{Topic: tp.Topic, Partition: tp.Partition, Offset: start}),
		window:  intake.NewWindow(start, windowRecords, max(windowBytes/share, leastWindowBytes)),
	}
	p.intake = intake.NewPartition(intake.Config{
		Source: p.fetcher, Window: p.window, Pool: c.pool, Ordering: c.cfg.Ordering, Open: c.open,
	})
	return p
}

// countPartitions learns how many partitions there are now: of the outputs to
// choose among, of the commands for the share in the rate.
func (c *Connector) countPartitions(ctx context.Context, owned int) error {
	topics, err := c.kafka.WaitTopics(ctx, append(c.cfg.Topics.output(), c.cfg.Topics.Commands)...)
	if err != nil {
		return err
	}
	counts := make(map[string]int, len(topics))
	for name, t := range topics {
		counts[name] = t.Partitions
	}
	c.events.counts.Store(&counts)
	c.rate.SetShare(owned, counts[c.cfg.Topics.Commands])
	return nil
}

// commit commits the watermarks as they move, until stop; then once more, for
// all that was finished. It ends early when the offsets are no longer ours.
func (c *Connector) commit(gen *kafkaio.Generation, parts map[int]*assigned, stop <-chan struct{}) error {
	done := make(map[kafkaio.TopicPartition]kafkaio.Commit, len(parts))
	tick := time.NewTicker(commitPause)
	defer tick.Stop()
	for last := false; ; {
		moved := make(map[kafkaio.TopicPartition]kafkaio.Commit)
		for id, p := range parts {
			tp := kafkaio.TopicPartition{Topic: c.cfg.Topics.Commands, Partition: id}
			if now := (kafkaio.Commit{Offset: p.window.Watermark()}); done[tp] != now {
				moved[tp] = now
			}
		}
		if len(moved) > 0 {
			err := gen.Commit(c.work, moved)
			if errors.Is(err, kafkaio.ErrFenced) {
				return fmt.Errorf("commit: %w", err)
			}
			if err == nil {
				maps.Copy(done, moved)
			}
		}
		if last {
			return nil
		}
		select {
		case <-tick.C:
		case <-stop:
			last = true
		}
	}
}

// sleep waits for d or for the end of ctx.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
