package intake

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestWatermarkNeverPassesAnUnfinishedRecord(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		w := NewWindow(5, 1<<20, 1<<30)
		next := int64(5)
		open := map[uint64]int64{}
		last := w.Watermark()
		for range 400 {
			switch {
			case rnd.IntN(2) == 0:
				next += int64(rnd.IntN(3)) // a gap, sometimes
				open[w.Add(next, 10, time.Time{})] = next
				next++
			case rnd.IntN(10) == 0:
				next += int64(rnd.IntN(4))
				w.Advance(next)
			default:
				for seq := range open { // map order: any of them
					delete(open, seq)
					w.Finish(seq)
					break
				}
			}
			mark := w.Watermark()
			if mark < last {
				t.Fatalf("seed %d: the watermark went back from %d to %d", seed, last, mark)
			}
			last = mark
			for _, offset := range open {
				if offset < mark {
					t.Fatalf("seed %d: watermark %d is above the unfinished %d", seed, mark, offset)
				}
			}
			if len(open) == 0 && w.Pending() == 0 && mark != next {
				t.Fatalf("seed %d: everything below %d is finished, watermark is %d", seed, next, mark)
			}
		}
	}
}

func TestWindowIsFullByRecordsOrBytesButPassesALoneGiant(t *testing.T) {
	t.Parallel()
	w := NewWindow(0, 2, 100+2*waitingCost)
	if w.full(1 << 20) {
		t.Fatal("a lone record must pass however large it is")
	}
	a := w.Add(0, 60, time.Time{})
	if w.full(40) {
		t.Fatal("100 bytes of two records fit")
	}
	if !w.full(41) {
		t.Fatal("101 bytes do not fit")
	}
	b := w.Add(1, 10, time.Time{})
	if !w.full(0) {
		t.Fatal("two records are the limit")
	}
	w.Finish(b)
	if !w.full(0) {
		t.Fatal("a finished record behind an unfinished one still takes its place")
	}
	w.Finish(a)
	if w.full(0) || w.Watermark() != 2 {
		t.Fatalf("the window is empty, watermark %d", w.Watermark())
	}
}

func TestWhatIsFinishedCostsNextToNothingBehindWhatWaits(t *testing.T) {
	t.Parallel()
	w := NewWindow(0, 1<<16, 1<<20)
	w.Add(0, 300, time.Time{})
	for i := range int64(10_000) {
		if w.full(300) {
			t.Fatalf("full after %d finished records", i)
		}
		w.Finish(w.Add(i+1, 300, time.Time{}))
	}
	if w.Watermark() != 0 {
		t.Errorf("watermark %d passed the record that waits", w.Watermark())
	}
}

func TestOldestIsTheRecordThatHoldsTheWatermark(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	w := NewWindow(0, 10, 1000)
	if got := w.Oldest(); !got.IsZero() {
		t.Errorf("an empty window has the oldest of %v", got)
	}
	first := w.Add(0, 1, start)
	second := w.Add(1, 1, start.Add(time.Second))
	w.Finish(second)
	if got := w.Oldest(); !got.Equal(start) {
		t.Errorf("oldest is of %v while the first is unfinished", got)
	}
	w.Finish(first)
	if got := w.Oldest(); !got.IsZero() {
		t.Errorf("oldest is of %v though all is finished", got)
	}
}
