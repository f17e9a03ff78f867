package submit

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/connector/provider"
)

var notSent = fails(provider.NotSent, sms.NetworkError)

// lost is an answer that never came, without the wait for it.
var lost = fails(provider.Unknown, sms.Timeout)

func resend(c *Config) { c.OnUnknown = sms.ResendUnknown }

func TestOutcomeOfAPartFollowsFromTheProvidersAnswers(t *testing.T) {
	throttled := submitFunc(func(context.Context, provider.Request) (w wireAnswer, f *provider.Failure) {
		return w, &provider.Failure{Class: provider.Throttled, Reason: sms.RateLimited, After: time.Minute}
	})
	tests := map[string]struct {
		provider  submitFunc
		balance   balanceFunc
		change    func(*Config)
		status    sms.Status
		reason    sms.Reason
		posts     int
		duplicate bool
		after     time.Duration // at least, until the result
	}{
		"accepted":                             {provider: accepts, status: sms.Accepted, posts: 1},
		"refused text is never tried again":    {provider: answers("1", "敏感词"), status: sms.Rejected, reason: sms.ContentRejected, posts: 1},
		"no numbers":                           {provider: answers("3", ""), status: sms.Rejected, reason: sms.InvalidRecipient, posts: 1},
		"malformed":                            {provider: answers("14", ""), status: sms.Rejected, reason: sms.MalformedRequest, posts: 1},
		"code that nobody knows":               {provider: answers("77", "?"), status: sms.Rejected, reason: sms.UnknownProviderCode, posts: 1},
		"code 2 by its words":                  {provider: answers("2", "含敏感词"), status: sms.Rejected, reason: sms.ContentRejected, posts: 1},
		"code 2 without words, money there":    {provider: answers("2", "x"), status: sms.Rejected, reason: sms.ContentRejected, posts: 1},
		"not sent is tried again":              {provider: inTurn(notSent, notSent, accepts), status: sms.Accepted, posts: 3},
		"throttled waits as long as wished":    {provider: inTurn(throttled, accepts), status: sms.Accepted, posts: 2, after: time.Minute},
		"unknown is not tried again":           {provider: inTurn(lost, accepts), status: sms.Unknown, reason: sms.Timeout, posts: 1},
		"code -1 is unknown":                   {provider: inTurn(answers("-1", ""), accepts), status: sms.Unknown, reason: sms.ProviderError, posts: 1},
		"a class that nobody knows is unknown": {provider: inTurn(fails(99, sms.NetworkError), accepts), status: sms.Unknown, reason: sms.NetworkError, posts: 1},
		"a failure that nobody classified is unknown": {
			provider: inTurn(fails(0, sms.NetworkError), accepts), status: sms.Unknown, reason: sms.NetworkError, posts: 1,
		},
		"unknown is sent once more if asked for": {
			provider: inTurn(lost, accepts), change: resend, status: sms.Accepted, posts: 2, duplicate: true,
		},
		"code -1 is sent once more if asked for": {
			provider: inTurn(answers("-1", ""), accepts), change: resend, status: sms.Accepted, posts: 2, duplicate: true,
		},
		"unknown is sent once more, not twice": {
			provider: inTurn(lost, lost, accepts), change: resend, status: sms.Unknown, reason: sms.Timeout, posts: 2, duplicate: true,
		},
		"a second attempt that does not leave is not the last": {
			provider: inTurn(lost, notSent, accepts), change: resend, status: sms.Accepted, posts: 3, duplicate: true,
		},
		"refusal of the second attempt says nothing of the first": {
			provider: inTurn(lost, answers("1", "")), change: resend, status: sms.Unknown, reason: sms.Timeout, posts: 2,
		},
		"attempts used up": {
			provider: notSent, change: func(c *Config) { c.Retry.MaxAttempts = 3 },
			status: sms.Failed, reason: sms.NetworkError, posts: 3,
		},
		"attempts used up after an unknown one": {
			provider: inTurn(lost, notSent), change: func(c *Config) { resend(c); c.Retry.MaxAttempts = 3 },
			status: sms.Unknown, reason: sms.Timeout, posts: 4,
		},
		"account code is waited out": {provider: inTurn(answers("12", ""), accepts), status: sms.Accepted, posts: 2, after: time.Second},
		"wrong address is waited out": {
			provider: inTurn(fails(provider.LineDown, sms.ProtocolError), accepts), status: sms.Accepted, posts: 2, after: time.Second,
		},
		"no money is waited out": {
			provider: inTurn(answers("2", "余额不足"), accepts), balance: rising(), status: sms.Accepted, posts: 2, after: time.Second,
		},
		"code 2 without words, money gone": {
			provider: inTurn(answers("2", "x"), accepts), balance: rising(), status: sms.Accepted, posts: 2, after: time.Second,
		},
		"code 2 without words, balance out of order": {
			provider: inTurn(answers("2", "x"), accepts), balance: balanceFails(provider.Unknown), status: sms.Accepted, posts: 2,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				balance := test.balance
				if balance == nil {
					balance = healthy
				}
				l := newLab(t, test.provider, balance, test.change)
				r := l.must(t, command(1))
				if r.Status != test.status || r.Reason != test.reason {
					t.Errorf("got %s/%s, want %s/%s", r.Status, r.Reason, test.status, test.reason)
				}
				if l.posts() != test.posts {
					t.Errorf("%d requests, want %d", l.posts(), test.posts)
				}
				if len(r.Submissions) != 1 || r.Submissions[0].Attempts != test.posts {
					t.Fatalf("submissions %+v, want one with %d attempts", r.Submissions, test.posts)
				}
				if got := r.Submissions[0].PossibleDuplicate; got != test.duplicate {
					t.Errorf("possible duplicate %v, want %v", got, test.duplicate)
				}
				if took := time.Since(l.start); took < test.after {
					t.Errorf("took %s, want %s or more", took, test.after)
				}
				if l.guard.open() != 0 {
					t.Errorf("%d permits neither released nor done", l.guard.open())
				}
			})
		})
	}
}

func TestEveryAttemptIsClosedBeforeTheNextBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, inTurn(notSent, lost, notSent, accepts), healthy, resend)
		l.guard.begin = func(_ context.Context, a Attempt) error {
			if open := l.guard.open(); open != 1 {
				t.Errorf("attempt %d begins beside %d open ones", a.Number, open-1)
			}
			return nil
		}
		l.must(t, command(1))
		want := []Attempt{{Number: 1}, {Number: 2}, {Number: 3, PossibleDuplicate: true}, {Number: 4, PossibleDuplicate: true}}
		for i, a := range l.guard.attempts {
			if a.Number != want[i].Number || a.PossibleDuplicate != want[i].PossibleDuplicate {
				t.Errorf("attempt %d: %+v, want %+v", i, a, want[i])
			}
		}
		if d := l.guard.dones; len(d) != 2 || d[0].Status != sms.Unknown || d[1].Status != sms.Accepted {
			t.Errorf("recorded outcomes %+v, want unknown and then accepted", d)
		}
		if l.guard.released != 2 {
			t.Errorf("%d permits released, want the two of requests that did not leave", l.guard.released)
		}
	})
}

func TestValidityEndsAPartWhereverItWaits(t *testing.T) {
	tests := map[string]struct {
		provider submitFunc
		balance  balanceFunc
		change   func(*Config)
		prepare  func(*lab)
		status   sms.Status
		reason   sms.Reason
		after    time.Duration // exactly, from the record's timestamp
	}{
		"before anything": {
			provider: accepts, prepare: func(*lab) { time.Sleep(5 * time.Minute) },
			status: sms.Expired, reason: sms.ValidityExpired, after: 5 * time.Minute,
		},
		"at the line": {
			provider: answers("10", ""), balance: balanceOf("10", ""),
			status: sms.Expired, reason: sms.AuthFailed, after: 5 * time.Minute,
		},
		"at a line that others brought down": {
			provider: answers("2", "余额不足"), balance: balanceOf("0", "3"),
			prepare: func(l *lab) {
				l.another()
			},
			status: sms.Expired, reason: sms.InsufficientBalance, after: 5 * time.Minute,
		},
		"at the rate, at once": {
			provider: accepts, change: func(c *Config) { c.Rate = NewRate(1.0 / 3600) },
			prepare: func(l *lab) { l.must(l.t, command(1)) },
			status:  sms.Expired, reason: sms.ValidityExpired, after: 0,
		},
		"behind others at the rate": {
			provider: accepts, change: func(c *Config) { c.Rate = NewRate(1.0 / 3600) },
			prepare: func(l *lab) {
				l.must(l.t, command(1))
				l.another()
			},
			status: sms.Expired, reason: sms.ValidityExpired, after: 5 * time.Minute,
		},
		"at the guard": {
			provider: accepts, prepare: func(l *lab) {
				l.guard.begin = func(context.Context, Attempt) error { time.Sleep(time.Hour); return nil }
			},
			status: sms.Expired, reason: sms.ValidityExpired, after: time.Hour,
		},
		"at the slots": {
			provider: hangsFor(time.Hour), change: func(c *Config) { c.MaxInFlight = 1 },
			prepare: func(l *lab) {
				l.another()
			},
			status: sms.Expired, reason: sms.ValidityExpired, after: 5 * time.Minute,
		},
		"between attempts, without waiting for it": {
			provider: func(context.Context, provider.Request) (wireAnswer, *provider.Failure) {
				return wireAnswer{}, &provider.Failure{Class: provider.Throttled, Reason: sms.RateLimited, After: time.Hour}
			},
			status: sms.Expired, reason: sms.RateLimited, after: 0,
		},
		"before the second attempt after an unknown one": {
			provider: hangsFor(5 * time.Minute), change: resend,
			status: sms.Unknown, reason: sms.Timeout, after: 5 * time.Minute,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				balance := test.balance
				if balance == nil {
					balance = healthy
				}
				l := newLab(t, test.provider, balance, test.change)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				cmd := command(1)
				cmd.Class = sms.OTP
				if test.prepare != nil {
					test.prepare(l)
				}
				r, err := l.Submit(ctx, ctx, cmd, History{}, l.guard)
				if err != nil {
					t.Fatal(err)
				}
				if r.Status != test.status || r.Reason != test.reason {
					t.Errorf("got %s/%s, want %s/%s", r.Status, r.Reason, test.status, test.reason)
				}
				if took := time.Since(cmd.At); took != test.after {
					t.Errorf("took %s, want %s", took, test.after)
				}
				synctest.Wait()
			})
		})
	}
}

func TestSoftStopGivesUpWhatHasNotLeftAndFinishesWhatHas(t *testing.T) {
	stop := errors.New("stop")
	tests := map[string]struct {
		provider submitFunc
		balance  balanceFunc
		change   func(*Config)
		prepare  func(*lab)
		posts    int
		status   sms.Status // empty: not decided
	}{
		"waiting at the line": {provider: answers("10", ""), balance: balanceOf("10", ""), posts: 1},
		"waiting at the rate": {
			provider: accepts, change: func(c *Config) { c.Rate = NewRate(0.001) },
			prepare: func(l *lab) { l.must(l.t, command(1)) }, posts: 1,
		},
		"waiting at the guard": {
			provider: accepts, prepare: func(l *lab) {
				l.guard.begin = func(ctx context.Context, _ Attempt) error { <-ctx.Done(); return context.Cause(ctx) }
			},
		},
		"at a guard that does not look": {
			provider: accepts, prepare: func(l *lab) {
				l.guard.begin = func(context.Context, Attempt) error { time.Sleep(time.Minute); return nil }
			},
		},
		"waiting for a slot": {
			provider: accepts, prepare: func(l *lab) {
				for range cap(l.slots) {
					l.slots <- struct{}{}
				}
			},
		},
		"waiting for a credit": {
			provider: accepts, prepare: func(l *lab) {
				for range cap(l.credits) {
					l.credits <- struct{}{}
				}
			},
		},
		"between attempts":                     {provider: notSent, posts: 1, change: func(c *Config) { c.Retry.Initial = 30 * time.Second }},
		"in flight":                            {provider: slowly(accepts), posts: 1, status: sms.Accepted},
		"in flight and never answered":         {provider: hangs, posts: 1, status: sms.Unknown},
		"before the second attempt is in time": {provider: hangs, change: resend, posts: 1, status: sms.Unknown},
		"the outcome being written": {
			provider: accepts, posts: 1, status: sms.Accepted, prepare: func(l *lab) {
				l.guard.done = func(ctx context.Context, _ sms.Submission) error { time.Sleep(10 * time.Second); return ctx.Err() }
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				balance := test.balance
				if balance == nil {
					balance = healthy
				}
				l := newLab(t, test.provider, balance, test.change)
				if test.prepare != nil {
					test.prepare(l)
				}
				soft, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Second, func() { cancel(stop) })
				r, err := l.Submit(soft, t.Context(), command(1), History{}, l.guard)
				if test.status == "" && !errors.Is(err, stop) {
					t.Errorf("got %v and error %v, want the cause of the stop", r, err)
				}
				if test.status != "" && (err != nil || r.Status != test.status) {
					t.Errorf("got %s and error %v, want %s", r.Status, err, test.status)
				}
				if l.posts() != test.posts {
					t.Errorf("%d requests, want %d", l.posts(), test.posts)
				}
				if name != "waiting at the guard" && l.guard.open() != 0 {
					t.Errorf("%d permits neither released nor done", l.guard.open())
				}
			})
		})
	}
}

func TestNoPartIsBegunAfterTheSoftStopAndTheNextOwnerSubmitsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, slowly(accepts), healthy, func(c *Config) { c.MaxRecipients = 1 })
		soft, cancel := context.WithTimeout(t.Context(), 6*time.Second) // in the midst of the second part
		defer cancel()
		_, err := l.Submit(soft, t.Context(), command(60), History{}, l.guard)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(l.start) != 10*time.Second {
			t.Fatalf("error %v after %s; the stop waits for the part under way and no other", err, time.Since(l.start))
		}
		if l.posts() != 2 || l.guard.open() != 0 || len(l.guard.dones) != 2 {
			t.Fatalf("%d requests, %d permits open, %d outcomes written down, want two of each and none open", l.posts(), l.guard.open(), len(l.guard.dones))
		}
		var left History
		for i := range l.guard.dones {
			done := l.guard.dones[i]
			left.Parts = append(left.Parts, Part{First: done.First, Last: done.Last, Done: &done, Attempts: 1})
		}
		r, err := l.Submit(t.Context(), t.Context(), command(60), left, l.guard)
		if err != nil || r.Status != sms.Accepted || r.Accepted != 60 || l.posts() != 60 {
			t.Errorf("got %s of %d with %d requests, error %v", r.Status, r.Accepted, l.posts(), err)
		}
	})
}

func TestACommandThatIsStoppedWithItsLastPartUnderWayIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, slowly(accepts), healthy, nil)
		soft, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r, err := l.Submit(soft, t.Context(), command(3), History{}, l.guard)
		if err != nil || r.Status != sms.Accepted || r.Accepted != 3 {
			t.Errorf("got %v, error %v", r, err)
		}
	})
}

func TestVerdictThatIsNotDurableIsNotTold(t *testing.T) {
	fenced := errors.New("fenced")
	tests := map[string]submitFunc{
		"accepted":                        accepts,
		"unknown":                         lost,
		"accepted by the second attempt":  inTurn(lost, accepts),
		"rejected":                        answers("1", ""),
		"intent not released":             notSent,
		"intent not released, line fault": answers("13", ""),
	}
	for name, submit := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, submit, healthy, resend)
				l.guard.release = func(context.Context) error { return fenced }
				l.guard.done = func(_ context.Context, s sms.Submission) error {
					if name == "accepted by the second attempt" && s.Status == sms.Unknown {
						return nil
					}
					return fenced
				}
				r, err := l.Submit(t.Context(), t.Context(), command(1), History{}, l.guard)
				if !errors.Is(err, fenced) {
					t.Errorf("got %q and error %v, want the guard's", r.Status, err)
				}
			})
		})
	}
}

func TestPermitThatHoldsNoMoreIsReleasedAndAskedForAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, accepts, healthy, nil)
		asked := 0
		l.guard.valid = func() bool { asked++; return asked > 2 }
		if r := l.must(t, command(1)); r.Status != sms.Accepted || l.posts() != 1 {
			t.Errorf("got %s with %d requests", r.Status, l.posts())
		}
		if l.guard.released != 2 || l.guard.open() != 0 {
			t.Errorf("%d released, %d open", l.guard.released, l.guard.open())
		}
	})
}

func TestSlotIsFreeBetweenAttemptsAndTakenUntilTheOutcomeIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, inTurn(notSent, accepts), healthy, func(c *Config) { c.Retry.Initial = 10 * time.Second; c.MaxInFlight = 1 })
		l.guard.done = func(context.Context, sms.Submission) error { time.Sleep(time.Minute); return nil }
		l.another()
		if len(l.slots) != 0 || len(l.credits) != 0 {
			t.Errorf("%d slots and %d credits taken between attempts", len(l.slots), len(l.credits))
		}
		time.Sleep(30 * time.Second)
		if l.posts() != 2 || len(l.slots) != 1 {
			t.Errorf("after %d requests %d slots taken, want 1 until the outcome is durable", l.posts(), len(l.slots))
		}
		time.Sleep(time.Minute)
	})
}
