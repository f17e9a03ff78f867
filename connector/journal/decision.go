package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"smsbridge/connector/kafkaio"
)

// decisions are an operator's words about one partition, which stand in its
// journal like all else that must not be forgotten. They are looked for only
// where something halts, or where one is met whose consequences no commit of
// ours covers yet; so they cost nothing otherwise.
//
// Adopting a group makes its records below the decision ours. Accepting a loss
// takes what is missing or cannot be read below the decision for nothing. Either
// way nothing follows from the metadata until we have committed our own behind
// the decision: whatever is open is in doubt.
type decisions struct {
	read   bool       // all of them are in list
	met    bool       // one was met that asks for another look
	list   []decision // in the order of positions
	pardon bool       // the metadata that was found is among what was accepted
	doubts []span     // commands of which the journal may have lost something
}

type decision struct {
	record
	position int64
}

// span is from, up to but not including, until.
type span struct{ from, until int64 }

// lost reports whether the journal may have lost what it knew of a command.
func (d *decisions) lost(offset int64) bool {
	return slices.ContainsFunc(d.doubts, func(s span) bool { return s.from <= offset && offset < s.until })
}

// excuses reports whether a record that cannot be read was accepted as lost.
func (d *decisions) excuses(at int64) bool {
	return slices.ContainsFunc(d.list, func(d decision) bool { return d.kind == pardoned && at < d.position })
}

// skips returns where to go on behind a batch that was accepted as lost.
func (d *decisions) skips(err error) (next int64, ok bool) {
	var batch *kafkaio.BatchError
	if !errors.As(err, &batch) || !d.excuses(batch.Offset) {
		return 0, false
	}
	return batch.Next, true
}

// ours reports whether what a group wrote at a position counts as ours.
func (l *Ledger) ours(group string, at int64) bool {
	own := l.tenure.config.Group
	return group == own || slices.ContainsFunc(l.decided.list, func(d decision) bool {
		return d.kind == adopted && d.group == own && d.from == group && at < d.position
	})
}

// covered reports whether a commit of ours was made behind a decision.
func (l *Ledger) covered(position int64) bool { return l.known && l.previous.Base > position }

// meet takes up a decision in the replay.
func (l *Ledger) meet(r *record, at int64) {
	if !l.decided.read && !l.covered(at) {
		l.decided.met = true
	}
	if r.kind != pardoned {
		return
	}
	l.decided.doubts = append(l.decided.doubts, span{r.ref.Offset, r.until})
	if r.until > l.start { // it is replayed until all of them are told
		l.firsts = append(l.firsts, first{at: at, offset: r.until - 1})
	}
}

// consult looks for decisions where the first look at the journal asks for them.
// It reports whether there are any; then everything is to be looked at again.
func (l *Ledger) consult(ctx context.Context) (bool, error) {
	if l.halted == nil && !l.decided.met {
		return false, nil
	}
	var list []decision
	err := l.scan(ctx, func(r *record, at int64) {
		if r.kind == adopted || r.kind == pardoned {
			list = append(list, decision{*r, at})
		}
	})
	if err != nil || len(list) == 0 {
		return false, err
	}
	l.forget()
	l.decided = decisions{read: true}
	for _, d := range list {
		if d.kind == adopted && d.group == l.tenure.config.Group {
			l.decided.list = append(l.decided.list, d)
		}
	}
	for _, d := range list {
		if d.kind == pardoned && l.ours(d.group, d.position) {
			l.decided.list = append(l.decided.list, d)
		}
	}
	l.obey()
	return true, nil
}

// forget undoes a look at the journal.
func (l *Ledger) forget() {
	l.halted, l.firsts, l.unsent = nil, nil, nil
	clear(l.stories)
	clear(l.underWay)
}

// obey draws the conclusions about what was committed.
func (l *Ledger) obey() {
	known := l.known
	for _, d := range l.decided.list {
		l.decided.pardon = l.decided.pardon || d.kind == pardoned && d.metadata == l.found.Metadata
		if known && l.previous.Base > d.position && !l.decided.pardon {
			continue
		}
		l.known = false
		// Who put the offset elsewhere, which leaves no metadata, meant it.
		if d.kind == adopted && (known || l.found.Offset < 0) {
			l.start = max(l.start, d.ref.Offset)
			l.watermark = l.start
		}
	}
}

// scan reads all of the journal that can be read.
func (l *Ledger) scan(ctx context.Context, each func(r *record, at int64)) error {
	c := &l.tenure.config
	from, err := c.Offsets.StartOffset(ctx, c.Topic, l.partition)
	if err != nil {
		return fmt.Errorf("journal: start of partition %d: %w", l.partition, err)
	}
	end, err := c.Offsets.EndOffset(ctx, c.Topic, l.partition)
	if err != nil {
		return fmt.Errorf("journal: end of partition %d: %w", l.partition, err)
	}
	source := c.Fetch(kafkaio.FetchConfig{Topic: c.Topic, Partition: l.partition, Offset: from})
	for source.Position() < end {
		records, err := source.Next(ctx)
		if batch, ok := errors.AsType[*kafkaio.BatchError](err); ok {
			source.Skip(batch.Next)
			continue
		}
		if err != nil {
			return fmt.Errorf("journal: decisions of partition %d: %w", l.partition, err)
		}
		for i := range records {
			if r, err := decode(records[i].Value); err == nil && records[i].Offset < end {
				r.at = records[i].Time
				each(&r, records[i].Offset)
			}
		}
	}
	return nil
}

// sentParts are the parts of a command that were or may have been accepted.
func (l *Ledger) sentParts(ref Ref) []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stories[ref.Offset]
	if s == nil || s.ref != ref {
		return nil
	}
	var parts []int
	for part, t := range s.parts() {
		if t.sent() {
			parts = append(parts, part)
		}
	}
	slices.Sort(parts)
	return parts
}
