package journal

import (
	"testing"
	"testing/synctest"
	"time"

	"smsbridge/codec/sms"
)

func TestFullBufferDelaysAnIntentAndEndsNoTenure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		p := c.process(t, nil)
		l := p.mustJoin(0, 1)
		other := p.tenure.Ledger(1)
		p.full.Store(3)
		if err := p.work(l, command(0), sms.ReportUnknown, always); err != nil {
			t.Fatal(err)
		}
		if err := p.work(other, command(0), sms.ReportUnknown, always); err != nil {
			t.Errorf("the bystander: %v", err)
		}
		if err := p.tenure.Err(); err != nil {
			t.Errorf("the tenure ended: %v", err)
		}
		if len(c.posts) != 2 || len(c.results) != 2 {
			t.Errorf("%d submits, %d results, want 2 of each", len(c.posts), len(c.results))
		}
	})
}

func TestIntentWithoutAPlaceIsNotSubmittedUntilItsPlaceIsKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		p := c.process(t, nil)
		l := p.mustJoin(0, 1)
		p.placeless.Store(1)
		if err := p.work(l, command(0), sms.ReportUnknown, always); err == nil {
			t.Error("submitted behind a fence that covers nothing")
		}
		if len(c.posts) != 0 {
			t.Fatalf("%d submits", len(c.posts))
		}
		l = p.mustJoin(0, 1)
		for _, l := range []*Ledger{l, p.tenure.Ledger(1)} {
			if err := p.work(l, command(0), sms.ReportUnknown, always); err != nil {
				t.Error(err)
			}
		}
		if len(c.posts) != 2 || len(c.results) != 2 {
			t.Errorf("%d submits, %d results, want 2 of each", len(c.posts), len(c.results))
		}
	})
}

func TestIntentThatStandsTwiceIsOneAttempt(t *testing.T) {
	t.Parallel()
	twice := func() *story {
		s := &story{ref: command(0)}
		for _, at := range []int64{5, 9} {
			s.add(&record{kind: intent, owner: 7, ref: s.ref, attempt: 1, names: -1, at: time.Unix(1, 0)}, at)
		}
		return s
	}
	if got := twice().parts()[0]; got.doubts != 1 || got.attempts != 1 {
		t.Errorf("unanswered: %d doubts of %d attempts", got.doubts, got.attempts)
	}
	answered := twice()
	answered.add(&record{kind: done, owner: 7, ref: answered.ref, names: 9, came: sms.Submission{Status: sms.Rejected}}, 10)
	if got := answered.parts()[0]; got.doubts != 0 || got.no == nil {
		t.Errorf("answered: %d doubts, answer %v", got.doubts, got.no)
	}
	first := twice()
	first.add(&record{kind: released, owner: 8, ref: first.ref, names: 5}, 10)
	if got := first.parts()[0]; got == nil || got.doubts != 1 {
		t.Error("the release of the first place freed the second")
	}
	second := twice()
	second.add(&record{kind: released, owner: 7, ref: second.ref, names: 9}, 10)
	if second.tried() {
		t.Error("released, and still taken for submitted")
	}
	next := twice()
	next.add(&record{kind: intent, owner: 8, ref: next.ref, attempt: 1, names: -1, at: time.Unix(2, 0)}, 11)
	if got := next.parts()[0]; got.doubts != 2 {
		t.Errorf("another owner's attempt was taken for the same: %d doubts", got.doubts)
	}
}
