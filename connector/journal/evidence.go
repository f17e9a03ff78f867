package journal

import (
	"context"
	"errors"
	"slices"
	"time"

	"smsbridge/codec/sms"
)

// Evidence says that the provider accepted a part of a command that is in doubt:
// a delivery report names a sendid that can only be this part's.
type Evidence struct {
	Ref    Ref
	Part   int
	SendID string
	Taken  time.Time // when the provider accepted it: what the sendid begins with
}

// Evidence writes evidence into the journal of a command partition and returns
// when it is durable. Whoever has some may write it, once or often; the owner of
// the partition alone draws the conclusion, and publishes the revision.
func (j *Journal) Evidence(ctx context.Context, partition int, e Evidence) error {
	if e.SendID == "" || e.Part < 0 {
		return errors.New("journal: evidence without a sendid or a part")
	}
	return j.decide(ctx, partition, &record{kind: evidence, ref: e.Ref, part: e.Part, sendid: e.SendID, taken: e.Taken})
}

// believe takes up evidence. The first of a part counts: another sendid for the
// same part is that of an attempt which is in doubt no less.
func (s *story) believe(r *record) {
	if !slices.ContainsFunc(s.evidence, func(e Evidence) bool { return e.Part == r.part }) {
		s.evidence = append(s.evidence, Evidence{Ref: r.ref, Part: r.part, SendID: r.sendid, Taken: r.taken})
	}
}

// infer lets evidence stand for the answer to one attempt in doubt. It overrides
// no answer, and where nothing is in doubt it says nothing.
func (t *told) infer(e *Evidence) {
	if t.yes != nil || t.doubts == 0 {
		return
	}
	t.doubts--
	t.inferred = true
	n := t.last - t.first + 1
	// The provider's own counts are not known; it took the request as a whole.
	t.yes = &sms.Submission{
		Part: e.Part, First: t.first, Last: t.last, Status: sms.Accepted, ProviderMessageID: e.SendID,
		Recipients: n, Accepted: n, Attempts: t.attempts, SubmittedAt: e.Taken,
	}
}

// noteAttempt keeps account of when the attempts began of which nothing is told
// yet. The caller holds the lock.
func (l *Ledger) noteAttempt(r *record, s *story) {
	switch r.kind { //nolint:exhaustive // the others begin and end nothing
	case intent:
		if _, ok := l.unsettled[r.ref.Offset]; !ok {
			l.unsettled[r.ref.Offset] = time.Now() // the POST comes later
		}
	case released:
		// A command that waits for long has many of them.
		s.attempts = slices.DeleteFunc(s.attempts, func(a attempt) bool { return a.at == r.names && a.owner == r.owner })
		if !s.tried() {
			delete(l.unsettled, r.ref.Offset)
		}
	}
}

// Settled returns a time before which nothing of this partition is open: of every
// attempt that began earlier, whoever made it, Published was called. It is the
// zero time where nothing is known. A later call may say more.
func (l *Ledger) Settled() time.Time {
	if l.halted != nil {
		return time.Time{}
	}
	l.mu.Lock()
	// Until the last commit that succeeded was sent nobody had succeeded us.
	at := l.lease
	for _, since := range l.unsettled {
		if since.Before(at) {
			at = since
		}
	}
	l.dirty = true // for the next call
	l.mu.Unlock()
	l.tenure.poke()
	return at
}

// sweepStories forgets what can no longer be revised, as its id is not remembered
// any more. The caller holds the lock.
func (l *Ledger) sweepStories() {
	for offset, s := range l.stories {
		if offset >= l.watermark {
			continue
		}
		if _, ok := l.ids.get(hashID(s.ref.ID), offset); !ok {
			delete(l.stories, offset)
		}
	}
}
