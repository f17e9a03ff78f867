package intake

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"smsbridge/connector/kafkaio"
)

// Work is what a record asks for. It is done by one goroutine at a time.
type Work interface {
	// Do brings the work on. It returns nothing when every consequence of the record
	// is durable, or what must come before Do is called again: meanwhile the record
	// has no goroutine and no place in the pool, and keeps those of its lane behind
	// it. An error means that nothing was decided: the record is not committed,
	// nothing that must follow it is begun, and Run ends with it.
	Do(ctx context.Context) (*Wait, error)
	// Drop comes instead of another Do where the partition ends before the wait.
	Drop()
}

// Wait is what a record waits for: a time, or one of some events, whichever comes
// first.
type Wait struct {
	Until time.Time
	// On have wake called, once, when something happens, or at once where it already
	// has. Cancel takes that back.
	On  []func(wake func()) (cancel func())
	For string // what it waits for, to be counted by
}

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
	Ready    int // records that run or could run, beyond which nothing is fetched

	// Open turns a record into its work. It is called in the order of offsets,
	// from one goroutine, and must not wait for anything slow.
	Open func(kafkaio.Record) Work
}

// Partition is the intake of one assigned partition.
type Partition struct {
	cfg Config

	mu      sync.Mutex
	lanes   map[string]*lane
	parked  map[*parking]struct{} // what waits, for Run to drop
	stopped error                 // why no further work begins
	ready   int                   // items that run, or wait for nothing but a place in the pool
	freed   chan struct{}         // of size 1: ready has become less
	running sync.WaitGroup
	ctx     context.Context //nolint:containedctx // Run's own, which every work of the partition shares
	stop    context.CancelCauseFunc
}

// NewPartition returns an intake that does nothing until Run.
func NewPartition(cfg Config) *Partition {
	return &Partition{cfg: cfg, lanes: make(map[string]*lane), parked: make(map[*parking]struct{}), freed: make(chan struct{}, 1)}
}

// Run reads and works until ctx ends or a work or the source fails. It returns
// when everything that was begun has ended, with the cause of the end.
func (p *Partition) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	p.ctx, p.stop = ctx, stop
	p.halt(p.read(ctx))
	p.running.Wait()
	p.dropParked()
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
	for p.cfg.Window.full(size) || p.enoughReady() {
		select {
		case <-p.cfg.Window.room:
		case <-p.freed:
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
	p.begin()
	p.mu.Unlock()
	p.cfg.Pool.add(it)
}

// begin counts an item that is given to the pool. mu is held.
func (p *Partition) begin() {
	p.running.Add(1)
	p.ready++
}

// end takes back what begin counted.
func (p *Partition) end() {
	p.mu.Lock()
	p.ready--
	p.mu.Unlock()
	select {
	case p.freed <- struct{}{}:
	default:
	}
	p.running.Done()
}

func (p *Partition) enoughReady() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ready >= p.cfg.Ready
}

// execute works on an item and lets its follower go next. The follower takes its
// place at the end of the pool's queue, so that a long lane starves nobody.
func (p *Partition) execute(it *item) {
	defer p.end()
	if p.ctx.Err() != nil {
		it.drop()
		return
	}
	wait, err := p.attempt(it)
	switch {
	case err != nil:
		p.halt(err)
		return
	case wait != nil:
		p.park(it, wait)
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
func (p *Partition) attempt(it *item) (wait *Wait, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic in a command's work: %T\n%s", r, debug.Stack())
		}
	}()
	if !it.begun {
		it.begun = true
		p.cfg.Pool.begun.Add(1)
	}
	return it.work.Do(p.ctx)
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
	p.begin()
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
