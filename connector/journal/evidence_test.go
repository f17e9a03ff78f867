package journal

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"smsbridge/codec/sms"
	"smsbridge/connector/submit"
)

// lost is a provider that carried the request out, and whose answer is lost.
func lost(Ref, bool) *sms.Submission { return nil }

func refused(Ref, bool) *sms.Submission {
	return &sms.Submission{Status: sms.Rejected, Reason: sms.ContentRejected, Attempts: 1}
}

// show writes evidence of a part, as a correlator does.
func show(t *testing.T, c *cluster, ref Ref, part int, sendid string) {
	t.Helper()
	e := Evidence{Ref: ref, Part: part, SendID: sendid, Taken: time.Now()}
	if err := c.process(t, nil).journal.Evidence(t.Context(), 0, e); err != nil {
		t.Fatal(err)
	}
}

// next returns the next revision, nil if none comes within some sessions.
func next(t *testing.T, p *process) *Revision {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*session)
	defer cancel()
	r, err := p.tenure.NextRevision(ctx)
	if err != nil && ctx.Err() == nil {
		t.Fatal(err)
	}
	return r
}

func TestEvidenceHasTheOwnerReviseWhatIsUnknown(t *testing.T) {
	t.Parallel()
	for name, bring := range map[string]func(*testing.T, *cluster) *process{
		"its own submit had no answer": func(t *testing.T, c *cluster) *process {
			t.Helper()
			p := c.process(t, nil)
			if err := p.work(p.mustJoin(0), command(0), sms.ReportUnknown, lost); err != nil {
				t.Fatal(err)
			}
			show(t, c, command(0), 0, "x")
			return p
		},
		"the submit of a process that died": func(t *testing.T, c *cluster) *process {
			t.Helper()
			dead := c.process(t, nil)
			dead.crashAt = beforeDone
			_ = dead.work(dead.mustJoin(0), command(0), sms.ReportUnknown, always)
			p := c.process(t, nil)
			if err := p.work(p.mustJoin(0), command(0), sms.ReportUnknown, always); err != nil {
				t.Fatal(err)
			}
			show(t, c, command(0), 0, "x")
			return p
		},
		"it came while nobody owned the partition": func(t *testing.T, c *cluster) *process {
			t.Helper()
			first := c.process(t, nil)
			if err := first.work(first.mustJoin(0), command(0), sms.ReportUnknown, lost); err != nil {
				t.Fatal(err)
			}
			_ = first.tenure.Close(first.ctx)
			first.die()
			show(t, c, command(0), 0, "x")
			p := c.process(t, nil)
			p.mustJoin(0)
			return p
		},
		"the owner knows the command from its store": func(t *testing.T, c *cluster) *process {
			t.Helper()
			fs := vfs.NewMem()
			s := memStore(t, fs)
			first := c.process(t, withStore(s, "here"))
			l := first.mustJoin(0)
			for i, answer := range []answer{lost, always, always} {
				if err := first.work(l, command(int64(i)), sms.ReportUnknown, answer); err != nil {
					t.Fatal(err)
				}
			}
			_ = first.tenure.Close(first.ctx)
			first.die()
			_ = s.Close()
			p := c.process(t, withStore(memStore(t, fs), "here"))
			p.mustJoin(0)
			show(t, c, command(0), 0, "x")
			return p
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCluster()
				p := bring(t, c)
				show(t, c, command(0), 0, "y") // another one is of no consequence
				r := next(t, p)
				if r == nil || string(r.Previous.Value) != "c0 unknown 1" || r.Number != 2 || len(r.Parts) != 1 {
					t.Fatalf("revision %+v", r)
				}
				if s := r.Parts[0]; s.Status != sms.Accepted || s.ProviderMessageID != "x" || s.Accepted != 1 || s.PossibleDuplicate {
					t.Errorf("known of the part: %+v", s)
				}
				if !slices.Equal(r.Inferred, []int{0}) {
					t.Errorf("inferred: %v", r.Inferred)
				}
				if err := p.finish(r.Ledger(), r.Ref, nil, r.Parts[0].Status, r.Number, r.Parts); err != nil {
					t.Fatal(err)
				}
				r.Ledger().Revised(r)
				if again := next(t, p); again != nil {
					t.Errorf("revised once more: %+v", again)
				}
				_ = p.tenure.Close(p.ctx)
			})
		})
	}
}

func TestEvidenceSaysNothingWhereNothingIsInDoubt(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer answer
		ref    Ref
		part   int
	}{
		"accepted, with another sendid":   {always, command(0), 0},
		"refused":                         {refused, command(0), 0},
		"another part":                    {lost, command(0), 1},
		"another command's offset":        {lost, command(1), 0},
		"the offset of a topic made anew": {lost, Ref{Offset: 0, ID: "c0", Fingerprint: Fingerprint{9}}, 0},
		"another id at the offset":        {lost, Ref{Offset: 0, ID: "c1", Fingerprint: command(0).Fingerprint}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCluster()
				p := c.process(t, nil)
				if err := p.work(p.mustJoin(0), command(0), sms.ReportUnknown, tc.answer); err != nil {
					t.Fatal(err)
				}
				show(t, c, tc.ref, tc.part, "x")
				if r := next(t, p); r != nil {
					t.Errorf("revision %+v", r)
				}
				_ = p.tenure.Close(p.ctx)
				// Nor does it for the next owner, who reads it all.
				p = c.process(t, nil)
				p.mustJoin(0)
				if r := next(t, p); r != nil {
					t.Errorf("revision by the next owner %+v", r)
				}
				_ = p.tenure.Close(p.ctx)
			})
		})
	}
}

// TestEvidenceOverridesNoAnswer: one part of the command was answered and another
// one is in doubt, and a report seems to be about either.
func TestEvidenceOverridesNoAnswer(t *testing.T) {
	t.Parallel()
	accepted, inDoubt := *yes(command(0)), sms.Submission{Status: sms.Unknown, Reason: sms.Timeout}
	second := inDoubt
	second.Part, second.First, second.Last = 1, 1, 1
	for name, tc := range map[string]struct {
		answers []sms.Submission // to the attempts of part 0
		status  sms.Status
		sendid  string
	}{
		"accepted, with another sendid":      {[]sms.Submission{accepted}, sms.Accepted, "id-c0"},
		"accepted, and in doubt before that": {[]sms.Submission{inDoubt, accepted}, sms.Accepted, "id-c0"},
		"refused":                            {[]sms.Submission{*refused(command(0), false)}, sms.Rejected, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCluster()
				p := c.process(t, nil)
				l := p.mustJoin(0)
				g := l.Guard(command(0), false)
				for i, s := range append(tc.answers, second) {
					permit, err := g.Begin(t.Context(), submit.Attempt{Part: s.Part, First: s.First, Last: s.Last, Number: i + 1, Expires: time.Now().Add(time.Hour)})
					if err != nil {
						t.Fatal(err)
					}
					if err := permit.Done(t.Context(), s); err != nil {
						t.Fatal(err)
					}
				}
				last := tc.answers[len(tc.answers)-1]
				if err := p.finish(l, command(0), g, sms.Unknown, 1, []sms.Submission{last, second}); err != nil {
					t.Fatal(err)
				}
				show(t, c, command(0), 0, "x")
				show(t, c, command(0), 1, "y")
				r := next(t, p)
				if r == nil || len(r.Parts) != 2 {
					t.Fatalf("revision %+v", r)
				}
				if s := r.Parts[0]; s.Status != tc.status || s.ProviderMessageID != tc.sendid {
					t.Errorf("the answer was %s %q, and became %s %q", tc.status, tc.sendid, s.Status, s.ProviderMessageID)
				}
				if s := r.Parts[1]; s.Status != sms.Accepted || s.ProviderMessageID != "y" || !slices.Equal(r.Inferred, []int{1}) {
					t.Errorf("the doubt became %s %q, inferred %v", s.Status, s.ProviderMessageID, r.Inferred)
				}
				_ = p.tenure.Close(p.ctx)
			})
		})
	}
}

// TestEvidenceBeforeTheResultMakesItAccepted: the owner died before it told its
// doubt; nothing is sent again, whatever the policy.
func TestEvidenceBeforeTheResultMakesItAccepted(t *testing.T) {
	t.Parallel()
	for _, policy := range []sms.OnUnknown{sms.ReportUnknown, sms.ResendUnknown} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCluster()
				dead := c.process(t, nil)
				dead.crashAt = beforeDone
				_ = dead.work(dead.mustJoin(0), command(0), policy, always)
				synctest.Wait()
				show(t, c, command(0), 0, "x")
				p := c.process(t, nil)
				l := p.mustJoin(0)
				v := l.Judge(command(0))
				if v.Kind != Begun || !slices.Equal(v.Inferred, []int{0}) || v.History.Parts[0].Done == nil {
					t.Fatalf("verdict %+v", v)
				}
				if err := p.carry(l, command(0), v, policy, always, func(int64) {}); err != nil {
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

// TestOnlyTheOwnerRevisesByEvidence: a process that was replaced and does not know
// it hears the evidence too.
func TestOnlyTheOwnerRevisesByEvidence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		old := c.process(t, nil)
		if err := old.work(old.mustJoin(0), command(0), sms.ReportUnknown, lost); err != nil {
			t.Fatal(err)
		}
		owner := c.process(t, nil)
		owner.mustJoin(0)
		// The old one's next commit is refused; until then it believes.
		if err := old.work(old.tenure.Ledger(0), command(1), sms.ReportUnknown, always); err == nil {
			t.Fatal("the old one still submits")
		}
		show(t, c, command(0), 0, "x")
		if r, err := old.tenure.NextRevision(t.Context()); err == nil {
			t.Errorf("the old one revises %+v", r)
		}
		if r := next(t, owner); r == nil {
			t.Error("the owner does not revise")
		}
		_ = owner.tenure.Close(owner.ctx)
		_ = old.tenure.Close(old.ctx)
	})
}

func TestNothingIsSettledBeforeWhatIsOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		p := c.process(t, nil)
		l := p.mustJoin(0)
		settled := func(l *Ledger) time.Time {
			l.Settled()
			time.Sleep(time.Second) // a commit
			return l.Settled()
		}
		if at := settled(l); time.Since(at) > 2*time.Second {
			t.Errorf("nothing is open, and %v is settled", time.Since(at))
		}
		began := time.Now()
		_ = p.work(l, command(0), sms.ReportUnknown, func(Ref, bool) *sms.Submission {
			time.Sleep(time.Minute)
			if at := settled(l); at.After(began.Add(time.Second)) {
				t.Errorf("%v after it began a submit that is under way is settled", at.Sub(began))
			}
			p.die()
			return nil
		})
		heir := c.process(t, nil)
		l = heir.mustJoin(0)
		if at := settled(l); at.After(began.Add(time.Second)) {
			t.Errorf("the heir takes for settled what began %v ago", time.Since(began))
		}
		if err := heir.work(l, command(0), sms.ReportUnknown, always); err != nil {
			t.Fatal(err)
		}
		l.Published(0)
		if at := settled(l); time.Since(at) > 2*time.Second {
			t.Errorf("all is told, and only what began %v ago is settled", time.Since(at))
		}
		// Who has a successor and does not know it says nothing of today.
		replaced := time.Now()
		after := c.process(t, nil)
		after.mustJoin(0)
		time.Sleep(time.Minute)
		if at := settled(l); at.After(replaced) {
			t.Error("one who was replaced says what is settled since")
		}
		_ = after.tenure.Close(after.ctx)
		_ = heir.tenure.Close(heir.ctx)
	})
}
