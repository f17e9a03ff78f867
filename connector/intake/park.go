package intake

import (
	"maps"
	"slices"
	"time"
)

// parking is the wait of one item. Its fields are under the partition's lock.
type parking struct {
	item    *item
	what    string
	over    bool     // the wait
	cancels []func() // nil until all of it is registered
}

// park puts an item aside until its wait is over. It then comes to the end of the
// pool's queue, like one that was just fetched.
func (p *Partition) park(it *item, wait *Wait) {
	w := &parking{item: it, what: wait.For}
	p.mu.Lock()
	if p.stopped != nil {
		p.mu.Unlock()
		it.drop()
		return
	}
	p.parked[w] = struct{}{}
	p.mu.Unlock()
	p.cfg.Pool.countWaiting(w.what, 1)

	wake := func() { p.wake(w) }
	timer := time.AfterFunc(time.Until(wait.Until), wake)
	cancels := []func(){func() { timer.Stop() }}
	for _, on := range wait.On {
		cancels = append(cancels, on(wake))
	}
	p.mu.Lock()
	w.cancels = cancels
	over := w.over
	p.mu.Unlock()
	if over { // before there was anything to cancel
		w.cancel()
	}
}

// wake ends a wait, unless something else has.
func (p *Partition) wake(w *parking) {
	p.mu.Lock()
	if w.over || p.stopped != nil { // Run drops it
		p.mu.Unlock()
		return
	}
	w.over = true
	delete(p.parked, w)
	registered := w.cancels != nil
	p.begin()
	p.mu.Unlock()
	if registered {
		w.cancel()
	}
	p.cfg.Pool.countWaiting(w.what, -1)
	p.cfg.Pool.add(w.item)
}

func (w *parking) cancel() {
	for _, cancel := range w.cancels {
		cancel()
	}
}

// dropParked ends the waits of a partition that was stopped. Nothing runs and
// nothing is parked any more.
func (p *Partition) dropParked() {
	p.mu.Lock()
	parked := slices.Collect(maps.Keys(p.parked))
	clear(p.parked)
	p.mu.Unlock()
	for _, w := range parked {
		w.cancel()
		p.cfg.Pool.countWaiting(w.what, -1)
		w.item.drop()
	}
}
