package submit

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/connector/provider"
)

// texts answers by what a text begins with, and accepts every other.
func texts(by map[string]submitFunc) submitFunc {
	return func(ctx context.Context, r provider.Request) (wireAnswer, *provider.Failure) {
		for begin, f := range by {
			if strings.HasPrefix(r.Content, begin) {
				return f(ctx, r)
			}
		}
		time.Sleep(20 * time.Millisecond)
		return accepts(ctx, r)
	}
}

// quickly answers f after 20 ms.
func quickly(f submitFunc) submitFunc {
	return func(ctx context.Context, r provider.Request) (wireAnswer, *provider.Failure) {
		time.Sleep(20 * time.Millisecond)
		return f(ctx, r)
	}
}

var forbidden = quickly(fails(provider.LineDown, sms.ProviderError))

// text is a command of one recipient with that text.
func text(content string) *sms.Command {
	c := command(1)
	c.Text = content
	return c
}

func TestATextThatTheGatewayRefusesWhileOthersPassIsRejectedAndHoldsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, texts(map[string]submitFunc{"bad": forbidden}), healthy, nil)
		var (
			others sync.WaitGroup
			slow   atomic.Int64
		)
		l.must(t, text("the first passes"))
		refused := make(chan *sms.Result, 3)
		for range cap(refused) {
			go func() { refused <- l.must(t, text("bad")) }()
		}
		for i := range 1500 {
			others.Go(func() {
				time.Sleep(time.Duration(i) * 5 * time.Millisecond)
				begun := time.Now()
				if r := l.must(t, text("good")); r.Status != sms.Accepted {
					t.Errorf("another text is %s, %s", r.Status, r.Reason)
				}
				if time.Since(begun) > time.Second {
					slow.Add(1)
				}
			})
		}
		for range cap(refused) {
			if r := <-refused; r.Status != sms.Rejected || r.Reason != sms.GatewayRefused || r.Submissions[0].Attempts != 2 {
				t.Errorf("%s, %s, %+v", r.Status, r.Reason, r.Submissions)
			}
		}
		if took := time.Since(l.start); took > 5*time.Second {
			t.Errorf("told after %v", took)
		}
		others.Wait()
		if slow.Load() != 0 || l.questions() != 0 {
			t.Errorf("%d others waited, the balance was asked %d times", slow.Load(), l.questions())
		}
	})
}

func TestARefusalOfEverythingHoldsTheLineAndBurnsNothing(t *testing.T) {
	for name, passedBefore := range map[string]bool{"from the start": false, "after others passed": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mended := time.Now().Add(10 * time.Minute)
				begun := time.Now()
				l := newLab(t, func(ctx context.Context, r provider.Request) (wireAnswer, *provider.Failure) {
					if passedBefore && time.Since(begun) < time.Second {
						return accepts(ctx, r)
					}
					return until(mended, forbidden, accepts)(ctx, r)
				}, healthy, nil)
				if passedBefore {
					l.must(t, text("the first passes"))
					time.Sleep(time.Second)
				}
				var all sync.WaitGroup
				for range 200 {
					all.Go(func() {
						if r := l.must(t, text("good")); r.Status != sms.Accepted {
							t.Errorf("%s, %s", r.Status, r.Reason)
						}
					})
				}
				time.Sleep(time.Second / 2)
				// 64 may be under way at once; the next fifth refusal at the latest holds the line.
				if n := l.posts(); n > 64+refusedInRow+1 || l.line.State().Line != sms.LineHeld {
					t.Errorf("%d submits, line %s", n, l.line.State().Line)
				}
				all.Wait()
			})
		})
	}
}

func TestALoneTextThatIsRefusedIsNotBlamedUntilOthersPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, texts(map[string]submitFunc{"bad": forbidden}), healthy, nil)
		refused := make(chan *sms.Result, 1)
		go func() { refused <- l.must(t, text("bad")) }()
		time.Sleep(10 * time.Minute)
		select {
		case r := <-refused:
			t.Fatalf("%s, %s though nobody else passed", r.Status, r.Reason)
		default:
		}
		if r := l.must(t, text("good")); r.Status != sms.Accepted {
			t.Errorf("another text is %s", r.Status)
		}
		if r := <-refused; r.Reason != sms.GatewayRefused {
			t.Errorf("%s, %s", r.Status, r.Reason)
		}
	})
}

func TestThrottlingInARowHoldsTheLineUnlessOthersPassBetween(t *testing.T) {
	for name, tc := range map[string]struct {
		others bool
		held   bool
	}{"nobody passes": {false, true}, "others pass": {true, false}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				later := func(context.Context, provider.Request) (wireAnswer, *provider.Failure) {
					return wireAnswer{}, &provider.Failure{Class: provider.Throttled, Reason: sms.RateLimited, After: time.Minute}
				}
				l := newLab(t, texts(map[string]submitFunc{"slow": later}), healthy, nil)
				var held atomic.Bool
				for range 2 * busyInRow {
					if tc.others {
						l.must(t, text("good"))
					}
					go func() { _, _ = l.Submit(t.Context(), t.Context(), text("slow"), History{}, l.guard) }()
					synctest.Wait()
					state := l.line.State()
					if state.Line == sms.LineHeld {
						held.Store(true)
						if state.Reason != sms.RateLimited {
							t.Errorf("held for %s", state.Reason)
						}
						break
					}
				}
				if held.Load() != tc.held {
					t.Errorf("held: %t", held.Load())
				}
				if r := l.must(t, text("good")); r.Status != sms.Accepted || time.Since(l.start) > 5*time.Second {
					t.Errorf("a text that passes is %s after %v", r.Status, time.Since(l.start))
				}
			})
		})
	}
}
