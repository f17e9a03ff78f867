package intake

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"smsbridge/connector/kafkaio"
)

// source hands out its records in batches, then waits for the context.
type source struct {
	batches  [][]kafkaio.Record
	position int64
}

func (s *source) Next(ctx context.Context) ([]kafkaio.Record, error) {
	if len(s.batches) == 0 {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	b := s.batches[0]
	s.batches = s.batches[1:]
	s.position = b[len(b)-1].Offset + 1
	return b, nil
}

func (s *source) Position() int64 { return s.position }

// workFunc is work that waits for nothing.
type workFunc func(ctx context.Context) error

func (f workFunc) Do(ctx context.Context) (*Wait, error) { return nil, f(ctx) }

func (workFunc) Drop() {}

func keyed(n, keys int) []kafkaio.Record {
	records := make([]kafkaio.Record, n)
	for i := range records {
		records[i] = kafkaio.Record{Offset: int64(i), Key: []byte(strconv.Itoa(i % keys)), Value: make([]byte, 10)}
	}
	return records
}

// trial runs records through a partition and returns it with the offsets in the order in which their work began.
func trial(t *testing.T, ordering Ordering, limit int, records []kafkaio.Record, work func(kafkaio.Record) error) (*Window, []int64) {
	t.Helper()
	var mu sync.Mutex
	var begun []int64
	w := NewWindow(0, 64, 1<<20)
	p := NewPartition(Config{
		Source: &source{batches: [][]kafkaio.Record{records}}, Window: w, Pool: NewPool(limit), Ordering: ordering, Ready: 1 << 20,
		Open: func(rec kafkaio.Record) Work {
			return workFunc(func(context.Context) error {
				mu.Lock()
				begun = append(begun, rec.Offset)
				mu.Unlock()
				return work(rec)
			})
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	time.Sleep(time.Hour) // synctest: until everything that can happen has happened
	cancel()
	<-ended
	return w, begun
}

func TestRecordsOfOneKeyFollowOneAnotherAndOthersDoNotWait(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		ordering Ordering
		inOrder  func(a, b kafkaio.Record) bool
	}{
		"by key":       {ByKey, func(a, b kafkaio.Record) bool { return string(a.Key) == string(b.Key) }},
		"by partition": {ByPartition, func(kafkaio.Record, kafkaio.Record) bool { return true }},
		"unordered":    {Unordered, func(kafkaio.Record, kafkaio.Record) bool { return false }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				records := keyed(500, 7)
				var mu sync.Mutex
				active := map[int64]bool{}
				rnd := rand.New(rand.NewPCG(1, 2))
				w, begun := trial(t, c.ordering, 20, records, func(rec kafkaio.Record) error {
					mu.Lock()
					for other := range active {
						if c.inOrder(rec, records[other]) {
							t.Errorf("%d began while %d was being worked on", rec.Offset, other)
						}
					}
					active[rec.Offset] = true
					pause := time.Duration(rnd.IntN(50)) * time.Millisecond
					mu.Unlock()
					time.Sleep(pause)
					mu.Lock()
					delete(active, rec.Offset)
					mu.Unlock()
					return nil
				})
				if w.Watermark() != 500 || len(begun) != 500 {
					t.Fatalf("watermark %d, begun %d, want 500", w.Watermark(), len(begun))
				}
				for i, a := range begun {
					for _, b := range begun[i+1:] {
						if b < a && c.inOrder(records[a], records[b]) {
							t.Fatalf("%d began before %d", a, b)
						}
					}
				}
			})
		})
	}
}

func TestASlowKeyHoldsBackOnlyItselfAndAtMostOneWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		records := keyed(300, 3)
		stuck := make(chan struct{})
		defer close(stuck)
		var mu sync.Mutex
		done := 0
		w := NewWindow(0, 64, 1<<20)
		p := NewPartition(Config{
			Source: &source{batches: [][]kafkaio.Record{records}}, Window: w, Pool: NewPool(10), Ordering: ByKey, Ready: 1 << 20,
			Open: func(rec kafkaio.Record) Work {
				return workFunc(func(ctx context.Context) error {
					if string(rec.Key) == "0" {
						<-ctx.Done()
						return ctx.Err()
					}
					mu.Lock()
					done++
					mu.Unlock()
					return nil
				})
			},
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		synctest.Wait()
		mu.Lock()
		if w.Watermark() != 0 || w.Pending() != 64 || done != 42 {
			t.Errorf("watermark %d, pending %d, done %d: want 0, 64 and the 42 of other keys", w.Watermark(), w.Pending(), done)
		}
		mu.Unlock()
		cancel()
		<-ended
	})
}

func TestAWorkThatFailsIsNotCommittedAndEndsThePartition(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		undecided := errors.New("undecided")
		w := NewWindow(0, 64, 1<<20)
		var followers []int64
		p := NewPartition(Config{
			Source: &source{batches: [][]kafkaio.Record{keyed(30, 1)}}, Window: w, Pool: NewPool(4), Ordering: ByKey, Ready: 1 << 20,
			Open: func(rec kafkaio.Record) Work {
				return workFunc(func(context.Context) error {
					followers = append(followers, rec.Offset)
					if rec.Offset == 7 {
						return undecided
					}
					return nil
				})
			},
		})
		if err := p.Run(t.Context()); !errors.Is(err, undecided) {
			t.Fatalf("Run ended with %v", err)
		}
		if w.Watermark() != 7 || !slices.Equal(followers, []int64{0, 1, 2, 3, 4, 5, 6, 7}) {
			t.Fatalf("watermark %d, begun %v", w.Watermark(), followers)
		}
	})
}

func TestAPanicIsAnErrorOfItsPartitionOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := NewPartition(Config{
			Source: &source{batches: [][]kafkaio.Record{keyed(1, 1)}}, Window: NewWindow(0, 64, 1<<20), Pool: NewPool(4), Ordering: ByKey, Ready: 1 << 20,
			Open: func(kafkaio.Record) Work {
				return workFunc(func(context.Context) error { panic("bug") })
			},
		})
		if err := p.Run(t.Context()); err == nil {
			t.Fatal("a panic was taken for success")
		}
	})
}

func TestStoppingWaitsForWhatWasBegun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := NewWindow(0, 64, 1<<20)
		p := NewPartition(Config{
			Source: &source{batches: [][]kafkaio.Record{keyed(40, 40)}}, Window: w, Pool: NewPool(5), Ordering: ByKey, Ready: 1 << 20,
			Open: func(kafkaio.Record) Work {
				return workFunc(func(context.Context) error { // goes on after the stop, as an unanswered submit does
					time.Sleep(time.Minute)
					return nil
				})
			},
		})
		go func() {
			time.Sleep(90 * time.Second)
			cancel()
		}()
		_ = p.Run(ctx)
		if w.Watermark() != 10 {
			t.Fatalf("watermark %d: the five that had begun should have been finished, and no other begun", w.Watermark())
		}
	})
}
