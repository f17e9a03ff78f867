package kafkaio

// fate is what became of a sending whose caller waits no longer.
type fate int

const (
	settled   fate = iota // it was decided just before
	withdrawn             // nothing of it was sent, nor will be
	undecided             // some of it was sent
)

// withdraw takes back what was not sent.
func (p *Producer) withdraw(s *sending) fate {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.left == 0 {
		return settled
	}
	outcome := withdrawn
	if s.left < len(s.msgs) {
		outcome = undecided
	}
	s.withdrawn = true
	for _, t := range p.topics {
		t.waiting, _ = p.drop(t.waiting, s)
		for _, q := range t.queues {
			unsure := false
			if q.entries, unsure = p.drop(q.entries, s); unsure {
				outcome = undecided
			}
			if q.batch.has(s) && !q.recall() {
				outcome = undecided
			}
		}
	}
	return outcome
}

// drop removes the entries of a sending. The lock is held.
func (p *Producer) drop(entries []entry, s *sending) (kept []entry, unsure bool) {
	kept = entries[:0]
	for _, e := range entries {
		if e.sending != s {
			kept = append(kept, e)
			continue
		}
		p.discount(e)
		unsure = unsure || e.unsure
	}
	clear(entries[len(kept):])
	return kept, unsure
}

func (b *batch) has(s *sending) bool {
	if b == nil {
		return false
	}
	for _, e := range b.entries {
		if e.sending == s {
			return true
		}
	}
	return false
}

// recall says whether the batch was not sent and, as it stands, will not be: its
// records then come back to the queue, without those that were withdrawn.
func (q *queue) recall() bool {
	return !q.batch.unsure && q.busy && q.at.request.abandon()
}

// giveUp settles whatever is left when nothing runs any more, and returns how
// many records that was.
func (p *Producer) giveUp() int {
	p.mu.Lock()
	given := p.pending
	var over []*sending
	end := func(entries []entry, unsure bool) {
		for _, e := range entries {
			err := ErrClosed
			if unsure || e.unsure {
				err = ErrUndecided
			}
			if s := p.settle(e, Ack{}, err); s != nil {
				over = append(over, s)
			}
		}
	}
	for _, t := range p.topics {
		end(t.waiting, false)
		t.waiting = nil
		for _, q := range t.queues {
			if b := q.batch; b != nil {
				end(b.entries, b.unsure)
			}
			end(q.entries, false)
			q.batch, q.entries = nil, nil
		}
	}
	p.mu.Unlock()
	for _, s := range over {
		s.tell()
	}
	return given
}
