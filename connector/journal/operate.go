package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"smsbridge/connector/kafkaio"
)

// Mended reports whether a partition that is halted would not be any more, were
// it taken over now.
func (t *Tenure) Mended(ctx context.Context) (bool, error) {
	for p, l := range t.ledgers {
		if l.halted == nil {
			continue
		}
		now, err := t.glance(ctx, t.gen, p)
		if err != nil || now.halted == nil {
			return err == nil, err
		}
	}
	return false, nil
}

// glance looks at a partition as a take-over does.
func (j *Journal) glance(ctx context.Context, gen Generation, partition int) (*Ledger, error) {
	t := &Tenure{Journal: j, gen: gen, ledgers: make(map[int]*Ledger, 1), ended: make(chan struct{})}
	t.revisions.moved = make(chan struct{}, 1)
	l := newLedger(t, partition)
	t.ledgers[partition] = l
	return l, t.look(ctx, []int{partition})
}

// Examination is what a take-over of one partition would find.
type Examination struct {
	Partition int
	Committed int64                // offset of the commands; -1: none
	Fenced    int64                // position that was fenced; -1: not known
	Replay    int64                // position from which a take-over must read; -1: not known
	Start     int64                // of the journal; -1: no such partition
	End       int64                // likewise
	Groups    map[string]time.Time // who wrote there within the window, and when last
	Halt      *Halt                // nil: it would be worked on

	metadata string
	from     int64
}

// Examine looks at a partition and changes nothing. Of gen only Offsets is used:
// it need not be a membership.
func (j *Journal) Examine(ctx context.Context, gen Generation, partition int) (Examination, error) {
	l, err := j.glance(ctx, gen, partition)
	if err != nil {
		return Examination{}, err
	}
	x := Examination{
		Partition: partition, Committed: l.found.Offset, Fenced: -1, Replay: -1, Start: -1, End: -1,
		Groups: map[string]time.Time{}, Halt: l.halted, metadata: l.found.Metadata, from: l.start,
	}
	if m, err := parseMetadata(l.found.Metadata); err == nil {
		x.Fenced, x.Replay = m.Fenced, m.Replay
	}
	if x.Halt != nil && x.Halt.Reason == HaltNoPartition {
		return x, nil
	}
	if x.Start, err = j.config.Offsets.StartOffset(ctx, j.config.Topic, partition); err != nil {
		return x, err
	}
	if x.End, err = j.config.Offsets.EndOffset(ctx, j.config.Topic, partition); err != nil {
		return x, err
	}
	return x, l.scan(ctx, func(r *record, _ int64) {
		if time.Since(r.at) < j.config.Window && r.at.After(x.Groups[r.group]) {
			x.Groups[r.group] = r.at
		}
	})
}

// Adopt makes what another group wrote so far in a partition ours. That group
// must be at its end. A group that has no offset yet goes on at theirs, which is
// -1 if there is none.
func (j *Journal) Adopt(ctx context.Context, partition int, from string, offset int64) error {
	if from == "" || from == j.config.Group {
		return fmt.Errorf("journal: %q is not another group", from)
	}
	return j.decide(ctx, partition, &record{kind: adopted, from: from, ref: Ref{Offset: max(offset, 0)}})
}

// ErrNothingLost says that there is nothing to accept.
var ErrNothingLost = errors.New("journal: nothing is known to be lost")

// AcceptLoss lets the next take-over pass what halts the examined partition.
// Commands from the committed offset up to until may have been submitted without
// a trace; they are told as unknown.
func (j *Journal) AcceptLoss(ctx context.Context, x Examination, until int64) error {
	if x.Halt == nil || x.Halt.Reason == HaltOtherGroup || x.Halt.Reason == HaltNoPartition {
		return ErrNothingLost
	}
	return j.decide(ctx, x.Partition, &record{kind: pardoned, metadata: x.metadata, ref: Ref{Offset: x.from}, until: max(until, x.from)})
}

// From is the offset of the commands at which a take-over would begin.
func (x *Examination) From() int64 { return x.from }

// decide writes a decision and waits until it is durable.
func (j *Journal) decide(ctx context.Context, partition int, r *record) error {
	r.group, r.names = j.config.Group, -1
	durable := make(chan error, 1)
	j.config.Producer.Send([]kafkaio.Message{{Topic: j.config.Topic, Partition: partition, Value: r.encode(nil)}},
		func(_ []kafkaio.Ack, err error) { durable <- err })
	select {
	case err := <-durable:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
