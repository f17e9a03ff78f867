package intake

import (
	"sync"
	"time"
)

// Window holds the records of one partition that were fetched and are not
// committed yet, in the order of their offsets. Records finish in any order; the
// watermark moves over finished ones only, so a commit never passes an
// unfinished record. Offsets may have gaps (compacted or aborted records).
//
// A finished record above the watermark costs next to nothing, so that many may
// pass one that waits.
type Window struct {
	maxRecords int
	maxBytes   int

	mu      sync.Mutex
	entries []entry       // ring
	head    int           // index of the oldest entry
	count   int           // entries in the ring
	base    uint64        // sequence number of the oldest entry
	bytes   int           // what all entries cost
	next    int64         // the offset after the last record or gap that was seen
	room    chan struct{} // signalled when an entry is finished, so that full may be asked again
}

// What a record costs in memory beside its own bytes, measured with commands that
// are paused, and once it is finished.
const (
	waitingCost  = 4 << 10
	finishedCost = 64
)

type entry struct {
	offset int64
	size   int
	at     time.Time
	done   bool
}

// NewWindow returns an empty window whose first record will be at start or
// later. It is full at maxRecords, or when they would cost more than maxBytes of
// memory; a single record larger than that still passes when it is alone.
func NewWindow(start int64, maxRecords, maxBytes int) *Window {
	return &Window{
		maxRecords: maxRecords,
		maxBytes:   maxBytes,
		entries:    make([]entry, 16),
		next:       start,
		room:       make(chan struct{}, 1),
	}
}

// Add registers a record of that time, which must stand behind all earlier ones,
// and returns the number by which Finish knows it.
func (w *Window) Add(offset int64, size int, at time.Time) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count == len(w.entries) {
		w.grow()
	}
	w.entries[(w.head+w.count)%len(w.entries)] = entry{offset: offset, size: size, at: at}
	w.count++
	w.bytes += size + waitingCost
	w.next = offset + 1
	return w.base + uint64(w.count) - 1
}

// Advance says that nothing stands between the last record and next: the gap
// of control records, aborted ones and compacted ones may be committed too.
func (w *Window) Advance(next int64) {
	w.mu.Lock()
	w.next = max(w.next, next)
	w.mu.Unlock()
}

// Finish marks a record as finished: its consequences are durable.
func (w *Window) Finish(seq uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := &w.entries[(w.head+int(seq-w.base))%len(w.entries)]
	e.done = true
	w.bytes -= e.size + waitingCost - finishedCost
	for w.count > 0 && w.entries[w.head].done {
		w.bytes -= finishedCost
		w.head = (w.head + 1) % len(w.entries)
		w.count--
		w.base++
	}
	select {
	case w.room <- struct{}{}:
	default:
	}
}

// Watermark is the offset that may be committed: everything below is finished.
func (w *Window) Watermark() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count == 0 {
		return w.next
	}
	return w.entries[w.head].offset
}

// Oldest is the time of the record at the watermark, the zero time where none is
// unfinished.
func (w *Window) Oldest() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count == 0 {
		return time.Time{}
	}
	return w.entries[w.head].at
}

// Pending is the number of records between the watermark and the last one
// fetched, finished ones among them included.
func (w *Window) Pending() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count
}

// full reports whether a record of this size must wait.
func (w *Window) full(size int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count > 0 && (w.count >= w.maxRecords || w.bytes+size+waitingCost > w.maxBytes)
}

func (w *Window) grow() {
	bigger := make([]entry, 2*len(w.entries))
	n := copy(bigger, w.entries[w.head:])
	copy(bigger[n:], w.entries[:w.head])
	w.entries, w.head = bigger, 0
}
