package kafkaio

import "time"

// troubleAfter is how long something has to fail to be told. A leader that
// moves, or a topic that was created a moment ago, is nobody's trouble.
const troubleAfter = time.Second

// trouble is the failing of one queue, or of the router.
type trouble struct {
	since   time.Time // of the first failure; zero: none
	counted bool
}

// troubles is what keeps records waiting. It is told when it begins and when it
// is over, however many requests fail in between.
type troubles struct {
	count int   // queues that fail, and the router
	err   error // the last one
	twice int   // records to be told of: see Producer.rename
	told  bool
	since time.Time
}

func (all *troubles) begin(t *trouble, now time.Time, err error) {
	all.err = err
	if t.since.IsZero() {
		t.since = now
	}
	if !t.counted && now.Sub(t.since) >= troubleAfter {
		t.counted = true
		all.count++
	}
}

func (all *troubles) end(t *trouble) {
	if t.counted {
		all.count--
	}
	*t = trouble{}
}

// report logs what changed. It must be called without the lock.
func (p *Producer) report() {
	p.mu.Lock()
	t := p.trouble
	pending := p.pending
	p.trouble.twice = 0
	changed := (t.count > 0) != t.told
	if changed {
		p.trouble.told = t.count > 0
		p.trouble.since = time.Now()
	}
	p.mu.Unlock()
	if t.twice > 0 {
		p.log.Warn("kafka records may be written twice", "records", t.twice, "error", t.err)
	}
	switch {
	case !changed:
	case t.told:
		p.log.Info("kafka writes go on", "after", time.Since(t.since).Round(time.Millisecond))
	default:
		p.log.Warn("kafka writes wait", "records", pending, "error", t.err)
	}
}
