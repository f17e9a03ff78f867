package journal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/connector/kafkaio"
)

// endPatience is how long the journal's end may be below the fenced position:
// after an election the high watermark lags for a moment.
const (
	endPatience = 30 * time.Second
	endPause    = 200 * time.Millisecond
)

// readCommitted reads offset and metadata of every partition, or fails.
func (t *Tenure) readCommitted(ctx context.Context, partitions []int) error {
	wanted := make([]kafkaio.TopicPartition, len(partitions))
	for i, p := range partitions {
		wanted[i] = t.command(p)
	}
	found, err := t.gen.Offsets(ctx, wanted)
	if err != nil {
		return fmt.Errorf("journal: committed offsets: %w", err)
	}
	for _, tp := range wanted {
		l := t.ledgers[tp.Partition]
		l.found = found[tp]
		l.start = l.found.Offset
		if l.start < 0 {
			l.found.Metadata = ""
			if l.start, err = t.config.Offsets.StartOffset(ctx, tp.Topic, tp.Partition); err != nil {
				return fmt.Errorf("journal: start of the commands: %w", err)
			}
		}
		l.watermark = l.start
		switch l.previous, err = parseMetadata(l.found.Metadata); {
		case errors.Is(err, errFormat):
			l.newer = err
		case l.found.Offset < 0: // never committed: a first start, most likely
		case err != nil:
			t.config.Log.Warn("no metadata beside the committed offset: whatever the journal leaves open is in doubt",
				"partition", tp.Partition, "offset", l.found.Offset)
		default:
			l.known = true
		}
	}
	return nil
}

// listEnd finds out how far there is to replay.
func (l *Ledger) listEnd(ctx context.Context) error {
	t := l.tenure
	if l.newer != nil && !l.decided.pardon {
		l.halt(HaltFormat, l.newer)
		return nil
	}
	begun := time.Now()
	for {
		end, err := t.config.Offsets.EndOffset(ctx, t.config.Topic, l.partition)
		if err != nil {
			return fmt.Errorf("journal: end of partition %d: %w", l.partition, err)
		}
		if !l.known || end >= l.previous.Fenced {
			l.base = end
			return nil
		}
		if time.Since(begun) >= endPatience {
			l.halt(HaltLostEnd, fmt.Errorf("the journal ends at %d, below the fenced position %d", end, l.previous.Fenced))
			return nil
		}
		select {
		case <-time.After(endPause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// replay reads the journal up to the listed end and judges what it left open.
func (l *Ledger) replay(ctx context.Context) error {
	if l.isHalted() {
		return nil
	}
	t := l.tenure
	from, err := t.config.Offsets.StartOffset(ctx, t.config.Topic, l.partition)
	if err != nil {
		return fmt.Errorf("journal: start of partition %d: %w", l.partition, err)
	}
	if l.known && from > l.previous.Replay {
		l.halt(HaltLostStart, fmt.Errorf("the journal starts at %d, above the replay start %d", from, l.previous.Replay))
		return nil
	}
	l.previous.Tail = max(l.previous.Tail, from) // what is gone cannot be dealt with
	resumed, err := l.resume(ctx, from)
	if err != nil {
		return err
	}
	f := fold{ledger: l}
	if err := f.readFrom(ctx, resumed); err != nil {
		return err
	}
	if f.stale && resumed > from { // then the store spared us what is in doubt now
		l.forgetAll()
		f = fold{ledger: l, read: f.read}
		if err := f.readFrom(ctx, from); err != nil {
			return err
		}
	}
	t.metrics.replayed.Add(ctx, int64(f.read))
	if l.halted == nil && !l.decided.met {
		f.conclude()
	}
	return nil
}

// readFrom takes up every record from a position to the listed end.
func (f *fold) readFrom(ctx context.Context, from int64) error {
	l := f.ledger
	t := l.tenure
	source := t.config.Fetch(kafkaio.FetchConfig{Topic: t.config.Topic, Partition: l.partition, Offset: from})
	for source.Position() < l.base && l.halted == nil {
		records, err := source.Next(ctx)
		if next, ok := l.decided.skips(err); ok {
			source.Skip(next)
			continue
		}
		if err != nil {
			if l.unreadable(err) {
				return nil
			}
			return fmt.Errorf("journal: replay of partition %d: %w", l.partition, err)
		}
		for i := range records {
			if records[i].Offset >= l.base {
				break
			}
			f.take(&records[i])
			l.newest = spot{records[i].Offset, records[i].Value}
		}
	}
	return nil
}

// unreadable halts the partition where no waiting helps: what cannot be read may
// be an intent.
func (l *Ledger) unreadable(err error) bool {
	var (
		batch *kafkaio.BatchError
		out   *kafkaio.OutOfRangeError
	)
	switch {
	case errors.As(err, &batch):
		l.halt(HaltUnreadable, err)
	case errors.As(err, &out):
		l.halt(HaltLostStart, err)
	default:
		return false
	}
	return true
}

// fold turns records into what is known.
type fold struct {
	ledger *Ledger
	read   int
	stale  bool // the metadata is older than what the journal shows
}

func (f *fold) take(rec *kafkaio.Record) {
	l := f.ledger
	r, err := decode(rec.Value)
	switch {
	case err != nil && l.decided.excuses(rec.Offset):
		return
	case errors.Is(err, errFormat):
		l.halt(HaltFormat, fmt.Errorf("position %d: %w", rec.Offset, err))
		return
	case err != nil:
		l.halt(HaltUnreadable, fmt.Errorf("position %d: %w", rec.Offset, err))
		return
	}
	f.read++
	r.at = rec.Time
	window := l.tenure.config.Window
	if !l.ours(r.group, rec.Offset) {
		if time.Since(r.at) < window {
			l.halt(HaltOtherGroup, fmt.Errorf("group %q wrote at position %d", r.group, rec.Offset))
		}
		return
	}
	if r.kind == adopted || r.kind == pardoned {
		l.meet(&r, rec.Offset)
		return
	}
	if f.past(&r, rec.Offset) {
		f.put(&r, rec.Offset)
		delete(l.stories, r.ref.Offset)
		return
	}
	s := l.story(r.ref)
	s.add(&r, rec.Offset)
	f.checkStale(s, &r)
	if r.ref.Offset >= l.start {
		l.firsts = append(l.firsts, first{at: rec.Offset, offset: r.ref.Offset})
	}
	if r.kind == final {
		f.put(&r, rec.Offset)
	}
}

// past reports whether a final done is one of the many that are told, committed,
// and looked at by an earlier owner for what came late: nothing of it is open,
// and only its id is remembered.
func (f *fold) past(r *record, at int64) bool {
	l := f.ledger
	return r.kind == final && r.status != sms.Unknown && r.revision <= 1 &&
		l.known && r.ref.Offset < l.start && at < l.previous.Tail
}

// story returns that of a command. One of another record at the same offset is
// replaced if it is older: the topic was made anew.
func (l *Ledger) story(ref Ref) *story {
	s := l.stories[ref.Offset]
	if s == nil || s.ref != ref {
		if s != nil && s.tried() {
			l.begin(hashID(s.ref.ID), ref.Offset) // what it left open still bars its id
		}
		s = &story{ref: ref}
		l.stories[ref.Offset] = s
	}
	return s
}

func (f *fold) put(r *record, at int64) {
	l := f.ledger
	id := hashID(r.ref.ID)
	if old, ok := l.ids.get(id, r.ref.Offset); ok && old.fingerprint == r.ref.Fingerprint && !old.yields(r.status, r.revision) {
		return
	}
	l.ids.put(id, entry{
		offset: r.ref.Offset, fingerprint: r.ref.Fingerprint, status: r.status, revision: r.revision, at: r.at, done: at,
	})
	if r.ref.Offset >= l.start && len(l.answers) < mostAnswers {
		l.answers[at] = r.unpack()
	}
}

// mostAnswers bounds the results that a take-over keeps in memory for their being
// published again; the others are read one by one.
const mostAnswers = 2048

// checkStale: an attempt with an outcome had been fenced. If by the metadata it
// cannot have been, the metadata was taken back, and nothing follows from it.
func (f *fold) checkStale(s *story, r *record) {
	l := f.ledger
	if !r.about() || !l.known {
		return
	}
	a := s.attempt(r.names)
	if a != nil && a.owner == r.owner && l.previous.unsent(a.owner, a.at) {
		f.stale = true
	}
}

// conclude judges every attempt that is open.
func (f *fold) conclude() {
	l := f.ledger
	if f.stale {
		l.known = false
		l.tenure.config.Log.Error("the metadata beside the committed offset is older than the journal: whatever the journal leaves open is in doubt",
			"partition", l.partition)
	}
	doubts := 0
	for _, offset := range slices.Sorted(maps.Keys(l.stories)) {
		s := l.stories[offset]
		s.lost = s.lost || l.decided.lost(offset)
		for i := range s.attempts {
			if a := &s.attempts[i]; a.open() && l.known && l.previous.unsent(a.owner, a.at) {
				a.freed = true
				l.unsent = append(l.unsent, unsentIntent{s.ref, a.at})
			}
		}
		if f.settle(s) {
			doubts++
		}
		if offset >= l.start && s.tried() {
			l.unsettled[offset] = s.began()
		}
	}
	l.acked, l.fenced = l.base, l.base
	l.tail.begin(l.base)
	if doubts > 0 {
		l.tenure.metrics.doubts.Add(context.Background(), int64(doubts))
	}
	l.tenure.config.Log.Info("journal replayed", "partition", l.partition, "offset", l.start, "records", f.read,
		"unsent", len(l.unsent), "in_doubt", doubts)
}

// settle gives a command the final done that counts, if one does. It reports
// whether the command is in doubt.
func (f *fold) settle(s *story) bool {
	l := f.ledger
	id := hashID(s.ref.ID)
	best := s.best()
	e, known := l.ids.get(id, s.ref.Offset)
	if known && e.fingerprint == s.ref.Fingerprint && !s.tells(e.done) && (best == nil || !e.yields(best.status, best.revision)) {
		// It stands below what was replayed, and the story is of what came late.
		best = &verdictAt{at: e.done, status: e.status, revision: e.revision}
	}
	switch {
	case best != nil:
		e.offset, e.fingerprint, e.status, e.revision, e.done = s.ref.Offset, s.ref.Fingerprint, best.status, best.revision, best.at
		l.ids.put(id, e)
		// A revision that is durable may not have been published.
		if best.status == sms.Unknown && s.resolved() || best.revision > 1 && best.at >= l.previous.Tail {
			l.revise(s, min(l.previous.Tail, l.base))
		}
		if best.status != sms.Unknown {
			delete(l.stories, s.ref.Offset)
		}
		return false
	case len(s.finals) > 0:
		l.ids.drop(id, s.ref.Offset) // none of them stands
	}
	if !s.tried() {
		return false
	}
	l.begin(id, s.ref.Offset)
	for _, t := range s.parts() {
		if t.doubts > 0 {
			return true
		}
	}
	return false
}

// confirm asks the coordinator whether we still are the newest generation, by a
// commit that changes nothing, where something is to be released.
func (t *Tenure) confirm(ctx context.Context) error {
	batch := make(map[kafkaio.TopicPartition]kafkaio.Commit)
	for _, l := range t.ledgers {
		if l.halted == nil && len(l.unsent) > 0 {
			batch[t.command(l.partition)] = kafkaio.Commit{Offset: l.found.Offset, Metadata: l.found.Metadata}
		}
	}
	return t.commitFirst(ctx, batch)
}

// releaseUnsent writes the releases of what others left unsent, and waits.
func (t *Tenure) releaseUnsent(ctx context.Context) error {
	return t.each(ctx, func(ctx context.Context, l *Ledger) error {
		if len(l.unsent) == 0 {
			return nil
		}
		left := make(chan error, len(l.unsent)) // one answer for each
		for _, u := range l.unsent {
			r := l.record(released, u.ref)
			r.names = u.at
			l.send(&r, func(_ int64, err error) { left <- err })
		}
		for range l.unsent {
			select {
			case err := <-left:
				if err != nil {
					return err
				}
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	})
}

// firstCommit puts our own metadata in the place of what we found.
func (t *Tenure) firstCommit(ctx context.Context) error {
	batch := make(map[kafkaio.TopicPartition]kafkaio.Commit)
	begun := time.Now()
	for _, l := range t.ledgers {
		l.dirty = true
		if c, s, ok := l.change(); ok {
			batch[t.command(l.partition)] = c
			t.sent = append(t.sent, s)
		}
	}
	if err := t.commitFirst(ctx, batch); err != nil {
		return err
	}
	for _, s := range t.sent {
		s.ledger.settle(s, begun)
	}
	return nil
}

// commitFirst commits all of it, trying on while it is only not stored.
func (t *Tenure) commitFirst(ctx context.Context, batch map[kafkaio.TopicPartition]kafkaio.Commit) error {
	for len(batch) > 0 {
		err := t.commit(ctx, batch)
		if err == nil {
			return nil
		}
		if t.alive() != nil {
			return err
		}
		select {
		case <-time.After(againAfter):
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		}
	}
	return nil
}
