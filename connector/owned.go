package connector

import (
	"errors"
	"slices"
	"sync"

	"smsbridge/connector/journal"
	"smsbridge/connector/telemetry"
)

// owned is what the process works on, for those who only look.
type owned struct {
	mu    sync.Mutex
	times int64 // that partitions were assigned
	parts map[int]*assigned
	moved chan struct{} // closed when parts changes
}

func newOwned() *owned { return &owned{moved: make(chan struct{})} }

// set replaces what is owned; nil: nothing any more.
func (o *owned) set(parts map[int]*assigned) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.parts = parts
	if parts != nil {
		o.times++
	}
	close(o.moved)
	o.moved = make(chan struct{})
}

// assignments counts how often partitions were assigned to this process.
func (o *owned) assignments() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.times
}

// has reports whether a partition is ours, and returns a channel that is closed
// when that may have changed.
func (o *owned) has(partition int) (bool, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ok := o.parts[partition]
	return ok, o.moved
}

// status tells how far each partition has got.
func (o *owned) status() []telemetry.Partition {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := make([]telemetry.Partition, 0, len(o.parts))
	for id, p := range o.parts {
		if err := p.ledger.Halted(); err != nil {
			list = append(list, p.haltedStatus(err))
			continue
		}
		mark := p.window.Watermark()
		status := telemetry.Partition{
			Partition: id,
			Deleted:   p.deleted.Load(),
			Lag:       max(0, p.fetcher.HighWatermark()-mark),
			InFlight:  p.window.Pending(),
			Watermark: mark,
			Oldest:    telemetry.Time(p.window.Oldest()),
		}
		if halt := p.unreadable.Load(); halt != nil {
			halted(&status, halt)
		}
		list = append(list, status)
	}
	slices.SortFunc(list, func(a, b telemetry.Partition) int { return a.Partition - b.Partition })
	return list
}

func (p *assigned) haltedStatus(err error) telemetry.Partition {
	start := p.ledger.Start()
	s := telemetry.Partition{
		Partition: p.id, Lag: max(0, p.end.Load()-start), Watermark: start, Halted: true, Detail: telemetry.Text(err.Error()),
	}
	if halt, ok := errors.AsType[*journal.Halt](err); ok {
		halted(&s, halt)
	}
	return s
}

func halted(s *telemetry.Partition, h *journal.Halt) {
	s.Halted = true
	s.Reason, s.Detail, s.Remedy = telemetry.Text(h.Reason), telemetry.Text(h.Err.Error()), telemetry.Text(h.Remedy())
}
