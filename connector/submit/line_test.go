package submit

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/codec/wire"
	"smsbridge/connector/provider"
)

// backlog submits n commands at once and gives their results.
func (l *lab) backlog(t *testing.T, n int) []*sms.Result {
	t.Helper()
	results := make([]*sms.Result, n)
	var all sync.WaitGroup
	for i := range results {
		cmd := command(1)
		all.Go(func() {
			r, err := l.Submit(t.Context(), t.Context(), cmd, History{}, l.guard)
			if err != nil {
				t.Error(err)
			}
			results[i] = r
		})
	}
	all.Wait()
	return results
}

func statuses(results []*sms.Result) map[sms.Status]int {
	count := make(map[sms.Status]int)
	for i := range results {
		count[results[i].Status]++
	}
	return count
}

func TestOutageOfAnHourBurnsNoCommand(t *testing.T) {
	const commands = 200
	// Under way when it began, and in the places of the first four that came to
	// nothing before the fifth held the line.
	const beginning = 64 + 4
	tests := map[string]struct {
		during  submitFunc
		balance func(context.Context) (wire.Balance, *provider.Failure)
		unknown int // at most: the beginning, and one for each trial
		posts   int // at most, during the outage
	}{
		"nobody there":            {notSent, balanceFails(provider.NotSent), 0, beginning},
		"wrong password":          {answers("10", ""), balanceOf("10", ""), 0, beginning},
		"account closed":          {answers("11", ""), balanceOf("11", ""), 0, beginning},
		"account suspended":       {answers("12", ""), balanceOf("12", ""), 0, beginning},
		"address not allowed":     {answers("13", ""), balanceOf("13", ""), 0, beginning},
		"no money":                {answers("2", "余额不足"), balanceOf("0", "0"), 0, beginning},
		"refused by HTTP":         {fails(provider.LineDown, sms.ProtocolError), balanceFails(provider.LineDown), 0, beginning},
		"submits refused by HTTP": {fails(provider.LineDown, sms.ProtocolError), healthy, 0, beginning + 6 + 120},
		"submits reach nobody":    {notSent, healthy, 0, beginning + 6 + 120},
		// Tried without proof after 1, 2, 4, 8 minutes and then every ten.
		"hangs, the balance too":    {hangs, balanceFails(provider.Unknown), beginning + 9, beginning + 9},
		"hangs, only submits":       {hangs, healthy, beginning + 6 + 80, beginning + 6 + 80},
		"answers -1":                {answers("-1", ""), healthy, beginning + 6 + 120, beginning + 6 + 120},
		"throttles":                 {throttle(5 * time.Minute), healthy, 0, commands * 16},
		"cannot even say how it is": {answers("2", "?"), balanceFails(provider.NotSent), 0, commands * 160},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				end := time.Now().Add(time.Hour)
				l := newLab(t, until(end, test.during, accepts), func(ctx context.Context) (wire.Balance, *provider.Failure) {
					if time.Now().Before(end) {
						return test.balance(ctx)
					}
					return wire.Balance{Code: "0", Amount: "5000"}, nil
				}, nil)
				var during atomic.Int64
				time.AfterFunc(time.Hour-1, func() { during.Store(int64(l.posts())) })
				got := statuses(l.backlog(t, commands))
				if got[sms.Accepted]+got[sms.Unknown] != commands {
					t.Errorf("results %v, want accepted ones and few unknown", got)
				}
				if got[sms.Unknown] > test.unknown {
					t.Errorf("%d unknown, want at most %d", got[sms.Unknown], test.unknown)
				}
				if posts := int(during.Load()); posts > test.posts {
					t.Errorf("%d requests during the outage, want at most %d", posts, test.posts)
				}
				if late := time.Since(end); late > 2*time.Minute && name != "throttles" {
					t.Errorf("the backlog was through %s after the outage", late)
				}
				if s := l.line.State(); s.Line != sms.LineOpen {
					t.Errorf("line is %+v", s)
				}
			})
		})
	}
}

func throttle(after time.Duration) submitFunc {
	return func(context.Context, provider.Request) (wireAnswer, *provider.Failure) {
		return wireAnswer{}, &provider.Failure{Class: provider.Throttled, Reason: sms.RateLimited, After: after}
	}
}

func TestLineIsHeldByWhatItHears(t *testing.T) {
	alive := verdict{signal: answered}
	doubt := verdict{signal: unansweredBy, reason: sms.Timeout}
	unsent := verdict{signal: unsentTo, reason: sms.NetworkError}
	times := func(n int, v ...verdict) (all []verdict) {
		for range n {
			all = append(all, v...)
		}
		return all
	}
	tests := map[string]struct {
		heard  []verdict
		reason sms.Reason // empty: open
	}{
		"one word of the account":             {[]verdict{accountVerdict(sms.IPNotAllowed)}, sms.IPNotAllowed},
		"one word of the balance":             {[]verdict{accountVerdict(sms.InsufficientBalance)}, sms.InsufficientBalance},
		"one refusal by HTTP":                 {[]verdict{judgeFailure(&provider.Failure{Class: provider.LineDown, Reason: sms.AuthFailed})}, sms.AuthFailed},
		"four not sent":                       {times(4, unsent), ""},
		"five not sent":                       {times(5, unsent), sms.NetworkError},
		"five not sent, one answer between":   {append(times(4, unsent), alive, unsent), ""},
		"five not sent, one throttled":        {append(times(4, unsent), verdict{signal: busy}, unsent), ""},
		"four doubtful":                       {times(4, doubt), ""},
		"five doubtful":                       {times(5, doubt), sms.Timeout},
		"five doubtful, one answer between":   {append(times(4, doubt), alive, doubt), ""},
		"five doubtful, not sent between":     {append(times(4, doubt), unsent, doubt), sms.Timeout},
		"every second doubtful, nineteen":     {append(times(9, alive, doubt), alive), ""},
		"every second doubtful, twenty":       {times(10, alive, doubt), sms.Timeout},
		"every third doubtful, for long":      {times(50, alive, alive, doubt), ""},
		"ten doubtful, but no longer of late": {append(times(4, doubt), times(30, alive, alive, alive, doubt)...), ""},
		"refused texts":                       {times(100, alive), ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, accepts, healthy, nil)
				for _, v := range test.heard {
					ticket, open := l.line.enter()
					if !open {
						t.Fatal("held too early")
					}
					l.line.leave(&ticket, v)
				}
				state := l.line.State()
				if held := state.Line == sms.LineHeld; held != (test.reason != "") || state.Reason != test.reason {
					t.Errorf("line is %+v, want reason %q", state, test.reason)
				}
			})
		})
	}
}

func TestHeldLineOpensByWhatTheBalanceProves(t *testing.T) {
	tests := map[string]struct {
		cause   cause
		balance balanceFunc
		opens   time.Duration // 0: not before it is tried without proof; else the latest
	}{
		"account, it answers 0":                {account, healthy, time.Second},
		"account, it names the account":        {account, balanceOf("11", ""), 0},
		"account, it fails":                    {account, balanceFails(provider.Unknown), 0},
		"account, it has a trouble of its own": {account, balanceOf("-1", ""), 0},
		"money, it stays":                      {credit, balanceOf("0", "7"), 0},
		"money, it rises":                      {credit, rising(), 3 * time.Second},
		"money, it falls and rises":            {credit, amounts("9", "5", "4", "6"), 7 * time.Second},
		"money, no number":                     {credit, balanceOf("0", "much"), 0},
		"address, it answers":                  {address, healthy, time.Second},
		"address, it is refused too":           {address, balanceFails(provider.LineDown), 0},
		"nobody there, still nobody":           {unreachable, balanceFails(provider.NotSent), 0},
		"nobody there, somebody answers":       {unreachable, balanceOf("-1", ""), time.Second},
		"nobody there, somebody refuses":       {unreachable, balanceFails(provider.LineDown), time.Second},
		"nobody there, somebody is busy":       {unreachable, balanceFails(provider.Throttled), time.Second},
		"nobody there, somebody hangs":         {unreachable, balanceFails(provider.Unknown), 0},
		"nobody there, then a closed account":  {unreachable, balanceOf("11", ""), 0},
		"ambiguity, it answers":                {ambiguity, healthy, time.Second},
		"ambiguity, it hangs":                  {ambiguity, balanceFails(provider.Unknown), 0},
		"ambiguity, it has trouble":            {ambiguity, balanceOf("-1", ""), 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, accepts, test.balance, nil)
				ticket, _ := l.line.enter()
				l.line.leave(&ticket, verdict{signal: refused, cause: test.cause, reason: sms.ProviderError})
				ctx, cancel := context.WithTimeout(t.Context(), unprovenFirst-time.Second)
				defer cancel()
				moved := l.line.closed()
				for ; moved != nil && ctx.Err() == nil; moved = l.line.closed() {
					select {
					case <-moved.Done():
					case <-ctx.Done():
					}
				}
				if opened := moved == nil; opened != (test.opens > 0) || opened && time.Since(l.start) > test.opens {
					t.Errorf("open: %v after %s, want %s (0: never)", opened, time.Since(l.start), test.opens)
				}
			})
		})
	}
}

func amounts(all ...string) balanceFunc {
	return func(context.Context) (wire.Balance, *provider.Failure) {
		amount := all[0]
		if len(all) > 1 {
			all = all[1:]
		}
		return wire.Balance{Code: "0", Amount: amount}, nil
	}
}

func TestLineThatNothingCanProveIsTriedAfterAMinute(t *testing.T) {
	tests := map[string]struct {
		cause   cause
		balance balanceFunc
		tried   bool
	}{
		"money was there before we first asked": {credit, balanceOf("0", "500"), true},
		"no money":                              {credit, balanceOf("0", "0"), false},
		"only submits work":                     {ambiguity, balanceFails(provider.Unknown), true},
		"nobody at the balance's address":       {unreachable, balanceFails(provider.NotSent), true},
		"account":                               {account, balanceOf("11", ""), false},
		"only the balance's address is refused": {address, balanceFails(provider.LineDown), true},
		"balance never known":                   {credit, balanceFails(provider.Unknown), true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(t, accepts, test.balance, nil)
				ticket, _ := l.line.enter()
				l.line.leave(&ticket, verdict{signal: refused, cause: test.cause, reason: sms.ProviderError})
				time.Sleep(unprovenFirst + probeMost)
				synctest.Wait()
				if _, open := l.line.enter(); open != test.tried {
					t.Errorf("tried: %v, want %v", open, test.tried)
				}
			})
		})
	}
}

func TestLineReopensByOneAndDoubles(t *testing.T) {
	for _, cause := range []cause{account, credit, address, unreachable, ambiguity} {
		t.Run(fmt.Sprint(cause), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				most, now, waves := 0, 0, []int{}
				var mu sync.Mutex
				l := newLab(t, func(ctx context.Context, r provider.Request) (wireAnswer, *provider.Failure) {
					mu.Lock()
					now++
					most = max(most, now)
					mu.Unlock()
					time.Sleep(5 * time.Second)
					mu.Lock()
					now--
					mu.Unlock()
					return accepts(ctx, r)
				}, rising(), func(c *Config) { c.MaxInFlight = 8 })
				ticket, _ := l.line.enter()
				l.line.leave(&ticket, verdict{signal: refused, cause: cause, reason: sms.ProviderError})
				done := make(chan struct{})
				go func() { l.backlog(t, 40); close(done) }()
				time.Sleep(time.Second)
				for range 3 {
					time.Sleep(4 * time.Second)
					mu.Lock()
					waves = append(waves, most)
					mu.Unlock()
					time.Sleep(time.Second)
				}
				<-done
				if want := []int{1, 2, 8}; fmt.Sprint(waves) != fmt.Sprint(want) || most != 8 {
					t.Errorf("concurrent submits by round: %v and %d at last, want %v and 8", waves, most, want)
				}
			})
		})
	}
}

func TestFailureWhileReopeningHoldsAgainAndWaitsLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, hangs, healthy, nil)
		go l.backlog(t, 5)
		synctest.Wait()
		go func() {
			time.Sleep(15*time.Second + 1)
			l.backlog(t, 5) // each of them is a trial, and left in doubt
		}()
		time.Sleep(15*time.Second + time.Millisecond)
		if s := l.line.State(); s.Line != sms.LineHeld || s.Reason != sms.Timeout {
			t.Fatalf("line is %+v", s)
		}
		held := l.line.State().Since
		time.Sleep(150 * time.Second)
		want := []time.Duration{0, 0, 0, 0, 0, 16 * time.Second, 33 * time.Second, 52 * time.Second, 75 * time.Second, 106 * time.Second}
		if fmt.Sprint(l.submittedAt()) != fmt.Sprint(want) {
			t.Errorf("submits at %v, want %v", l.submittedAt(), want)
		}
		if s := l.line.State(); s.Line != sms.LineHeld || s.Since != held {
			t.Errorf("line is %+v, want held since %s: an unanswered trial is no opening", s, held)
		}
	})
}

func TestNothingThatWasSubmittedBeforeAHoldMovesTheLineAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, accepts, healthy, nil)
		early := make([]ticket, 8)
		for i := range early {
			early[i], _ = l.line.enter()
		}
		l.line.leave(&early[0], accountVerdict(sms.AuthFailed))
		l.line.leave(&early[1], verdict{signal: answered})
		if s := l.line.State(); s.Line != sms.LineHeld || s.Reason != sms.AuthFailed {
			t.Errorf("line is %+v after a late success", s)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		for i := range early[2:] {
			l.line.leave(&early[2+i], verdict{signal: unansweredBy, reason: sms.Timeout})
		}
		if s := l.line.State(); s.Line != sms.LineOpen {
			t.Errorf("line is %+v after late failures", s)
		}
		if l.line.stands(&early[0]) {
			t.Error("a ticket from before the hold still stands")
		}
	})
}

func TestAccountCodeStopsWhatHasNotLeftYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, func(context.Context, provider.Request) (wireAnswer, *provider.Failure) {
			time.Sleep(100 * time.Millisecond)
			return wireAnswer{Code: "13"}, nil
		}, balanceOf("13", ""), nil)
		// The outcome takes long to be written; nothing may follow meanwhile.
		l.guard.release = func(context.Context) error { time.Sleep(10 * time.Second); return nil }
		for range 3 {
			l.another()
		}
		time.Sleep(50 * time.Millisecond)
		l.another()
		time.Sleep(100 * time.Millisecond) // three are answered, nothing is written yet
		for range 100 {
			l.another()
		}
		time.Sleep(time.Hour)
		if l.posts() != 4 {
			t.Errorf("%d requests, want the 4 that were under way at the first answer", l.posts())
		}
		if l.guard.open() != 0 {
			t.Errorf("%d permits kept by commands that wait", l.guard.open())
		}
	})
}

func TestAttemptsThatReopenTheLineDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := time.Now().Add(time.Hour)
		l := newLab(t, until(end, notSent, accepts), healthy, func(c *Config) { c.Retry.MaxAttempts = 6 })
		r := l.must(t, command(1))
		if r.Status != sms.Accepted || r.Submissions[0].Attempts < 20 {
			t.Errorf("got %s after %d attempts", r.Status, r.Submissions[0].Attempts)
		}
	})
}

func TestChangesOfTheLineAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, inTurn(answers("12", ""), accepts), healthy, nil)
		var seen []State
		ctx, cancel := context.WithCancel(t.Context())
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			for {
				state, changed := l.line.Watch()
				if len(seen) == 0 || seen[len(seen)-1] != state {
					seen = append(seen, state)
				}
				select {
				case <-changed.Done():
				case <-ctx.Done():
					return
				}
			}
		}()
		synctest.Wait()
		l.must(t, command(1))
		cancel()
		<-watched
		want := []State{
			{sms.LineOpen, "", l.start},
			{sms.LineHeld, sms.AccountSuspended, l.start},
			{sms.LineOpen, "", l.start.Add(time.Second)},
		}
		if fmt.Sprint(seen) != fmt.Sprint(want) {
			t.Errorf("seen %v, want %v", seen, want)
		}
	})
}

func TestManyWhoNeedTheBalanceShareOneQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, answers("2", "?"), func(context.Context) (wire.Balance, *provider.Failure) {
			time.Sleep(time.Second)
			return wire.Balance{Code: "0", Amount: "9"}, nil
		}, nil)
		if got := statuses(l.backlog(t, 64)); got[sms.Rejected] != 64 {
			t.Errorf("results %v", got)
		}
		if l.questions() != 1 {
			t.Errorf("%d questions for the balance", l.questions())
		}
	})
}

func TestHeldLineAsksLessAndLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, answers("11", ""), balanceOf("11", ""), nil)
		go func() { _, _ = l.Submit(t.Context(), t.Context(), command(1), History{}, l.guard) }()
		time.Sleep(time.Minute)
		first := l.questions()
		time.Sleep(time.Hour)
		if first != 5 || l.questions()-first != 120 {
			t.Errorf("%d questions in the first minute and %d in the next hour, want 5 and 120", first, l.questions()-first)
		}
	})
}
