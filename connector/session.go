package connector

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"smsbridge/connector/intake"
	"smsbridge/connector/journal"
	"smsbridge/connector/kafkaio"
)

// What the process holds in memory is shared by its partitions, so that it does
// not grow with their number; each gets between the least and the most.
const (
	// What could go on beside what waits is fetched that far ahead.
	readyPerSubmit = 4 // records for each submit that may be in flight
	leastReady     = 256
	mostReady      = 1024

	// A window holds the records of a partition between watermark and fetch: behind a
	// command that waits so many others can be finished. What waits is bounded by
	// what it costs; the number bounds what a take-over must read again.
	mostWindow       = 1 << 16
	windowBytes      = 64 << 20
	leastWindowBytes = 1 << 20

	fetchBytes      = 4 << 20
	leastFetchBytes = 128 << 10
	mostFetchBytes  = 1 << 20
)

const (
	// advancePause is how often the watermarks are looked at. Fences, which
	// carry them, go out far more often while there is work.
	advancePause = 20 * time.Millisecond
	// rejoinPause keeps a process that cannot work from shaking its group.
	rejoinPause = time.Second
)

// consume works on whatever partitions the group assigns until ctx ends. Where
// the outcome of a commit is not known, the group is left and joined anew.
func (c *Connector) consume(ctx context.Context) error {
	for {
		err := c.member(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // asked to stop
		case errors.Is(err, kafkaio.ErrUnauthorized):
			return err
		case errors.Is(err, errMended):
			c.log.Info("a halted partition is mended, joining again")
		case !errors.Is(err, journal.ErrRejoin):
			c.log.Error("partitions given up, joining again", "error", err)
			sleep(ctx, rejoinPause)
		}
	}
}

// member is one membership in the group: it works through one generation after
// the other until one fails.
func (c *Connector) member(ctx context.Context) error {
	cfg := kafkaio.GroupConfig{ID: c.cfg.Group, Topics: []string{c.cfg.Topics.Commands}, RebalanceTimeout: c.cfg.Grace}
	return c.kafka.Serve(ctx, cfg, func(ctx context.Context, gen *kafkaio.Generation) error {
		err := c.serve(ctx, gen)
		lost := errors.Is(err, kafkaio.ErrLost) || errors.Is(err, journal.ErrLost)
		if lost && !errors.Is(err, journal.ErrRejoin) {
			return nil
		}
		return err
	})
}

// assigned is one partition while it is ours.
type assigned struct {
	id      int
	ledger  *journal.Ledger
	fetcher *kafkaio.Fetcher  // nil when the partition is halted
	window  *intake.Window    // likewise
	intake  *intake.Partition // likewise
	end     atomic.Int64      // of a halted partition, when last looked at

	unreadable atomic.Pointer[journal.Halt] // nil: everything could be read
	deleted    atomic.Int64                 // offsets that were gone before they were read
}

// serve works on the partitions of one generation until they are taken away,
// ctx ends or a partition cannot go on. What was begun is finished and committed
// before it returns.
func (c *Connector) serve(ctx context.Context, gen *kafkaio.Generation) error {
	ids := gen.Partitions(c.cfg.Topics.Commands)
	tenure, err := c.takeOver(ctx, gen, ids)
	if err != nil {
		if errors.Is(context.Cause(ctx), kafkaio.ErrLost) && !errors.Is(err, journal.ErrRejoin) {
			// Others came before we were done. To leave for it would make them
			// begin anew as well, and so on for ever.
			return kafkaio.ErrLost
		}
		return err
	}
	parts := c.prepareParts(tenure, ids)
	c.log.Info("partitions assigned", "partitions", ids, "generation", gen.ID())
	c.owned.set(parts)
	defer c.owned.set(nil)

	err = c.carry(ctx, tenure, parts)
	for _, p := range parts {
		p.advance()
	}
	return errors.Join(err, tenure.Close(c.work))
}

func (c *Connector) takeOver(ctx context.Context, gen *kafkaio.Generation, ids []int) (*journal.Tenure, error) {
	if err := c.countPartitions(ctx, len(ids)); err != nil {
		return nil, err
	}
	return c.journal.TakeOver(ctx, gen, ids)
}

// carry runs the partitions until they end, and what goes on beside them.
func (c *Connector) carry(ctx context.Context, tenure *journal.Tenure, parts map[int]*assigned) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, p := range parts {
		if p.intake != nil {
			g.Go(func() error { return p.intake.Run(ctx) })
		}
	}
	g.Go(func() error { return c.revise(ctx, tenure) })
	g.Go(func() error { return c.awaitMend(ctx, tenure, parts) })
	g.Go(func() error { return c.settle(ctx, parts) })
	g.Go(func() error {
		tick := time.NewTicker(advancePause)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				for _, p := range parts {
					p.advance()
				}
			case <-tenure.Ended():
				return tenure.Err()
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	})
	return g.Wait()
}

// mendPause is how often partitions that are halted are looked at again.
const mendPause = 30 * time.Second

// errMended is why the group is left and joined anew: a partition that was
// halted can be worked on.
var errMended = errors.New("what halted a partition is mended")

// awaitMend looks at halted partitions now and then: an operator decides in the
// journal, or mends the topic, and need not restart anything.
func (c *Connector) awaitMend(ctx context.Context, tenure *journal.Tenure, parts map[int]*assigned) error {
	pause := time.NewTicker(mendPause)
	defer pause.Stop()
	for {
		unseen := c.lookBehindHalts(ctx, parts)
		select {
		case <-pause.C:
		case <-ctx.Done():
			return nil
		}
		mended, err := tenure.Mended(ctx)
		err = errors.Join(unseen, err)
		switch {
		case mended:
			return errMended
		case err != nil && ctx.Err() == nil:
			c.log.Warn("halted partitions not looked at, trying again", "error", err)
		}
	}
}

// lookBehindHalts learns how much waits where nobody fetches.
func (c *Connector) lookBehindHalts(ctx context.Context, parts map[int]*assigned) error {
	for _, p := range parts {
		if p.ledger.Halted() == nil {
			continue
		}
		end, err := c.kafka.EndOffset(ctx, c.cfg.Topics.Commands, p.id)
		if err != nil {
			return err
		}
		p.end.Store(end)
	}
	return nil
}

// advance tells the journal, which commits, how far the window has got.
func (p *assigned) advance() {
	if p.window != nil {
		p.ledger.Advance(p.window.Watermark())
	}
}

func (c *Connector) prepareParts(tenure *journal.Tenure, ids []int) map[int]*assigned {
	parts := make(map[int]*assigned, len(ids))
	for _, id := range ids {
		p := &assigned{id: id, ledger: tenure.Ledger(id)}
		parts[id] = p
		if p.ledger.Halted() != nil {
			continue
		}
		p.fetcher = c.kafka.Fetcher(kafkaio.FetchConfig{
			Topic: c.cfg.Topics.Commands, Partition: id, Offset: p.ledger.Start(),
			MaxBytes: min(max(fetchBytes/len(ids), leastFetchBytes), mostFetchBytes),
		})
		p.window = intake.NewWindow(p.ledger.Start(), mostWindow, max(windowBytes/len(ids), leastWindowBytes))
		p.intake = intake.NewPartition(intake.Config{
			Source: &source{fetcher: p.fetcher, part: p, log: c.log}, Window: p.window, Pool: c.pool, Ordering: c.cfg.Ordering,
			Ready: min(max(readyPerSubmit*c.cfg.Submit.MaxInFlight/len(ids), leastReady), mostReady),
			Open:  func(rec kafkaio.Record) intake.Work { return c.open(p.ledger, rec) },
		})
	}
	return parts
}

// countPartitions learns how many partitions there are now: of the outputs to
// choose among, of the commands for the share in rate and caps.
func (c *Connector) countPartitions(ctx context.Context, owned int) error {
	topics, err := c.kafka.WaitTopics(ctx, c.cfg.Topics.used(c.cfg.Roles)...)
	if err != nil {
		return err
	}
	c.events.count(topics)
	all := topics[c.cfg.Topics.Commands].Partitions
	c.rate.SetShare(owned, all)
	if c.caps != nil {
		c.caps.SetShare(owned, all, topics[c.cfg.Topics.Journal].Partitions)
	}
	return nil
}

// sleep waits for d or for the end of ctx.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
