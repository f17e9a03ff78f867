package caps

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/metric/noop"

	"smsbridge/codec/sms"
	"smsbridge/connector/journal"
)

// group is some instances over one journal of one partition, which each of them
// reads a little later than it was written.
type group struct {
	t       *testing.T
	delay   time.Duration
	members []*Caps

	mu        sync.Mutex
	written   int
	commands  int64
	requests  []request
	told      []bool // of the first member
	conflicts int
}

// request is one that the provider was shown.
type request struct {
	member, recipients int
	at                 time.Time
}

// newGroup must be called in a bubble; the shares are what each member owns of all.
func newGroup(t *testing.T, perMinute int, owned ...int) *group {
	t.Helper()
	g := &group{t: t, delay: 30 * time.Millisecond}
	all := 0
	for _, n := range owned {
		all += n
	}
	for i, n := range owned {
		c, err := New(Config{
			PerMinute: perMinute, Group: "g", Log: slog.New(slog.DiscardHandler), Meter: noop.Meter{},
			Reached: func(reached bool) {
				if i == 0 {
					g.told = append(g.told, reached)
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		c.journal = g
		c.SetShare(n, all, 1)
		g.members = append(g.members, c)
		stop := make(chan struct{})
		t.Cleanup(func() { close(stop) })
		go func() {
			for {
				select {
				case <-time.After(tick):
					c.ticked()
				case <-stop:
					return
				}
			}
		}()
	}
	return g
}

// Partitions and Sync are those of what each member has read.
func (g *group) Partitions() int { return 1 }

func (g *group) Sync(ctx context.Context) error {
	select {
	case <-time.After(g.delay + time.Millisecond): // everything written until now was read by then
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// write has every member read an entry after the delay.
func (g *group) write(e journal.Entry) (position int64) {
	g.mu.Lock()
	position = int64(g.written)
	g.written++
	g.mu.Unlock()
	for _, c := range g.members {
		time.AfterFunc(g.delay, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.count.take(&e, 0, position, time.Now(), time.Now())
			c.nudge()
		})
	}
	return position
}

// submit brings one request of a member through its caps, as package submit does,
// and reports whether it was made before ctx ended.
func (g *group) submit(ctx context.Context, member, recipients int) bool {
	p := g.members[member].Queue(recipients)
	defer p.Leave()
	g.mu.Lock()
	offset := g.commands
	g.commands++
	g.mu.Unlock()
	for {
		for again := p.Reserve(); again != nil; again = p.Reserve() {
			select {
			case <-again.Done():
			case <-ctx.Done():
				return false
			}
		}
		at := g.write(intent(offset, recipients))
		fits, err := p.Confirm(ctx)
		if err != nil {
			return false
		}
		if fits {
			g.mu.Lock()
			g.requests = append(g.requests, request{member, recipients, time.Now()})
			g.mu.Unlock()
			time.Sleep(200 * time.Millisecond) // the provider
			g.write(finalWith(offset, at, sms.Accepted, recipients))
			return true
		}
		g.mu.Lock()
		g.conflicts++
		g.mu.Unlock()
		g.write(released(offset, at))
	}
}

// heard is what the first member told.
func (g *group) heard() []bool {
	g.members[0].mu.Lock()
	defer g.members[0].mu.Unlock()
	return slices.Clone(g.told)
}

// most is the largest number of recipients in any minute, and all of them.
func (g *group) most() (most, all int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	slices.SortFunc(g.requests, func(a, b request) int { return a.at.Compare(b.at) })
	for i, last := range g.requests {
		sum := 0
		for _, r := range g.requests[:i+1] {
			if last.at.Sub(r.at) < time.Minute {
				sum += r.recipients
			}
		}
		most, all = max(most, sum), all+last.recipients
	}
	return most, all
}

func TestAnyMinuteHoldsTheCapAndNoMoreWhoeverSubmits(t *testing.T) {
	for name, c := range map[string]struct {
		perMinute  int
		owned      []int // partitions of each member
		load       []int // requests of each member, all at once
		recipients int   // of each request
		least      int   // recipients that must go within the first ten seconds
	}{
		"one instance":                     {10, []int{12}, []int{40}, 1, 10},
		"two, both busy":                   {10, []int{6, 6}, []int{40, 40}, 1, 10},
		"two, one busy":                    {10, []int{6, 6}, []int{40, 0}, 1, 10},
		"a twelfth is busy":                {20, []int{11, 1}, []int{0, 40}, 1, 11},
		"twelve":                           {20, []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, []int{9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9}, 1, 11},
		"a cap of one":                     {1, []int{6, 6}, []int{5, 5}, 1, 1},
		"requests of more than a share":    {10, []int{6, 6}, []int{9, 9}, 6, 6},
		"requests of as much as the cap":   {10, []int{6, 6}, []int{4, 4}, 10, 10},
		"a busy one beside many idle ones": {100, []int{1, 1, 1, 1, 1, 1, 1, 1}, []int{200, 0, 0, 0, 0, 0, 0, 0}, 1, 51},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGroup(t, c.perMinute, c.owned...)
				ctx, cancel := context.WithCancel(t.Context())
				var all sync.WaitGroup
				for member, n := range c.load {
					for range n {
						all.Go(func() { g.submit(ctx, member, c.recipients) })
					}
				}
				time.Sleep(10 * time.Second)
				if _, sent := g.most(); sent < c.least {
					t.Errorf("%d went in ten seconds, want %d", sent, c.least)
				}
				time.Sleep(4 * time.Minute)
				most, sent := g.most()
				if most > c.perMinute {
					t.Errorf("%d in one minute, the cap is %d", most, c.perMinute)
				}
				if least := 3 * c.perMinute / 2; sent < least {
					t.Errorf("%d went in four minutes, want %d", sent, least)
				}
				t.Logf("%d sent, %d gave way to others", sent, g.conflicts)
				cancel()
				all.Wait()
			})
		})
	}
}

func TestThoseWhoWaitGoInTheOrderOfTheirArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, 10, 1)
		g.submit(t.Context(), 0, 8)
		var all sync.WaitGroup
		for _, n := range []int{10, 1, 2} { // the large one first, though the small ones would fit
			all.Go(func() { g.submit(t.Context(), 0, n) })
			synctest.Wait()
		}
		all.Wait()
		var order []int
		for _, r := range g.requests {
			order = append(order, r.recipients)
		}
		if !slices.Equal(order, []int{8, 10, 1, 2}) {
			t.Errorf("went in the order %v", order)
		}
	})
}

func TestWhoLeavesFreesTheWayForThoseBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, 10, 1)
		g.submit(t.Context(), 0, 8)
		ctx, cancel := context.WithCancel(t.Context())
		go g.submit(ctx, 0, 10)
		synctest.Wait()
		gone := make(chan bool)
		go func() { gone <- g.submit(t.Context(), 0, 2) }()
		synctest.Wait()
		start := time.Now()
		cancel()
		if <-gone; time.Since(start) > time.Second {
			t.Errorf("took %s", time.Since(start))
		}
	})
}

func TestARequestThatNeverFitsHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, 10, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		too := make(chan bool)
		go func() { too <- g.submit(ctx, 0, 11) }()
		synctest.Wait()
		start := time.Now()
		if g.submit(t.Context(), 0, 10); time.Since(start) > time.Second {
			t.Errorf("took %s", time.Since(start))
		}
		if <-too {
			t.Error("more than the cap went at once")
		}
	})
}

func TestTheCapIsToldOnceAndWhenNobodyWaitsAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, 5, 1)
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() { g.submit(t.Context(), 0, 1) })
		}
		all.Wait()
		time.Sleep(2 * time.Second)
		if len(g.heard()) != 0 {
			t.Fatalf("told %v before anybody waited", g.heard())
		}
		for range 12 {
			all.Go(func() { g.submit(t.Context(), 0, 1) })
		}
		time.Sleep(2 * time.Second)
		if !slices.Equal(g.heard(), []bool{true}) {
			t.Fatalf("told %v while commands wait", g.heard())
		}
		all.Wait()
		time.Sleep(2 * lull)
		if !slices.Equal(g.heard(), []bool{true, false}) {
			t.Errorf("told %v", g.heard())
		}
	})
}

func TestNothingGoesBeforeTheJournalIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, 5, 1)
		c := g.members[0]
		view := c.journal
		c.journal = nil
		start := time.Now()
		time.AfterFunc(time.Hour, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.journal = view
		})
		if g.submit(t.Context(), 0, 1); time.Since(start) < time.Hour {
			t.Errorf("went after %s", time.Since(start))
		}
		start = time.Now()
		c.SetShare(1, 1, 2) // a partition was added of which nothing is read yet
		time.AfterFunc(time.Hour, func() { c.SetShare(1, 1, 1) })
		if g.submit(t.Context(), 0, 1); time.Since(start) < time.Hour {
			t.Errorf("went after %s", time.Since(start))
		}
	})
}

func TestManyShareOneLookAtTheJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, 100, 1)
		looks := 0
		c := g.members[0]
		c.journal = counting{g, &looks}
		start := time.Now()
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { g.submit(t.Context(), 0, 1) })
		}
		all.Wait()
		if looks > 3 || time.Since(start) > time.Second {
			t.Errorf("%d looks in %s for 50 requests at once", looks, time.Since(start))
		}
	})
}

type counting struct {
	*group
	looks *int
}

func (c counting) Sync(ctx context.Context) error {
	*c.looks++
	return c.group.Sync(ctx)
}
