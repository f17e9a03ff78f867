package journal

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"smsbridge/codec/sms"
)

// zombie writes records as an owner that has a successor and does not know it.
type zombie struct {
	c     *cluster
	owner uint64
}

// final writes a final done that no fence will ever cover. It may carry an
// answer, of the intent at a position; names -1: none.
func (z zombie) final(ref Ref, status sms.Status, names int64, came sms.Submission) int64 {
	r := record{kind: final, owner: z.owner, group: "smsbridge", ref: ref, names: names, came: came, status: status, revision: 1}
	return z.c.append(0, r.encode(nil))
}

// TestLateDecisionOfAZombieDoesNotUnbarAnAcceptedID: what a successor sent and
// committed stays sent, whatever its predecessor decided about the same command
// and wrote down too late.
func TestLateDecisionOfAZombieDoesNotUnbarAnAcceptedID(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]func(zombie){
		"expired by another clock": func(z zombie) { z.final(command(0), sms.Expired, -1, sms.Submission{}) },
		"attempts used up":         func(z zombie) { z.final(command(0), sms.Failed, -1, sms.Submission{}) },
		"first attempt rejected": func(z zombie) {
			z.final(command(0), sms.Rejected, 0, sms.Submission{Status: sms.Rejected, Reason: sms.ContentRejected})
		},
	} {
		for where, tc := range map[string]struct {
			stored, closed bool // ids are on disk; the record comes when the owner is gone
			owners         int  // between it and the repeat
		}{
			"before its successor goes":              {false, false, 0},
			"two owners ago":                         {false, false, 2},
			"after its successor went":               {false, true, 1},
			"after its successor went, ids on disk":  {true, true, 0},
			"before its successor goes, ids on disk": {true, false, 1},
		} {
			t.Run(name+", "+where, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					c, fs := newCluster(), vfs.NewMem()
					own := func(work func(*process, *Ledger)) {
						var s *Store
						var change func(*Config)
						if tc.stored {
							s = memStore(t, fs)
							change = withStore(s, "here")
						}
						p := c.process(t, change)
						work(p, p.mustJoin(0))
						if err := p.tenure.Close(p.ctx); err != nil {
							t.Fatal(err)
						}
						if s != nil {
							_ = s.Close()
						}
					}
					own(func(p *process, l *Ledger) {
						if err := p.work(l, command(0), sms.ReportUnknown, always); err != nil {
							t.Fatal(err)
						}
						if !tc.closed {
							late(zombie{c, 7})
						}
						if err := p.work(l, command(1), sms.ReportUnknown, always); err != nil {
							t.Fatal(err)
						}
					})
					if tc.closed {
						late(zombie{c, 7})
					}
					for range tc.owners {
						own(func(*process, *Ledger) {})
					}
					own(func(_ *process, l *Ledger) {
						repeat := command(2)
						repeat.ID = command(0).ID
						if v := l.Judge(repeat); v.Kind != Repeat || v.First.Offset != 0 || v.First.Status != sms.Accepted {
							t.Errorf("the repeat of an accepted command is judged %+v", v)
						}
					})
				})
			})
		}
	}
}

// TestDecisionOfAZombieDoesNotContradictWhatItsSuccessorTold: the successor told
// its own decision, with a fence behind it, and died before it could commit.
func TestDecisionOfAZombieDoesNotContradictWhatItsSuccessorTold(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]bool{"written before its successor's": true, "written after it": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCluster()
				z := zombie{c, 7}
				p := c.process(t, nil)
				l := p.mustJoin(0)
				if first {
					z.final(command(0), sms.Expired, -1, sms.Submission{})
				}
				err := p.work(l, command(0), sms.ReportUnknown, func(Ref, bool) *sms.Submission {
					return &sms.Submission{Status: sms.Rejected, Reason: sms.ContentRejected, Attempts: 1}
				})
				if err != nil {
					t.Fatal(err)
				}
				p.die()
				if !first {
					z.final(command(0), sms.Expired, -1, sms.Submission{})
				}

				next := c.process(t, nil)
				if err := next.work(next.mustJoin(0), command(0), sms.ReportUnknown, always); err != nil {
					t.Fatal(err)
				}
				if len(c.results) != 2 || c.results[0] != c.results[1] {
					t.Errorf("told %+v", c.results)
				}
				_ = next.tenure.Close(next.ctx)
			})
		})
	}
}

// TestStoreOfAZombieClaimsNothingOfItsSuccessors: it reads what its successor
// writes before it knows that it has one, and keeps none of it.
func TestStoreOfAZombieClaimsNothingOfItsSuccessors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		first := c.process(t, withStore(memStore(t, vfs.NewMem()), "here"))
		l := first.mustJoin(0)
		if err := first.work(l, command(0), sms.ReportUnknown, always); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // for its commit
		second := c.process(t, nil)
		if err := second.work(second.mustJoin(0), command(1), sms.ReportUnknown, always); err != nil {
			t.Fatal(err)
		}
		_ = second.tenure.Close(second.ctx)
		first.commitFault = func(apply func() error) error { // its fence is refused late
			time.Sleep(time.Second)
			return apply()
		}
		if err := first.work(l, command(3), sms.ReportUnknown, always); err == nil { // its intent stands behind all that
			t.Error("one who was replaced submits")
		}
		_ = first.tenure.Close(first.ctx)

		l = first.mustJoin(0)
		repeat := command(2)
		repeat.ID = command(1).ID
		if v := l.Judge(repeat); v.Kind != Repeat || v.First.Offset != 1 {
			t.Errorf("the repeat of what the successor sent is judged %+v", v)
		}
		_ = first.tenure.Close(first.ctx)
	})
}

// TestZombieThatTakesOverLateReleasesNothingOfItsSuccessor: it joined, read what
// was committed, slept, and lists the journal when its successor has submitted.
func TestZombieThatTakesOverLateReleasesNothingOfItsSuccessor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		first := c.process(t, nil)
		first.mustJoin(0)
		_ = first.tenure.Close(first.ctx)

		asleep, wake := make(chan struct{}), make(chan struct{})
		late := c.process(t, func(cfg *Config) {
			cfg.Reached = func(at string) {
				if point(at) == afterRead {
					close(asleep)
					<-wake
				}
			}
		})
		over := make(chan error)
		gen := c.generation()
		go func() { over <- late.joinAs(gen, 0) }()
		<-asleep

		owner := c.process(t, nil)
		l := owner.mustJoin(0)
		err := owner.work(l, command(0), sms.ReportUnknown, func(Ref, bool) *sms.Submission {
			close(wake)
			if err := <-over; !errors.Is(err, ErrLost) {
				t.Errorf("the late take-over: %v", err)
			}
			owner.die() // with the submit carried out
			return nil
		})
		if err == nil {
			t.Fatal("a dead process finished")
		}
		synctest.Wait()

		heir := c.process(t, nil)
		if err := heir.work(heir.mustJoin(0), command(0), sms.ReportUnknown, always); err != nil {
			t.Fatal(err)
		}
		if len(c.posts) != 1 || c.results[0].value != "c0 unknown 1" {
			t.Errorf("posts %+v, results %+v", c.posts, c.results)
		}
		_ = heir.tenure.Close(heir.ctx)
	})
}

// TestLateAnswerRevisesNothingOfWhichSomethingIsLost: what the journal still shows
// of the command may be one part of two.
func TestLateAnswerRevisesNothingOfWhichSomethingIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		startTrouble(t, c) // command 2 is fenced and without an answer
		intentAt := int64(len(c.logs[0])) - 1
		trouble[HaltUnreadable](c)
		acceptLoss(t, c, 4)
		p := c.process(t, nil)
		l := p.mustJoin(0)
		for i := l.Start(); i < 4; i++ {
			if err := p.work(l, command(i), sms.ReportUnknown, always); err != nil {
				t.Fatal(err)
			}
		}
		r := record{kind: done, owner: 7, group: "smsbridge", ref: command(2), names: intentAt, came: *yes(command(2))}
		c.append(0, r.encode(nil))
		show(t, c, command(2), 0, "x")
		if r := next(t, p); r != nil {
			t.Errorf("revision %+v", r)
		}
		_ = p.tenure.Close(p.ctx)
	})
}
