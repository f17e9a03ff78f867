package trail

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"smsbridge/codec"
	"smsbridge/codec/sms"
	"smsbridge/connector/kafkaio"
)

// AuditQuery says what is to be audited.
type AuditQuery struct {
	Group  string
	Span   Span          // of the commands, by their timestamps
	Window time.Duration // for how long an id is remembered
}

// Audit is what the topics say about the promises.
type Audit struct {
	Since    time.Time `json:"since"` // later than asked for where the topics no longer reach so far
	Until    time.Time `json:"until"`
	Commands int       `json:"commands"`
	// Waiting have no result, and their offset is not committed: they are being
	// worked on, or will be.
	Waiting  int            `json:"waiting"`
	Statuses map[string]int `json:"statuses"` // final results by status
	Reasons  map[string]int `json:"reasons"`  // those that have a reason, by status and reason
	Billable int64          `json:"billable_segments"`
	// Resent were submitted once more because they asked for it, flagged as
	// possible duplicates.
	Resent int `json:"resent"`

	// What must not be.
	Missing Places `json:"missing"` // committed without a result
	Twice   Places `json:"twice"`   // submitted, or perhaps, more than once without having asked for it

	Notes []string `json:"notes"` // what could not be judged
}

// Places are positions of commands, the first ones of them.
type Places struct {
	Count int      `json:"count"`
	First []string `json:"first"` // topic/partition/offset
}

func (p *Places) add(at sms.Position) {
	const most = 20
	p.Count++
	if len(p.First) < most {
		p.First = append(p.First, place(at))
	}
}

// Broken reports whether a promise was.
func (a *Audit) Broken() bool { return a.Missing.Count > 0 || a.Twice.Count > 0 }

// Check audits. It holds 16 bytes for each command of the span, and while it
// reads one journal partition some 100 for each submit that stands there.
func Check(ctx context.Context, r Reader, t Topics, q AuditQuery) (*Audit, error) {
	if q.Span.Until.IsZero() {
		q.Span.Until = time.Now()
	}
	a := auditor{Reader: r, topics: t, query: q, names: []string{""}, audit: &Audit{
		Since: q.Span.Since.UTC(), Until: q.Span.Until.UTC(), Statuses: map[string]int{}, Reasons: map[string]int{},
		Missing: Places{First: []string{}}, Twice: Places{First: []string{}}, Notes: []string{},
	}}
	// What is committed is asked first: its results are written by then.
	for _, step := range []func(context.Context) error{a.shorten, a.committed, a.commands, a.results, a.sum, a.submits} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return a.audit, nil
}

type auditor struct {
	Reader
	topics Topics
	query  AuditQuery
	audit  *Audit
	parts  []partition
	names  []string // of statuses and reasons, which rows hold by number
}

// partition is one of the command topic.
type partition struct {
	committed int64
	from      int64
	rows      []row // by offset, beginning at from
}

// row is what is known of one command.
type row struct {
	segments       uint32
	revision       int16
	exists         bool // offsets of transactions' marks hold none
	status, reason uint8
}

// errStop ends a visit that has seen enough.
var errStop = errors.New("seen enough")

// shorten moves the span's beginning to where all results are still there:
// commands whose results were deleted by retention are no breach.
func (a *auditor) shorten(ctx context.Context) error {
	for _, topic := range []string{a.topics.Results, a.topics.Journal} {
		n, err := a.Partitions(ctx, topic)
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("topic %s does not exist", topic)
		}
		for p := range n {
			start, err := a.Kafka.StartOffset(ctx, topic, p)
			if err != nil {
				return err
			}
			if start == 0 {
				continue // nothing was ever deleted
			}
			empty := true
			err = a.Partition(ctx, topic, p, Span{}, func(rec *kafkaio.Record) error {
				empty = false
				if rec.Time.After(a.query.Span.Since) {
					a.query.Span.Since = rec.Time
				}
				return errStop
			})
			if err != nil && !errors.Is(err, errStop) {
				return err
			}
			if empty {
				a.audit.Notes = append(a.audit.Notes, fmt.Sprintf("topic %s partition %d held records, and all were deleted: what they said is missing here", topic, p))
			}
		}
	}
	if since := a.query.Span.Since.UTC(); since.After(a.audit.Since) {
		a.audit.Since = since
		a.audit.Notes = append(a.audit.Notes, "results or journal were deleted up to "+stamp(since)+": commands before it cannot be judged")
	}
	return nil
}

func (a *auditor) committed(ctx context.Context) error {
	n, err := a.Partitions(ctx, a.topics.Commands)
	if err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("topic %s does not exist", a.topics.Commands)
	}
	a.parts = make([]partition, n)
	all := make([]kafkaio.TopicPartition, n)
	for p := range all {
		all[p] = kafkaio.TopicPartition{Topic: a.topics.Commands, Partition: p}
	}
	found, err := a.Kafka.GroupOffsets(ctx, a.query.Group, all)
	for p := range all {
		a.parts[p].committed = found[all[p]].Offset // -1: nothing is
	}
	return err
}

// commands notes which offsets hold one.
func (a *auditor) commands(ctx context.Context) error {
	for p := range a.parts {
		part := &a.parts[p]
		from, to, err := a.bounds(ctx, a.topics.Commands, p, a.query.Span)
		if err != nil {
			return err
		}
		part.from, part.rows = from, make([]row, max(to-from, 0))
		err = a.Partition(ctx, a.topics.Commands, p, a.query.Span, func(rec *kafkaio.Record) error {
			if row := part.row(rec.Offset); row != nil {
				row.exists = true
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *partition) row(offset int64) *row {
	if i := offset - p.from; i >= 0 && i < int64(len(p.rows)) {
		return &p.rows[i]
	}
	return nil
}

// results notes the truth about each command: the row of the highest revision,
// among equals the latest.
func (a *auditor) results(ctx context.Context) error {
	span := Span{Since: a.query.Span.Since.Add(-clockSlack)}
	return a.Topic(ctx, a.topics.Results, span, func(rec *kafkaio.Record) error {
		r, err := codec.DecodeResult(rec.Value)
		if err != nil || r.Command.Topic != a.topics.Commands || r.Command.Partition < 0 || r.Command.Partition >= len(a.parts) {
			return nil //nolint:nilerr // somebody else's record
		}
		row := a.parts[r.Command.Partition].row(r.Command.Offset)
		if row == nil || row.status != 0 && int(row.revision) > r.Revision {
			return nil
		}
		row.revision, row.segments = int16(r.Revision), uint32(r.BillableSegments)
		row.status, row.reason = a.number(string(r.Status)), a.number(string(r.Reason))
		return nil
	})
}

func (a *auditor) number(name string) uint8 {
	i := slices.Index(a.names, name)
	if i < 0 {
		i = len(a.names)
		a.names = append(a.names, name)
	}
	return uint8(i)
}

func (a *auditor) sum(context.Context) error {
	for p := range a.parts {
		part := &a.parts[p]
		for i := range part.rows {
			row, offset := &part.rows[i], part.from+int64(i)
			if !row.exists {
				continue
			}
			a.audit.Commands++
			switch {
			case row.status != 0:
				a.count(row)
			case offset < part.committed:
				a.audit.Missing.add(sms.Position{Topic: a.topics.Commands, Partition: p, Offset: offset})
			default:
				a.audit.Waiting++
			}
		}
		part.rows = nil // the journal is next
	}
	return nil
}

func (a *auditor) count(row *row) {
	status, reason := a.names[row.status], a.names[row.reason]
	a.audit.Statuses[status]++
	if reason != "" {
		a.audit.Reasons[status+" "+reason]++
	}
	a.audit.Billable += int64(row.segments)
}
