package trail

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/connector/journal"
	"smsbridge/connector/kafkaio"
)

// submits looks for parts that were submitted more than once: accepted, or
// perhaps, under two intents of the same id within the window.
func (a *auditor) submits(ctx context.Context) error {
	span := Span{Since: a.query.Span.Since.Add(-clockSlack)}
	n, err := a.Partitions(ctx, a.topics.Journal)
	if err != nil {
		return err
	}
	for p := range n {
		s := submits{audit: a.audit, window: a.query.Window, sent: map[partKey]attempt{}, open: map[int64]attempt{}}
		err := a.Partition(ctx, a.topics.Journal, p, span, func(rec *kafkaio.Record) error {
			if e, err := journal.ReadEntry(rec.Value); err == nil {
				s.add(&e, rec.Offset, rec.Time, sms.Position{Topic: a.topics.Commands, Partition: p, Offset: e.Command.Offset})
			}
			return nil
		})
		if err != nil {
			return err
		}
		s.end(time.Now().Add(-settling))
	}
	return nil
}

// settling is for how long an intent may stand without a word: its submit may be
// under way, or a new owner about to release it.
const settling = 5 * time.Minute

// partKey is 128 bits of SHA-256 over id and part.
type partKey [16]byte

// attempt is an intent whose submit was, or may have been, carried out.
type attempt struct {
	key     partKey
	intent  int64
	at      time.Time
	flagged bool // as a possible duplicate
	command sms.Position
}

// submits are those of one journal partition.
type submits struct {
	audit  *Audit
	window time.Duration
	sent   map[partKey]attempt // the latest of each part
	open   map[int64]attempt   // intents without an answer, by their position
}

func (s *submits) add(e *journal.Entry, at int64, when time.Time, command sms.Position) {
	switch {
	case e.Kind == journal.IntentEntry:
		s.open[at] = attempt{key: keyOf(e.Command.ID, e.Part), intent: at, at: when, flagged: e.PossibleDuplicate, command: command}
	case e.Kind == journal.ReleasedEntry:
		delete(s.open, e.Intent)
	case e.Submission != nil:
		x, known := s.open[e.Intent]
		if !known { // its intent stands before the span, or it was answered before
			x = attempt{key: keyOf(e.Command.ID, e.Submission.Part), intent: e.Intent, at: when, command: command}
		}
		delete(s.open, e.Intent)
		x.flagged = x.flagged || e.Submission.PossibleDuplicate
		switch e.Submission.Status {
		case sms.Accepted, sms.PartiallyAccepted, sms.Unknown:
			s.note(x)
		default: // the provider did not take it
		}
	}
}

// note judges an attempt beside the one before it.
func (s *submits) note(x attempt) {
	before, again := s.sent[x.key]
	if again && before.intent == x.intent {
		return
	}
	if again && before.intent > x.intent { // an answer that came late
		before, x = x, before
	}
	s.sent[x.key] = x
	switch {
	case !again || x.at.Sub(before.at) >= s.window:
	case x.flagged:
		s.audit.Resent++
	default:
		s.audit.Twice.add(x.command)
	}
}

// end judges what was left without an answer before a time: it may have been
// carried out.
func (s *submits) end(before time.Time) {
	for _, x := range s.open {
		if x.at.Before(before) {
			s.note(x)
		}
	}
}

func keyOf(id string, part int) partKey {
	sum := sha256.Sum256(binary.BigEndian.AppendUint32([]byte(id), uint32(part)))
	return partKey(sum[:16])
}
