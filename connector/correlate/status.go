package correlate

// Status is what the correlator is at.
type Status struct {
	Halted     string // why nothing is correlated; empty: it is
	Published  Delay  // from the receipt of a push to its reports being durable, of those with a command
	Final      Delay  // from the submit, or when it was to be sent, to the receipt of its final report
	Partitions []PartitionStatus
}

// PartitionStatus is how far one partition has got.
type PartitionStatus struct {
	Partition int
	Lag       int64  // pushes that are neither published nor parked
	Parked    int64  // pushes that wait for their sendid
	Restore   int64  // records of the sendids topic to be read before it is worked on; 0: it is
	Halted    string // why it stands still; empty: it does not
}

// Status tells how far the partitions of this process have got.
func (c *Correlator) Status() Status {
	s := Status{Published: c.metrics.latest.told(), Final: c.metrics.final.told()}
	if reason := c.halted.Load(); reason != nil {
		s.Halted = *reason
	}
	for _, p := range *c.parts.Load() {
		s.Partitions = append(s.Partitions, p.status())
	}
	return s
}

func (p *partition) status() PartitionStatus {
	s := PartitionStatus{Partition: p.id, Parked: p.waiting.Load()}
	if high := p.pushes.fetcher.HighWatermark(); high >= 0 {
		s.Lag = max(0, high-p.done.Load())
	}
	if end := p.restoring.Load(); end > 0 {
		s.Restore = max(1, end-p.restored.Load())
	}
	if reason := p.halted.Load(); reason != nil {
		s.Halted = *reason
	}
	return s
}
