package caps

import "time"

// span is what a cap counts over, and how exactly that slides.
type span struct {
	name          string
	length, grain time.Duration
}

var (
	minute = span{"minute", time.Minute, time.Second}
	day    = span{"day", 24 * time.Hour, time.Minute}
)

// window adds up what was counted in a span that ends now. What is counted stays
// for the span and up to one grain longer.
type window struct {
	span
	limit int
	sums  []int // a ring, by number of the grain
	last  int64 // number of the grain that was looked at last
	total int
}

func newWindow(limit int, of span) *window {
	return &window{span: of, limit: limit, sums: make([]int, of.length/of.grain+1)}
}

// add counts n at a time; of a time to come, now.
func (w *window) add(now, at time.Time, n int) {
	w.slide(now)
	age := max(w.number(now)-w.number(at), 0)
	if age >= int64(len(w.sums)) {
		return
	}
	w.sums[(w.last-age)%int64(len(w.sums))] += n
	w.total += n
}

// left is what may still be counted now, below zero where it was too much.
func (w *window) left(now time.Time) int {
	w.slide(now)
	return w.limit - w.total
}

// slide forgets what is too old by now. A clock that is put back lets nothing be
// forgotten sooner.
func (w *window) slide(now time.Time) {
	to := w.number(now)
	for g := max(w.last+1, to-int64(len(w.sums))+1); g <= to; g++ {
		old := &w.sums[g%int64(len(w.sums))]
		w.total -= *old
		*old = 0
	}
	w.last = max(w.last, to)
}

func (w *window) number(t time.Time) int64 { return max(t.UnixNano(), 0) / int64(w.grain) }
