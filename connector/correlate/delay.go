package correlate

import (
	"slices"
	"sync"
	"time"
)

// Delay is how long the latest reports took. Without Reports the rest says nothing.
type Delay struct {
	Reports  int // that it is about: the last 1,024 of the last five minutes
	P50, P99 time.Duration
}

// freshFor is how long a report counts: a delay is told to whoever asks what is
// now, not what was this morning.
const freshFor = 5 * time.Minute

// delays remembers how long the latest reports took.
type delays struct {
	mu   sync.Mutex
	last [1024]struct {
		at   time.Time
		took time.Duration
	}
	count int // of all that ever were
}

func (d *delays) add(took []time.Duration) {
	if len(took) == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	for _, t := range took {
		slot := &d.last[d.count%len(d.last)]
		slot.at, slot.took = now, t
		d.count++
	}
}

func (d *delays) told() Delay {
	d.mu.Lock()
	var took []time.Duration
	for _, l := range d.last[:min(d.count, len(d.last))] {
		if time.Since(l.at) < freshFor {
			took = append(took, l.took)
		}
	}
	d.mu.Unlock()
	if len(took) == 0 {
		return Delay{}
	}
	slices.Sort(took)
	within := func(percent int) time.Duration { return took[(len(took)*percent+99)/100-1] }
	return Delay{Reports: len(took), P50: within(50), P99: within(99)}
}
