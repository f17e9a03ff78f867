package trail

import (
	"testing"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/connector/journal"
)

// said is one record of a journal, an hour after the one before where it says
// so.
type said struct {
	kind    journal.EntryKind
	intent  int64 // what it answers
	status  sms.Status
	flagged bool
	id      string // "c" where empty
	part    int
	after   time.Duration
}

func TestASubmitMadeTwiceIsFoundUnlessItWasAskedFor(t *testing.T) {
	t.Parallel()
	const intent, released, done, final = journal.IntentEntry, journal.ReleasedEntry, journal.DoneEntry, journal.FinalEntry
	for name, c := range map[string]struct {
		journal       []said
		twice, resent int
	}{
		"once": {[]said{{kind: intent}, {kind: done, status: sms.Accepted}, {kind: final, status: sms.Accepted}}, 0, 0},
		"twice accepted": {[]said{
			{kind: intent}, {kind: done, status: sms.Accepted}, {kind: intent}, {kind: final, intent: 2, status: sms.PartiallyAccepted},
		}, 1, 0},
		"in doubt, then accepted": {[]said{
			{kind: intent}, {kind: done, status: sms.Unknown}, {kind: intent}, {kind: done, intent: 2, status: sms.Accepted},
		}, 1, 0},
		"in doubt, then accepted as asked": {[]said{
			{kind: intent}, {kind: done, status: sms.Unknown}, {kind: intent, flagged: true}, {kind: done, intent: 2, status: sms.Accepted},
		}, 0, 1},
		"no word, then accepted":               {[]said{{kind: intent}, {kind: intent}, {kind: done, intent: 1, status: sms.Accepted}}, 1, 0},
		"no word, then accepted as asked":      {[]said{{kind: intent}, {kind: intent, flagged: true}, {kind: done, intent: 1, status: sms.Accepted}}, 0, 1},
		"released, then accepted":              {[]said{{kind: intent}, {kind: released}, {kind: intent}, {kind: done, intent: 2, status: sms.Accepted}}, 0, 0},
		"failed, then accepted":                {[]said{{kind: intent}, {kind: done, status: sms.Failed}, {kind: intent}, {kind: done, intent: 2, status: sms.Accepted}}, 0, 0},
		"answers in the other order":           {[]said{{kind: intent}, {kind: intent, flagged: true}, {kind: done, intent: 1, status: sms.Accepted}, {kind: done, intent: 0, status: sms.Accepted}}, 0, 1},
		"two parts":                            {[]said{{kind: intent}, {kind: intent, part: 1}, {kind: done, status: sms.Accepted}, {kind: done, intent: 1, part: 1, status: sms.Accepted}}, 0, 0},
		"two ids":                              {[]said{{kind: intent}, {kind: done, status: sms.Accepted}, {kind: intent, id: "d"}, {kind: done, intent: 2, id: "d", status: sms.Accepted}}, 0, 0},
		"the id again, after it was forgotten": {[]said{{kind: intent}, {kind: done, status: sms.Accepted}, {kind: intent, after: 2 * time.Hour}, {kind: done, intent: 2, status: sms.Accepted}}, 0, 0},
		"the intent is too old to be seen":     {[]said{{kind: done, intent: -7, status: sms.Accepted}, {kind: final, intent: -7, status: sms.Accepted}}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			audit := &Audit{}
			s := submits{audit: audit, window: time.Hour, sent: map[partKey]attempt{}, open: map[int64]attempt{}}
			at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			for i, r := range c.journal {
				at = at.Add(r.after)
				e := journal.Entry{Kind: r.kind, Part: r.part, PossibleDuplicate: r.flagged, Intent: r.intent}
				e.Command.ID = "c" + r.id
				if r.status != "" {
					e.Submission = &sms.Submission{Part: r.part, Status: r.status}
				}
				s.add(&e, int64(i), at, sms.Position{Topic: "t", Offset: int64(i)})
			}
			s.end(at.Add(time.Second))
			if audit.Twice.Count != c.twice || audit.Resent != c.resent {
				t.Errorf("%d twice, %d as asked; want %d and %d", audit.Twice.Count, audit.Resent, c.twice, c.resent)
			}
		})
	}
}

func TestAnIntentOfAMomentAgoIsNotHeldAgainstAnybody(t *testing.T) {
	t.Parallel()
	audit := &Audit{}
	s := submits{audit: audit, window: time.Hour, sent: map[partKey]attempt{}, open: map[int64]attempt{}}
	now := time.Now()
	for i := range int64(2) {
		s.add(&journal.Entry{Kind: journal.IntentEntry}, i, now, sms.Position{})
	}
	s.end(now.Add(-settling))
	if audit.Broken() {
		t.Error("a submit under way counts as a second one")
	}
}
