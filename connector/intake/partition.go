package intake

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"smsbridge/connector/kafkaio"
)

// Work is what a record asks for. When it returns nil every consequence of the
// record is durable. An error means that nothing was decided: the record is not
// committed, nothing that must follow it is begun, and Run ends with it.
type Work func(ctx context.Context) error

// Source gives the records of a partition in the order of their offsets.
type Source interface {
	// Next blocks until there are records or the position has moved.
	Next(ctx context.Context) ([]kafkaio.Record, error)
	// Position is the offset after everything that was given or passed over.
	Position() int64
}

// Config of a Partition.
type Config struct {
	Source   Source
	Window   *Window
	Pool     *Pool
	Ordering Ordering

	// Open turns a record into its work. It is called in the order of offsets,
	// from one goroutine, and must not wait for anything slow.
	Open func(kafkaio.Record) Work
}

// Partition is the intake of one assigned partition.
type Partition struct {
	cfg Config

	mu      sync.Mutex
	lanes   map[string]*lane
	stopped error // why no further work begins
	running sync.WaitGroup
	ctx     context.Context //nolint:containedctx // Run's own, which every work of the partition shares
	stop    context.CancelCauseFunc
}

// NewPartition returns an intake that does nothing until Run.
func NewPartition(cfg Config) *Partition {
	return &Partition{cfg: cfg, lanes: make(map[string]*lane)}
}

// Run reads and works until ctx ends or a work or the source fails. It returns
// when everything that was begun has ended, with the cause of the end.
func (p *Partition) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	p.ctx, p.stop = ctx, stop
	p.halt(p.read(ctx))
	p.running.Wait()
	return context.Cause(ctx)
}

func (p *Partition) read(ctx context.Context) error {
	for {
		records, err := p.cfg.Source.Next(ctx)
		if err != nil {
			return err
		}
		for i := range records {
			if err := p.register(ctx, records[i]); err != nil {
				return err
			}
		}
		p.cfg.Window.Advance(p.cfg.Source.Position())
	}
}

// register waits until the window has room, then puts the record into its lane.
func (p *Partition) register(ctx context.Context, rec kafkaio.Record) error {
	size := len(rec.Key) + len(rec.Value)
	for p.cfg.Window.full(size) {
		select {
		case <-p.cfg.Window.room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	it := &item{partition: p, seq: p.cfg.Window.Add(rec.Offset, size, rec.Time), work: p.cfg.Open(rec)}
	p.enqueue(it, rec.Key)
	return nil
}

// enqueue lets the item run now, or behind the last of its lane.
func (p *Partition) enqueue(it *item, key []byte) {
	p.mu.Lock()
	if p.stopped != nil {
		p.mu.Unlock()
		return
	}
	if name, ok := p.cfg.Ordering.laneOf(key); ok {
		l := p.lanes[name]
		if l != nil {
			l.last.follower = it
			it.lane, l.last = l, it
			p.mu.Unlock()
			return
		}
		l = &lane{name: name, last: it}
		it.lane, p.lanes[name] = l, l
	}
	p.running.Add(1)
	p.mu.Unlock()
	p.cfg.Pool.add(it)
}

// execute works on an item and lets its follower go next. The follower takes its
// place at the end of the pool's queue, so that a long lane starves nobody.
func (p *Partition) execute(it *item) {
	defer p.running.Done()
	if p.ctx.Err() != nil {
		return
	}
	if err := p.attempt(it); err != nil {
		p.halt(err)
		return
	}
	p.cfg.Window.Finish(it.seq)
	if next := p.follower(it); next != nil {
		p.cfg.Pool.add(next)
	}
}

// attempt keeps a panic from taking the process down: one record's fault must
// not become a crash loop of everybody's. Its value may hold a number or a text,
// so only its type is told.
func (p *Partition) attempt(it *item) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic in a command's work: %T\n%s", r, debug.Stack())
		}
	}()
	p.cfg.Pool.begun.Add(1)
	return it.work(p.ctx)
}

// follower returns the next item of the lane, which then counts as running, or
// takes the lane down.
func (p *Partition) follower(it *item) *item {
	if it.lane == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if it.follower == nil {
		delete(p.lanes, it.lane.name)
		return nil
	}
	if p.stopped != nil {
		return nil
	}
	p.running.Add(1)
	return it.follower
}

// halt ends the partition: what runs may finish, nothing more begins.
func (p *Partition) halt(err error) {
	p.mu.Lock()
	if p.stopped == nil {
		p.stopped = err
	}
	p.mu.Unlock()
	p.stop(err)
}
