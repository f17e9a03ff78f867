package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/connector/kafkaio"
)

// Revision is a command that was told as unknown and whose answer is known now.
// Whoever takes it makes the result with that revision, Finishes it, publishes
// it, and calls Revised. Only the owner of the partition does so.
type Revision struct {
	Ref      Ref
	Previous kafkaio.Message  // the result as it was published last
	Parts    []sms.Submission // what is known of each part that was submitted
	Inferred []int            // numbers of those that nobody was told: a report is the evidence
	Number   int              // of the new result
	// Finished: the new result already has its final done and stands in
	// Previous; it is only to be published.
	Finished bool

	ledger *Ledger
	since  int64
}

// Ledger is that of the partition.
func (r *Revision) Ledger() *Ledger { return r.ledger }

// revisions wait for whoever publishes them.
type revisions struct {
	mu    sync.Mutex
	list  []*Revision
	moved chan struct{} // of size 1: list may have grown
}

func (q *revisions) put(r *Revision) {
	q.mu.Lock()
	q.list = append(q.list, r)
	q.mu.Unlock()
	select {
	case q.moved <- struct{}{}:
	default:
	}
}

func (q *revisions) take() *Revision {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.list) == 0 {
		return nil
	}
	r := q.list[0]
	q.list = q.list[1:]
	return r
}

// NextRevision waits for a command that is to be revised. It is for one
// goroutine; its error is that of ctx, of the journal's reading, or why the
// tenure ended.
func (t *Tenure) NextRevision(ctx context.Context) (*Revision, error) {
	for {
		if err := t.alive(); err != nil {
			return nil, err
		}
		if r := t.revisions.take(); r != nil {
			return r, r.load(ctx)
		}
		select {
		case <-t.revisions.moved:
		case <-t.ended:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (r *Revision) load(ctx context.Context) error {
	l := r.ledger
	l.mu.Lock()
	e, ok := l.ids.get(hashID(r.Ref.ID), r.Ref.Offset)
	if s := l.stories[r.Ref.Offset]; s != nil && s.ref == r.Ref {
		r.Parts, r.Inferred = s.submissions()
	}
	l.mu.Unlock()
	if !ok {
		return fmt.Errorf("journal: nothing is remembered of offset %d", r.Ref.Offset)
	}
	r.Number, r.Finished = e.revision+1, e.status != sms.Unknown
	var err error
	r.Previous, err = l.resultAt(ctx, e.done)
	return err
}

// Revised says that the revision is published.
func (l *Ledger) Revised(r *Revision) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, since := range l.tail.pending {
		if since == r.since {
			l.tail.pending = append(l.tail.pending[:i], l.tail.pending[i+1:]...)
			break
		}
	}
	if s := l.stories[r.Ref.Offset]; s != nil && s.ref == r.Ref {
		delete(l.stories, r.Ref.Offset)
	}
	l.dirty = true
}

// Answer reads the result of an Answered command, to be published again: the
// same bytes.
func (l *Ledger) Answer(ctx context.Context, v Verdict) (kafkaio.Message, error) {
	l.mu.Lock()
	m, ok := l.answers[v.done]
	delete(l.answers, v.done)
	l.mu.Unlock()
	if ok {
		return m, nil
	}
	return l.resultAt(ctx, v.done)
}

// oneRecord is enough of an answer to read a single record; brokers give at
// least one batch, however large.
const oneRecord = 4 << 10

func (l *Ledger) resultAt(ctx context.Context, at int64) (kafkaio.Message, error) {
	rec, err := l.recordAt(ctx, at)
	if err != nil {
		return kafkaio.Message{}, fmt.Errorf("journal: result at position %d: %w", at, err)
	}
	r, err := decode(rec.Value)
	if err != nil || r.kind != final {
		return kafkaio.Message{}, fmt.Errorf("journal: no result at position %d (%w)", at, err)
	}
	return r.unpack(), nil
}

var errGone = errors.New("no record stands there any more")

// recordAt reads the record at a position.
func (l *Ledger) recordAt(ctx context.Context, at int64) (*kafkaio.Record, error) {
	c := &l.tenure.config
	source := c.Fetch(kafkaio.FetchConfig{Topic: c.Topic, Partition: l.partition, Offset: at, MaxBytes: oneRecord})
	for source.Position() <= at {
		records, err := source.Next(ctx)
		if err != nil {
			return nil, err
		}
		for i := range records {
			if records[i].Offset == at {
				return &records[i], nil
			}
		}
	}
	return nil, errGone
}

// follow reads what others write into our partitions: the late answers of
// zombies, which only the owner may tell.
func (t *Tenure) follow(ctx context.Context) {
	idle := time.NewTicker(t.config.SessionTimeout / 2)
	defer idle.Stop()
	for {
		whole := false
		select {
		case <-t.gapped:
		case <-idle.C:
			whole = true
		case <-t.ended:
			return
		case <-ctx.Done():
			return
		}
		for _, l := range t.ledgers {
			if l.halted != nil {
				continue
			}
			if err := l.catchUp(ctx, whole); err != nil && ctx.Err() == nil {
				t.config.Log.Warn("own journal not followed, trying on", "partition", l.partition, "error", err)
			}
		}
	}
}

// catchUp reads the gap, or up to the end.
func (l *Ledger) catchUp(ctx context.Context, whole bool) error {
	c := &l.tenure.config
	l.mu.Lock()
	from, to := l.tail.gap()
	l.mu.Unlock()
	if from == to && whole {
		end, err := c.Offsets.EndOffset(ctx, c.Topic, l.partition)
		if err != nil {
			return err
		}
		to = end
	}
	if from >= to {
		return nil
	}
	source := c.Fetch(kafkaio.FetchConfig{Topic: c.Topic, Partition: l.partition, Offset: from})
	for source.Position() < to {
		records, err := source.Next(ctx)
		if err != nil {
			return err
		}
		for i := range records {
			if records[i].Offset < to {
				l.overhear(&records[i])
			}
		}
	}
	l.mu.Lock()
	l.tail.through(to)
	l.mu.Unlock()
	return nil
}

// overhear takes up a record that may be somebody else's. Only answers matter,
// and evidence, which stands for one: what others intended here after we had
// listed the end they cannot have sent, and what they decided is void.
func (l *Ledger) overhear(rec *kafkaio.Record) {
	t := l.tenure
	r, err := decode(rec.Value)
	switch {
	case errors.Is(err, errFormat):
		l.mu.Lock()
		l.tail.newer = min(l.tail.newer, rec.Offset) // the next owner must read it
		l.mu.Unlock()
		t.config.Log.Error("a newer version of this program writes into the own journal", "partition", l.partition, "position", rec.Offset, "error", err)
		return
	case err != nil:
		t.config.Log.Error("a record in the own journal cannot be read", "partition", l.partition, "position", rec.Offset, "error", err)
		return
	case r.owner == t.owner:
		return
	case r.group != t.config.Group:
		t.end(fmt.Errorf("%w: group %q writes into the same journal", ErrClosed, r.group))
		return
	case r.kind != evidence && (!r.about() || r.came.Status == sms.Unknown):
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stories[r.ref.Offset]
	if s == nil || s.ref != r.ref {
		return // its outcome is known
	}
	s.add(&r, rec.Offset)
	if e, ok := l.ids.get(hashID(r.ref.ID), r.ref.Offset); ok && e.status == sms.Unknown && s.resolved() {
		l.revise(s, rec.Offset)
	}
}

// revise asks for a revision, once. The metadata's tail stays below since until it is
// published. The caller holds the lock.
func (l *Ledger) revise(s *story, since int64) {
	if s.revised {
		return
	}
	s.revised = true
	l.tail.pending = append(l.tail.pending, since)
	l.tenure.revisions.put(&Revision{Ref: s.ref, ledger: l, since: since})
}

// settledTail is below everything whose revision is not published yet, and below
// what was not understood. The caller holds the lock.
func (l *Ledger) settledTail() int64 {
	at := min(l.tail.read, l.acked, l.tail.newer)
	for _, since := range l.tail.pending {
		at = min(at, since)
	}
	return at
}
