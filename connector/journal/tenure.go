package journal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// atOnce is how many partitions are replayed at the same time.
const atOnce = 4

// Tenure is the ownership of partitions in one generation.
type Tenure struct {
	*Journal
	gen      Generation
	owner    uint64
	identity string // of what the store must be about
	ledgers  map[int]*Ledger

	// The committer's alone, after the take-over.
	sent []sentCommit

	wake      chan struct{} // of size 1: something is to be committed
	closing   chan struct{} // closed by Close
	stopped   chan struct{} // closed when the committer is gone
	closeOnce sync.Once

	mu      sync.Mutex
	ended   chan struct{} // closed by end
	cause   error
	pending int           // writes without an ack
	idle    chan struct{} // closed when there are none; nil while nobody waits

	gapped    chan struct{} // of size 1: others wrote into a partition of ours
	revisions revisions
	following sync.WaitGroup
	stop      context.CancelFunc
}

// TakeOver makes partitions ours, after gen was joined. A partition that must
// not be worked on has a Ledger that says why (Halted); the others are ready.
// An error means that none is; the generation must be given up, and left if it
// is ErrRejoin. Close must be called before the generation is released.
func (j *Journal) TakeOver(ctx context.Context, gen Generation, partitions []int) (*Tenure, error) {
	t := &Tenure{
		Journal: j, gen: gen, owner: rand.Uint64(), ledgers: make(map[int]*Ledger, len(partitions)),
		wake: make(chan struct{}, 1), closing: make(chan struct{}), stopped: make(chan struct{}), ended: make(chan struct{}),
	}
	t.gapped, t.revisions.moved = make(chan struct{}, 1), make(chan struct{}, 1)
	for _, p := range partitions {
		t.ledgers[p] = newLedger(t, p)
	}
	if err := t.openShelves(ctx); err != nil {
		return nil, err
	}
	if err := t.takeOver(ctx, partitions); err != nil {
		t.end(ErrClosed) // writes of this attempt that are still to be acked concern nobody
		close(t.stopped)
		return nil, err
	}
	t.claim()
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	t.stop = stop
	go t.run(run)
	t.following.Go(func() { t.follow(run) })
	return t, nil
}

// Ledger returns that of a partition that was taken over.
func (t *Tenure) Ledger(partition int) *Ledger { return t.ledgers[partition] }

// Ended is closed when nothing more may be submitted in this tenure, other than
// by Close. Err says why.
func (t *Tenure) Ended() <-chan struct{} { return t.ended }

// Err is ErrRejoin when the group must be left, ErrLost when it moved on, nil
// while the tenure lasts.
func (t *Tenure) Err() error { return t.alive() }

// Close commits what was finished and ends the tenure. Nothing may be under way
// any more. An error that is ErrRejoin means that the group must be left.
func (t *Tenure) Close(ctx context.Context) error {
	t.closeOnce.Do(func() { close(t.closing) })
	// A commit on its way is waited for: its outcome must be known before the
	// generation is released, or the group be left.
	<-t.stopped
	t.stop()
	t.following.Wait()
	// A release that is still on its way when the next owner lists the end costs
	// a doubt; that owner may be this very process.
	if err := t.settleWrites(ctx); err != nil {
		return err
	}
	err := t.alive()
	for err == nil {
		t.reached(beforeLastCommit)
		if _, err = t.commitChanges(ctx); err == nil {
			break
		}
		if t.alive() != nil || ctx.Err() != nil {
			break
		}
		if !t.sleep(againAfter) {
			break
		}
		err = nil
	}
	if err == nil || !errors.Is(err, ErrRejoin) && !errors.Is(err, ErrLost) {
		t.end(ErrClosed)
	}
	t.claim()
	if errors.Is(err, ErrLost) {
		return nil // the next owner has it; what is finished here it finds in the journal
	}
	return err
}

// end ends the tenure for a reason; the first one counts.
func (t *Tenure) end(cause error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cause != nil {
		return
	}
	t.cause = cause
	close(t.ended)
	if !errors.Is(cause, ErrClosed) {
		t.config.Log.Warn("tenure ended", "reason", cause, "generation", t.gen.ID())
	}
}

// alive returns nil, or why the tenure ended.
func (t *Tenure) alive() error {
	select {
	case <-t.ended:
		t.mu.Lock()
		defer t.mu.Unlock()
		return t.cause
	default:
		return nil
	}
}

// poke lets the committer look for changes.
func (t *Tenure) poke() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// settleWrites waits until everything that was written is acked.
func (t *Tenure) settleWrites(ctx context.Context) error {
	t.mu.Lock()
	if t.pending == 0 {
		t.mu.Unlock()
		return nil
	}
	t.idle = make(chan struct{})
	idle := t.idle
	t.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		t.end(ErrClosed)
		return fmt.Errorf("journal: not everything written was acknowledged: %w", errors.Join(context.Cause(ctx), t.alive()))
	}
}

// writing counts writes that begin and, below zero, that are acked.
func (t *Tenure) writing(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pending += n
	if t.pending == 0 && t.idle != nil {
		close(t.idle)
		t.idle = nil
	}
}

// gap lets the follower look at what others wrote.
func (t *Tenure) gap() {
	select {
	case t.gapped <- struct{}{}:
	default:
	}
}

func (t *Tenure) reached(p point) { t.config.Reached(string(p)) }

// sleep returns false if the tenure ended meanwhile.
func (t *Tenure) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-t.ended:
		return false
	}
}

// each runs a step for every partition that is not halted.
func (t *Tenure) each(ctx context.Context, step func(context.Context, *Ledger) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for _, l := range t.ledgers {
		if l.halted == nil {
			g.Go(func() error { return step(ctx, l) })
		}
	}
	return g.Wait()
}
