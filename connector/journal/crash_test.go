package journal

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"smsbridge/codec/sms"
)

// TestCrashAtEachPointSendsOnce walks the table of the places where a process
// can die: the first process dies there, a second one takes over.
func TestCrashAtEachPointSendsOnce(t *testing.T) {
	t.Parallel()
	type expected struct {
		report, resend int        // submissions in the end
		status         sms.Status // told under report
	}
	for name, tc := range map[string]struct {
		at   point
		want expected
	}{
		"before the intent":                      {beforeIntent, expected{1, 1, sms.Accepted}},
		"intent acked, not fenced":               {afterIntent, expected{1, 1, sms.Accepted}},
		"fence succeeded, nobody here knows":     {afterFence, expected{0, 1, sms.Unknown}},
		"fenced, request not written":            {afterPermit, expected{0, 1, sms.Unknown}},
		"answer read, done not durable":          {beforeDone, expected{1, 2, sms.Unknown}},
		"done durable, result not published":     {afterDone, expected{1, 1, sms.Accepted}},
		"final done durable, result not out":     {afterFinal, expected{1, 1, sms.Accepted}},
		"all done, last commit missing":          {beforeLastCommit, expected{1, 1, sms.Accepted}},
		"take-over: offset read":                 {afterRead, expected{1, 1, sms.Accepted}},
		"take-over: end listed":                  {afterList, expected{1, 1, sms.Accepted}},
		"take-over: journal replayed":            {afterReplay, expected{1, 1, sms.Accepted}},
		"take-over: before its own first commit": {afterReleases, expected{1, 1, sms.Accepted}},
		"take-over: own commit succeeded":        {afterTakeOver, expected{1, 1, sms.Accepted}},
	} {
		for _, policy := range []sms.OnUnknown{sms.ReportUnknown, sms.ResendUnknown} {
			t.Run(name+", "+string(policy), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					c := newCluster()
					first := c.process(t, nil)
					first.crashAt = tc.at
					if tc.at == afterFence { // the take-over commits once itself
						first.times.Store(2)
					}
					if first.join(0) == nil {
						_ = first.work(first.tenure.Ledger(0), command(0), policy, always)
						_ = first.tenure.Close(first.ctx)
					}
					first.die()
					synctest.Wait()

					second := c.process(t, nil)
					l := second.mustJoin(0)
					if l.Start() == 0 {
						if err := second.work(l, command(0), policy, always); err != nil {
							t.Fatal(err)
						}
					}
					if err := second.tenure.Close(second.ctx); err != nil {
						t.Fatal(err)
					}
					want := tc.want.report
					if policy == sms.ResendUnknown {
						want = tc.want.resend
					}
					if len(c.posts) != want {
						t.Errorf("submitted %d times, want %d: %+v", len(c.posts), want, c.posts)
					}
					if len(c.posts) == 2 && !c.posts[1].flagged {
						t.Error("the second submission is not flagged")
					}
					if len(c.results) == 0 {
						t.Fatal("no result")
					}
					last := c.results[len(c.results)-1]
					told := string(tc.want.status)
					if policy == sms.ResendUnknown {
						told = string(sms.Accepted)
					}
					if want := "c0 " + told + " 1"; last.value != want {
						t.Errorf("result %q, want %q", last.value, want)
					}
					if got := c.committed[0].Offset; got != 1 {
						t.Errorf("committed %d, want 1", got)
					}
				})
			})
		}
	}
}

func TestCrashOfTheNewOwnerDoubtsNobodyNeedlessly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		first := c.process(t, nil)
		first.crashAt = afterIntent
		_ = first.work(first.mustJoin(0), command(0), sms.ReportUnknown, always)
		synctest.Wait()

		second := c.process(t, nil) // releases, commits its own metadata, and dies
		second.crashAt = afterTakeOver
		_ = second.join(0)
		synctest.Wait()

		third := c.process(t, nil)
		if err := third.work(third.mustJoin(0), command(0), sms.ReportUnknown, always); err != nil {
			t.Fatal(err)
		}
		if len(c.posts) != 1 || c.results[0].value != "c0 accepted 1" {
			t.Errorf("posts %+v, results %+v", c.posts, c.results)
		}
		_ = third.tenure.Close(third.ctx)
	})
}

func TestFrozenBeforeItsFenceIsRefusedAfterwards(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		first := c.process(t, nil)
		l := first.mustJoin(0)
		wake := first.freeze()
		over := make(chan error)
		go func() { over <- first.work(l, command(0), sms.ReportUnknown, always) }()
		synctest.Wait()

		second := c.process(t, nil)
		if err := second.work(second.mustJoin(0), command(0), sms.ReportUnknown, always); err != nil {
			t.Fatal(err)
		}
		wake()
		if err := <-over; err == nil {
			t.Error("the frozen process submitted after its successor")
		}
		if len(c.posts) != 1 {
			t.Errorf("posts %+v", c.posts)
		}
		_ = second.tenure.Close(second.ctx)
		_ = first.tenure.Close(first.ctx)
	})
}

func TestLateAnswerOfAZombieIsRevisedByTheOwner(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		first := c.process(t, nil)
		l := first.mustJoin(0)
		var wake func()
		over := make(chan error)
		go func() {
			over <- first.work(l, command(0), sms.ReportUnknown, func(r Ref, _ bool) *sms.Submission {
				wake = first.freeze() // the provider has it, the process sleeps over the answer
				first.rest()
				return yes(r)
			})
		}()
		synctest.Wait()

		second := c.process(t, nil)
		l2 := second.mustJoin(0)
		if err := second.work(l2, command(0), sms.ReportUnknown, always); err != nil {
			t.Fatal(err)
		}
		wake()
		<-over // it may tell the answer, which is true; only the owner's revision counts
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		r, err := second.tenure.NextRevision(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if string(r.Previous.Value) != "c0 unknown 1" || r.Number != 2 || r.Finished || len(r.Parts) != 1 || r.Parts[0].ProviderMessageID != "id-c0" {
			t.Fatalf("revision %+v", r)
		}
		if err := second.finish(r.Ledger(), r.Ref, nil, r.Parts[0].Status, r.Number, r.Parts); err != nil {
			t.Fatal(err)
		}
		r.Ledger().Revised(r)
		if last := c.results[len(c.results)-1]; last.value != "c0 accepted 2" || len(c.posts) != 1 {
			t.Errorf("told %q after %d submissions", last.value, len(c.posts))
		}
		_ = second.tenure.Close(second.ctx)
		_ = first.tenure.Close(first.ctx)
	})
}

func TestCommitWithoutAnswerSubmitsNothingUntilJoinedAnew(t *testing.T) {
	t.Parallel()
	for name, applied := range map[string]bool{"stored": true, "not stored": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCluster()
				p := c.process(t, nil)
				l := p.mustJoin(0)
				p.slow = 20 * time.Millisecond // the release is on its way when Close is called
				p.commitFault = unanswered(applied)
				err := p.work(l, command(0), sms.ReportUnknown, always)
				if !isRejoin(err) || len(c.posts) != 0 {
					t.Fatalf("error %v after %d submissions", err, len(c.posts))
				}
				if err := p.work(l, command(1), sms.ReportUnknown, always); !isRejoin(err) {
					t.Fatalf("another command: %v", err)
				}
				if err := p.tenure.Close(p.ctx); !isRejoin(err) {
					t.Fatalf("close: %v", err)
				}
				p.commitFault = nil
				if err := p.work(p.mustJoin(0), command(0), sms.ReportUnknown, always); err != nil {
					t.Fatal(err)
				}
				if len(c.posts) != 1 || c.results[0].value != "c0 accepted 1" {
					t.Errorf("posts %+v, results %+v", c.posts, c.results)
				}
				_ = p.tenure.Close(p.ctx)
			})
		})
	}
}

func TestLostMetadataLeavesDoubtNotASecondText(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		first := c.process(t, nil)
		first.crashAt = beforeDone
		_ = first.work(first.mustJoin(0), command(0), sms.ReportUnknown, always)
		synctest.Wait()
		delete(c.committed, 0)

		second := c.process(t, nil)
		if err := second.work(second.mustJoin(0), command(0), sms.ReportUnknown, always); err != nil {
			t.Fatal(err)
		}
		if len(c.posts) != 1 || c.results[0].value != "c0 unknown 1" {
			t.Errorf("posts %+v, results %+v", c.posts, c.results)
		}
		_ = second.tenure.Close(second.ctx)
	})
}

func TestPermitExpiresWithoutCommits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		p := c.process(t, nil)
		l := p.mustJoin(0)
		g := l.Guard(command(0), true)
		permit, err := g.Begin(t.Context(), attemptOf(1))
		if err != nil {
			t.Fatal(err)
		}
		if !permit.Valid() {
			t.Error("a fresh permit is not valid")
		}
		time.Sleep(2 * session) // commits renew it while it is held
		if !permit.Valid() {
			t.Error("commits did not renew the permit")
		}
		wake := p.freeze()
		time.Sleep(session)
		if permit.Valid() {
			t.Error("valid although no commit succeeded for a session")
		}
		wake()
		if err := permit.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		_ = p.tenure.Close(p.ctx)
	})
}
