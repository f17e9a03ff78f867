package journal

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/connector/kafkaio"
)

// foreign is a record of another group.
func foreign(group string) []byte {
	r := record{kind: intent, owner: 1, group: group, ref: command(0), names: -1}
	return r.encode(nil)
}

// trouble brings partition 0 of a cluster, where commands 0 and 1 are done and
// 2 is fenced and without an answer, into a state that must halt it.
var trouble = map[HaltReason]func(c *cluster){
	HaltFormat:      func(c *cluster) { c.append(0, []byte{format + 1, 1}) },
	HaltUnreadable:  func(c *cluster) { c.append(0, []byte{1, 200}) },
	HaltOtherGroup:  func(c *cluster) { c.append(0, foreign("elsewhere")) },
	HaltNoPartition: func(c *cluster) { c.short = 0 }, // see haltedAlone
	HaltLostEnd:     func(c *cluster) { c.logs[0] = c.logs[0][:len(c.logs[0])-1] },
	HaltLostStart:   func(c *cluster) { c.starts[0] = int64(len(c.logs[0])) },
}

// startTrouble lets a first process leave two commands done, a third in doubt.
func startTrouble(t *testing.T, c *cluster) {
	t.Helper()
	p := c.process(t, nil)
	l := p.mustJoin(0, 1)
	for i := range int64(2) {
		if err := p.work(l, command(i), sms.ReportUnknown, always); err != nil {
			t.Fatal(err)
		}
	}
	_ = p.work(l, command(2), sms.ReportUnknown, func(Ref, bool) *sms.Submission {
		synctest.Wait()
		p.die()
		return nil
	})
	synctest.Wait()
}

func TestEveryReasonHaltsItsPartitionAlone(t *testing.T) {
	t.Parallel()
	for reason, bring := range trouble {
		t.Run(string(reason), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCluster()
				halted, well := 0, 1
				if reason == HaltNoPartition {
					c.short, halted, well = 1, 1, 0
				} else {
					startTrouble(t, c)
					bring(c)
				}
				p := c.process(t, nil)
				if err := p.join(0, 1); err != nil {
					t.Fatal(err)
				}
				var halt *Halt
				if err := p.tenure.Ledger(halted).Halted(); !errors.As(err, &halt) || halt.Reason != reason {
					t.Errorf("halted by %v, want %s", err, reason)
				}
				l := p.tenure.Ledger(well)
				if err := l.Halted(); err != nil {
					t.Fatalf("the other one is halted too: %v", err)
				}
				before := len(c.posts)
				if err := p.work(l, command(7), sms.ReportUnknown, always); err != nil || len(c.posts) != before+1 {
					t.Errorf("the other one does not work: %v", err)
				}
				if ok, err := p.tenure.Mended(t.Context()); ok || err != nil {
					t.Errorf("mended although nothing changed (%v)", err)
				}
				_ = p.tenure.Close(p.ctx)
			})
		})
	}
}

func TestAHaltThatIsMendedIsNoticed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		c.short = 1
		p := c.process(t, nil)
		p.mustJoin(0, 1)
		c.mu.Lock()
		c.short = 2
		c.mu.Unlock()
		if ok, err := p.tenure.Mended(t.Context()); !ok || err != nil {
			t.Errorf("a partition that was added is not noticed (%v)", err)
		}
		_ = p.tenure.Close(p.ctx)
	})
}

// look lets an operator ask for what is committed.
func (c *cluster) look() Generation { return membership{&process{cluster: c}, 0} }

// operator is a journal that decides and works on nothing.
func operator(t *testing.T, c *cluster, group string) *Journal {
	t.Helper()
	return c.process(t, func(cfg *Config) { cfg.Group = group }).journal
}

func TestAnAcceptedLossEndsTheHaltAndSendsNothingTwice(t *testing.T) {
	t.Parallel()
	for _, reason := range []HaltReason{HaltFormat, HaltUnreadable, HaltLostEnd, HaltLostStart, "newer metadata", "broken batch"} {
		for _, policy := range []sms.OnUnknown{sms.ReportUnknown, sms.ResendUnknown} {
			t.Run(fmt.Sprint(reason, " ", policy), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					c := newCluster()
					startTrouble(t, c)
					switch reason {
					case "newer metadata":
						c.committed[0] = kafkaio.Committed{Offset: c.committed[0].Offset, Metadata: `{"v":2}`}
					case "broken batch":
						c.broken = c.append(0, []byte("?"))
					default:
						trouble[reason](c)
					}
					acceptLoss(t, c, 4)
					before := len(c.posts)

					for crash := range 3 { // the decision holds for every later owner
						p := c.process(t, nil)
						l := p.mustJoin(0)
						if err := l.Halted(); err != nil {
							t.Fatal(err)
						}
						for i := l.Start(); i < 6; i++ {
							if err := p.work(l, command(i), policy, always); err != nil {
								t.Fatal(err)
							}
							if crash == 0 && i == 2 {
								break
							}
						}
						p.die()
						synctest.Wait()
					}
					// Of 2 and 3 the journal may have lost a submit; 4 and 5 came later.
					if got := c.posts[before:]; len(got) != 2 || got[0].ref != command(4) || got[1].ref != command(5) {
						t.Errorf("submitted %+v after the loss", got)
					}
					for i, want := range map[int64]string{2: "c2 unknown 1", 3: "c3 unknown 1", 4: "c4 accepted 1"} {
						if !slices.ContainsFunc(c.results, func(r published) bool { return r.ref == command(i) && r.value == want }) {
							t.Errorf("no result %q in %+v", want, c.results)
						}
					}
				})
			})
		}
	}
}

// acceptLoss is the operator's word for partition 0.
func acceptLoss(t *testing.T, c *cluster, until int64) {
	t.Helper()
	j := operator(t, c, "smsbridge")
	x, err := j.Examine(t.Context(), c.look(), 0)
	if err != nil || x.Halt == nil {
		t.Fatalf("not halted: %+v, %v", x, err)
	}
	if err := j.AcceptLoss(t.Context(), x, until); err != nil {
		t.Fatal(err)
	}
	if x, err = j.Examine(t.Context(), c.look(), 0); err != nil || x.Halt != nil {
		t.Fatalf("still halted: %v, %v", x.Halt, err)
	}
	p := c.process(t, nil)
	p.mustJoin(0)
	if m, err := parseMetadata(c.committed[0].Metadata); err != nil || m.Replay >= int64(len(c.logs[0])) {
		t.Errorf("%+v does not make the next owner read the decision (%v)", m, err)
	}
	p.die()
	synctest.Wait()
}

func TestAnAcceptedLossDoesNotCoverTheNextOne(t *testing.T) {
	t.Parallel()
	for _, reason := range []HaltReason{HaltFormat, HaltUnreadable, HaltLostEnd, HaltLostStart} {
		t.Run(string(reason), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCluster()
				startTrouble(t, c)
				trouble[reason](c)
				acceptLoss(t, c, 3)
				p := c.process(t, nil)
				l := p.mustJoin(0)
				for i := l.Start(); i < 5; i++ {
					_ = p.work(l, command(i), sms.ReportUnknown, always)
				}
				_ = p.tenure.Close(p.ctx)
				p.die()
				if reason == HaltLostStart {
					c.append(0, foreign("smsbridge"))
				}
				trouble[reason](c)
				if reason == HaltLostStart {
					c.starts[0]++ // above what the last commit covers
					c.append(0, foreign("smsbridge"))
				}
				x, err := operator(t, c, "smsbridge").Examine(t.Context(), c.look(), 0)
				if err != nil || x.Halt == nil || x.Halt.Reason != reason {
					t.Errorf("halted by %v, want %s (%v)", x.Halt, reason, err)
				}
			})
		})
	}
}

func TestNothingIsAcceptedWhereNothingIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		startTrouble(t, c)
		j := operator(t, c, "smsbridge")
		x, err := j.Examine(t.Context(), c.look(), 0)
		if err != nil || x.Halt != nil {
			t.Fatal(x.Halt, err)
		}
		if err := j.AcceptLoss(t.Context(), x, 10); !errors.Is(err, ErrNothingLost) {
			t.Error(err)
		}
	})
}

func TestAnAdoptedGroupsWorkIsNotDoneAgain(t *testing.T) {
	t.Parallel()
	for name, returns := range map[string]bool{"a new group": false, "a group that comes back": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCluster()
				renamed := func(cfg *Config) { cfg.Group = "renamed" }
				if returns { // it was here before, and its metadata knows nothing of what follows
					p := c.process(t, renamed)
					if err := p.work(p.mustJoin(0), command(0), sms.ReportUnknown, always); err != nil {
						t.Fatal(err)
					}
					_ = p.tenure.Close(p.ctx)
					p.die()
				}
				theirs := c.committed
				c.committed = map[int]kafkaio.Committed{}
				if returns {
					if err := operator(t, c, "smsbridge").Adopt(t.Context(), 0, "renamed", 1); err != nil {
						t.Fatal(err)
					}
				}
				startTrouble(t, c)
				old := c.committed[0].Offset
				c.committed = maps.Clone(theirs)
				before := len(c.posts)

				p := c.process(t, renamed)
				l := p.mustJoin(0)
				var halt *Halt
				if !errors.As(l.Halted(), &halt) || halt.Reason != HaltOtherGroup {
					t.Fatalf("halted by %v", l.Halted())
				}
				if err := operator(t, c, "renamed").Adopt(t.Context(), 0, "smsbridge", old); err != nil {
					t.Fatal(err)
				}
				if ok, err := p.tenure.Mended(t.Context()); !ok || err != nil {
					t.Fatalf("the adoption is not noticed (%v)", err)
				}
				_ = p.tenure.Close(p.ctx)

				for range 2 { // also its successor
					l = p.mustJoin(0)
					if err := l.Halted(); err != nil {
						t.Fatal(err)
					}
					if l.Start() < old {
						t.Errorf("begins at %d, the other group had come to %d", l.Start(), old)
					}
					for i := l.Start(); i < 4; i++ {
						if err := p.work(l, command(i), sms.ReportUnknown, always); err != nil {
							t.Fatal(err)
						}
					}
					_ = p.tenure.Close(p.ctx)
				}
				if got := c.posts[before:]; len(got) != 1 || got[0].ref != command(3) {
					t.Errorf("submitted %+v after the adoption, want command 3 alone", got)
				}
				if c.committed[0].Offset != 4 {
					t.Errorf("committed %d", c.committed[0].Offset)
				}

				// Whoever comes back under the old name is halted in its turn.
				x, err := operator(t, c, "smsbridge").Examine(t.Context(), c.look(), 0)
				if err != nil || x.Halt == nil || x.Halt.Reason != HaltOtherGroup {
					t.Errorf("the old group is halted by %v (%v)", x.Halt, err)
				}
			})
		})
	}
}

func TestAnAdoptionDoesNotCoverWhatTheOtherGroupWritesLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		c.append(0, foreign("elsewhere"))
		j := operator(t, c, "smsbridge")
		if err := j.Adopt(t.Context(), 0, "elsewhere", -1); err != nil {
			t.Fatal(err)
		}
		x, err := j.Examine(t.Context(), c.look(), 0)
		if err != nil || x.Halt != nil {
			t.Fatal(x.Halt, err)
		}
		if len(x.Groups) != 2 || x.Groups["elsewhere"].After(time.Now()) {
			t.Errorf("groups %v", x.Groups)
		}
		c.append(0, foreign("elsewhere"))
		if x, err = j.Examine(t.Context(), c.look(), 0); err != nil || x.Halt == nil || x.Halt.Reason != HaltOtherGroup {
			t.Errorf("halted by %v (%v)", x.Halt, err)
		}
	})
}
