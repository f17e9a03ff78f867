package caps

import (
	"testing"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/connector/journal"
)

// story is what a journal partition says, in order; its positions are its indexes.
type story []journal.Entry

func intent(offset int64, recipients int) journal.Entry {
	return journal.Entry{Kind: journal.IntentEntry, Group: "g", Command: journal.Ref{Offset: offset}, Last: recipients - 1, Intent: -1}
}

func released(offset, at int64) journal.Entry {
	return journal.Entry{Kind: journal.ReleasedEntry, Group: "g", Command: journal.Ref{Offset: offset}, Intent: at}
}

func done(offset, at int64, status sms.Status, accepted int) journal.Entry {
	return journal.Entry{
		Kind: journal.DoneEntry, Group: "g", Command: journal.Ref{Offset: offset}, Intent: at,
		Submission: &sms.Submission{Status: status, Accepted: accepted},
	}
}

func final(offset int64) journal.Entry {
	return journal.Entry{Kind: journal.FinalEntry, Group: "g", Command: journal.Ref{Offset: offset}, Intent: -1}
}

func finalWith(offset, at int64, status sms.Status, accepted int) journal.Entry {
	e := done(offset, at, status, accepted)
	e.Kind = journal.FinalEntry
	return e
}

func otherGroup(e journal.Entry) journal.Entry {
	e.Group = "other"
	return e
}

func TestWhatTheJournalSaysIsCountedOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		story        story
		open, closed int // recipients that count as under way, and as submitted
	}{
		"under way":                             {story{intent(1, 3)}, 3, 0},
		"released":                              {story{intent(1, 3), released(1, 0)}, 0, 0},
		"released, another is open":             {story{intent(1, 3), intent(1, 3), released(1, 0)}, 3, 0},
		"accepted":                              {story{intent(1, 3), done(1, 0, sms.Accepted, 3)}, 0, 3},
		"accepted in part":                      {story{intent(1, 3), done(1, 0, sms.PartiallyAccepted, 2)}, 0, 2},
		"rejected":                              {story{intent(1, 3), done(1, 0, sms.Rejected, 0)}, 0, 0},
		"unknown":                               {story{intent(1, 3), done(1, 0, sms.Unknown, 0)}, 0, 3},
		"unknown, then resent":                  {story{intent(1, 3), done(1, 0, sms.Unknown, 0), intent(1, 3), done(1, 2, sms.Accepted, 3)}, 0, 6},
		"the final done carries the outcome":    {story{intent(1, 3), finalWith(1, 0, sms.Accepted, 3)}, 0, 3},
		"the final done repeats no outcome":     {story{intent(1, 3), done(1, 0, sms.Accepted, 3), final(1)}, 0, 3},
		"a revision counts nothing again":       {story{intent(1, 3), done(1, 0, sms.Unknown, 0), final(1), final(1)}, 0, 3},
		"a zombie's answer to what is told":     {story{intent(1, 3), final(1), done(1, 0, sms.Accepted, 3)}, 0, 3},
		"in doubt, told by the next owner":      {story{intent(1, 3), final(1)}, 0, 3},
		"told unsent by its release":            {story{intent(1, 3), released(1, 0), final(1)}, 0, 0},
		"another command's final done":          {story{intent(1, 3), final(2)}, 3, 0},
		"an answer whose intent was not read":   {story{done(1, 7, sms.Accepted, 3)}, 0, 0},
		"two parts":                             {story{intent(1, 3), done(1, 0, sms.Accepted, 3), intent(1, 2)}, 2, 3},
		"more accepted than were asked for":     {story{intent(1, 3), done(1, 0, sms.Accepted, 99)}, 0, 3},
		"another group's":                       {story{otherGroup(intent(1, 3)), otherGroup(intent(2, 1)), otherGroup(final(2))}, 0, 0},
		"the same answer twice":                 {story{intent(1, 3), done(1, 0, sms.Accepted, 3), done(1, 0, sms.Accepted, 3)}, 0, 3},
		"an intent behind its command's result": {story{intent(1, 3), final(1), intent(1, 3)}, 3, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Unix(1_800_000_000, 0)
			counted := newCount("g", 100, 1000)
			for i := range c.story {
				counted.take(&c.story[i], 0, int64(i), now, now)
			}
			if counted.opened != c.open || counted.left(now) != 100-c.open-c.closed {
				t.Errorf("%d open, %d left, want %d and %d", counted.opened, counted.left(now), c.open, 100-c.open-c.closed)
			}
			counted.sweep(now.Add(longestAttempt + time.Second))
			if counted.opened != 0 || len(counted.open) != 0 {
				t.Errorf("%d recipients still under way after the longest attempt", counted.opened)
			}
		})
	}
}

func TestTheSameOffsetsOfTwoPartitionsAreTwoCommands(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	counted := newCount("g", 100, 0)
	entry, end := intent(1, 3), final(1)
	counted.take(&entry, 0, 0, now, now)
	counted.take(&entry, 1, 0, now, now)
	counted.take(&end, 1, 1, now, now)
	if counted.opened != 3 {
		t.Errorf("%d open, want 3", counted.opened)
	}
}

func TestTheTighterCapCounts(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	counted := newCount("g", 10, 15)
	for i := range int64(2) {
		entry, end := intent(i, 8), finalWith(i, 2*i, sms.Accepted, 8)
		counted.take(&entry, 0, 2*i, now, now)
		counted.take(&end, 0, 2*i+1, now, now)
		if want := []int{2, -1}[i]; counted.left(now) != want {
			t.Errorf("%d left, want %d", counted.left(now), want)
		}
		now = now.Add(2 * time.Minute)
	}
}
