package submit

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"smsbridge/connector/provider"
)

func never() time.Time { return time.Now().Add(1000 * time.Hour) }

func TestRateCountsRecipientsOfOurShare(t *testing.T) {
	tests := map[string]struct {
		whole        float64
		owned, total int
		pieces       []int         // recipients of each request
		atLeast      time.Duration // for all of them
	}{
		"all of it":                   {100, 12, 12, []int{10, 100, 100}, 2 * time.Second},
		"a third":                     {300, 4, 12, []int{10, 100, 100}, 2 * time.Second},
		"before any share, all of it": {100, 0, 0, []int{10, 100, 100}, 2 * time.Second},
		"more than a burst at once":   {10, 12, 12, []int{1, 500}, 50 * time.Second},
		"less than one a second":      {0.5, 12, 12, []int{1, 1, 1}, 4 * time.Second},
		"unlimited":                   {0, 1, 12, []int{500, 500}, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := NewRate(test.whole)
				r.SetShare(test.owned, test.total)
				start := time.Now()
				for _, n := range test.pieces {
					if err := r.wait(t.Context(), n, never()); err != nil {
						t.Fatal(err)
					}
				}
				if took := time.Since(start); took < test.atLeast-50*time.Millisecond || took > test.atLeast+50*time.Millisecond {
					t.Errorf("took %s, want %s", took, test.atLeast)
				}
			})
		})
	}
}

func TestNewShareCountsForThoseWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRate(10)
		r.SetShare(1, 10)
		start := time.Now()
		var all sync.WaitGroup
		for range 21 {
			all.Go(func() { _ = r.wait(t.Context(), 1, never()) })
		}
		time.Sleep(10 * time.Second)
		r.SetShare(10, 10)
		all.Wait()
		if took := time.Since(start); took > 12*time.Second {
			t.Errorf("took %s: those who waited kept the old share", took)
		}
	})
}

func TestLargeRequestIsNotOvertakenForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRate(10)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for range 5 {
			go func() {
				for ctx.Err() == nil {
					_ = r.wait(ctx, 1, never())
				}
			}()
		}
		synctest.Wait()
		start := time.Now()
		if err := r.wait(ctx, 100, never()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 11*time.Second {
			t.Errorf("took %s, want its own ten seconds and little more", took)
		}
	})
}

func TestRateIsPaidOnceForEachRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, inTurn(notSent, accepts), healthy, func(c *Config) { c.Rate = NewRate(0.1) })
		asked := 0
		l.guard.valid = func() bool { asked++; return asked > 2 } // two permits lapse before the first request
		l.must(t, command(1))
		if took := time.Since(l.start); l.posts() != 2 || took.Round(time.Millisecond) != 10*time.Second {
			t.Errorf("%d requests in %s, want 2 in 10 s", l.posts(), took)
		}
	})
}

func TestRateThatEndsWithItsContextTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRate(1)
		_ = r.wait(t.Context(), 1, never())
		if err := r.wait(t.Context(), 1, time.Now().Add(time.Millisecond)); !errors.Is(err, errExpired) {
			t.Errorf("got %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := r.wait(ctx, 1, never()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		start := time.Now()
		_ = r.wait(t.Context(), 1, never())
		if took := time.Since(start); took > time.Second {
			t.Errorf("took %s: those who gave up were charged", took)
		}
	})
}

func answersFully(a wireAnswer) submitFunc {
	return func(context.Context, provider.Request) (wireAnswer, *provider.Failure) { return a, nil }
}
