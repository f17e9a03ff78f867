package intake

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"smsbridge/connector/kafkaio"
)

// patient is work that waits before it is done.
type patient struct {
	wait    *Wait // before the second Do; nil: none
	done    func()
	dropped func()
	asked   int
}

func (w *patient) Do(context.Context) (*Wait, error) {
	if w.asked++; w.asked == 1 && w.wait != nil {
		return w.wait, nil
	}
	w.done()
	return nil, nil
}

func (w *patient) Drop() { w.dropped() }

// bell calls whoever waits for it when it rings.
type bell struct {
	mu      sync.Mutex
	rung    bool
	waiting map[int]func()
	next    int
}

func (b *bell) notify(wake func()) (cancel func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung {
		go wake()
		return func() {}
	}
	if b.waiting == nil {
		b.waiting = make(map[int]func())
	}
	id := b.next
	b.next++
	b.waiting[id] = wake
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.waiting, id)
	}
}

func (b *bell) ring() {
	b.mu.Lock()
	waiting := b.waiting
	b.rung, b.waiting = true, nil
	b.mu.Unlock()
	for _, wake := range waiting {
		wake()
	}
}

func (b *bell) listeners() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiting)
}

// park runs records of which wait says what they wait for, and returns the
// offsets in the order in which they were done.
type parked struct {
	window  *Window
	pool    *Pool
	mu      sync.Mutex
	done    []int64
	dropped atomic.Int64
}

func (s *parked) order() []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.done)
}

func startParked(ctx context.Context, limit int, records []kafkaio.Record, wait func(kafkaio.Record) *Wait) (s *parked, ended chan error) {
	s = &parked{window: NewWindow(0, 1<<16, 1<<30), pool: NewPool(limit)}
	p := NewPartition(Config{
		Source: &source{batches: [][]kafkaio.Record{records}}, Window: s.window, Pool: s.pool, Ordering: ByKey, Ready: 1 << 20,
		Open: func(rec kafkaio.Record) Work {
			return &patient{
				wait: wait(rec),
				done: func() {
					s.mu.Lock()
					defer s.mu.Unlock()
					s.done = append(s.done, rec.Offset)
				},
				dropped: func() { s.dropped.Add(1) },
			}
		},
	})
	ended = make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	return s, ended
}

func TestWhatWaitsHoldsNoPlaceAndNobodyButItsOwnKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		open := &bell{}
		// Keys 0 to 4 wait, 5 to 9 do not; more wait than the pool has places.
		s, ended := startParked(ctx, 2, keyed(1000, 10), func(rec kafkaio.Record) *Wait {
			if rec.Key[0] < '5' {
				return &Wait{Until: time.Now().Add(24 * time.Hour), On: []func(func()) func(){open.notify}, For: "paused"}
			}
			return nil
		})
		synctest.Wait()
		if n := len(s.order()); n != 500 || s.pool.Running() != 0 {
			t.Errorf("%d done, %d running: want the 500 of the other keys, and nothing held", n, s.pool.Running())
		}
		if w := s.pool.Waiting(); !maps.Equal(w, map[string]int{"paused": 5}) {
			t.Errorf("waiting %v, want the first of each key", w)
		}
		open.ring()
		synctest.Wait()
		done := s.order()
		if len(done) != 1000 || s.window.Watermark() != 1000 || len(s.pool.Waiting()) != 0 {
			t.Fatalf("%d done, watermark %d, waiting %v", len(done), s.window.Watermark(), s.pool.Waiting())
		}
		for i, a := range done {
			for _, b := range done[i+1:] {
				if b < a && a%10 == b%10 {
					t.Fatalf("%d was done before %d of the same key", a, b)
				}
			}
		}
		cancel()
		<-ended
	})
}

func TestAWaitEndsByItsTimeOrByTheFirstOfItsEventsAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		until, rings time.Duration // of the first bell; 0: never
		want         time.Duration
	}{
		"by its time":                  {time.Minute, 0, time.Minute},
		"by an event":                  {time.Hour, time.Second, time.Second},
		"by an event of before":        {time.Hour, -1, 0},
		"by both at once":              {time.Minute, time.Minute, time.Minute},
		"by a time that is over":       {-time.Minute, 0, 0},
		"by a time over and an event ": {-time.Minute, -1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				first, second := &bell{}, &bell{}
				if tc.rings < 0 {
					first.ring()
				} else if tc.rings > 0 {
					time.AfterFunc(tc.rings, first.ring)
				}
				start := time.Now()
				s, ended := startParked(ctx, 1, keyed(1, 1), func(kafkaio.Record) *Wait {
					return &Wait{Until: start.Add(tc.until), On: []func(func()) func(){first.notify, second.notify}, For: "backoff"}
				})
				for s.window.Watermark() == 0 {
					time.Sleep(time.Millisecond)
				}
				if took := time.Since(start); took < tc.want || took > tc.want+2*time.Millisecond {
					t.Errorf("done after %v, want %v", took, tc.want)
				}
				if first.listeners()+second.listeners() != 0 || len(s.pool.Waiting()) != 0 {
					t.Errorf("%d and %d still listen, waiting %v", first.listeners(), second.listeners(), s.pool.Waiting())
				}
				cancel()
				<-ended
			})
		})
	}
}

func TestAStopDropsWhatWaitsAndForgetsIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		never := &bell{}
		s, ended := startParked(ctx, 4, keyed(100, 100), func(kafkaio.Record) *Wait {
			return &Wait{Until: time.Now().Add(time.Hour), On: []func(func()) func(){never.notify}, For: "paused"}
		})
		synctest.Wait()
		start := time.Now()
		cancel()
		<-ended
		if time.Since(start) != 0 || s.dropped.Load() != 100 || never.listeners() != 0 || len(s.pool.Waiting()) != 0 || s.window.Watermark() != 0 {
			t.Errorf("after %v: %d dropped, %d listen, waiting %v, watermark %d",
				time.Since(start), s.dropped.Load(), never.listeners(), s.pool.Waiting(), s.window.Watermark())
		}
		never.ring() // too late
		synctest.Wait()
		if len(s.order()) != 0 {
			t.Error("something was done after the stop")
		}
	})
}
