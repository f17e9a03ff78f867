package intake

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Pool bounds how many records are worked on at once in the whole process. It
// is first come, first served between lanes and partitions; a goroutine lives
// only while there is work for it.
type Pool struct {
	begun atomic.Int64

	mu      sync.Mutex
	waiting map[string]int // parked records, by what they wait for
	limit   int
	running int
	first   *item // heads of lanes that wait for a place, oldest first
	last    *item
}

// item is one record on its way through a lane.
type item struct {
	partition *Partition
	lane      *lane // nil when nothing must follow it in order
	seq       uint64
	work      Work
	follower  *item // the next of the same lane
	behind    *item // the next that waits for a place in the pool
	begun     bool
}

// drop gives back what the work of an item that was begun still holds.
func (it *item) drop() {
	if it.begun {
		it.work.Drop()
	}
}

// NewPool returns a pool that works on at most limit records at once.
func NewPool(limit int) *Pool {
	return &Pool{limit: limit, waiting: make(map[string]int)}
}

// Waiting counts the records that wait, by what for. They have no place in the
// pool.
func (p *Pool) Waiting() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.waiting)
}

// countWaiting counts one record more or less.
func (p *Pool) countWaiting(what string, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting[what] += n; p.waiting[what] == 0 {
		delete(p.waiting, what)
	}
}

// Running is how many records are being worked on.
func (p *Pool) Running() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running
}

// Begun is how many records work was begun on since the pool was made.
func (p *Pool) Begun() int64 { return p.begun.Load() }

func (p *Pool) add(it *item) {
	p.mu.Lock()
	if p.running < p.limit {
		p.running++
		p.mu.Unlock()
		go p.run(it)
		return
	}
	if p.last == nil {
		p.first = it
	} else {
		p.last.behind = it
	}
	p.last = it
	p.mu.Unlock()
}

func (p *Pool) run(it *item) {
	for it != nil {
		it.partition.execute(it)
		it = p.take()
	}
}

// take returns the item that has waited longest, or gives the place up.
func (p *Pool) take() *item {
	p.mu.Lock()
	defer p.mu.Unlock()
	it := p.first
	if it == nil {
		p.running--
		return nil
	}
	p.first, it.behind = it.behind, nil
	if p.first == nil {
		p.last = nil
	}
	return it
}
