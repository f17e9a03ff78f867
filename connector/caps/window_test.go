package caps

import (
	"testing"
	"time"
)

func TestWindowNeverForgetsTooSoonAndSoonEnough(t *testing.T) {
	t.Parallel()
	for _, of := range []span{minute, day} {
		t.Run(of.name, func(t *testing.T) {
			t.Parallel()
			for shift := time.Duration(0); shift < 2*of.grain; shift += of.grain / 7 { // wherever in a grain it begins
				w := newWindow(10, of)
				at := time.Unix(1_800_000_000, 0).Add(shift)
				w.add(at, at, 10)
				if left := w.left(at.Add(of.length)); left != 0 {
					t.Errorf("shift %s: %d left when the span is just over", shift, left)
				}
				if left := w.left(at.Add(of.length + of.grain)); left != 10 {
					t.Errorf("shift %s: %d left a grain later", shift, left)
				}
			}
		})
	}
}

func TestWindowSlidesOverTheBordersOfTheCalendar(t *testing.T) {
	t.Parallel()
	w := newWindow(10, minute)
	border := time.Unix(1_800_000_000, 0).Truncate(time.Minute)
	w.add(border.Add(-time.Second), border.Add(-time.Second), 10)
	if left := w.left(border.Add(time.Second)); left != 0 {
		t.Errorf("%d left behind a border of the calendar's minutes", left)
	}
}

func TestWindowOfAClockThatIsPutBackForgetsNothing(t *testing.T) {
	t.Parallel()
	w := newWindow(10, minute)
	now := time.Unix(1_800_000_000, 0)
	w.add(now, now, 4)
	w.add(now.Add(-time.Hour), now.Add(-time.Hour), 3)
	if left := w.left(now.Add(-time.Hour)); left != 3 {
		t.Errorf("%d left, want 3", left)
	}
	if left := w.left(now.Add(2 * time.Minute)); left != 10 {
		t.Errorf("%d left when all is over", left)
	}
}

func TestWindowTakesThePastAtItsTimeAndTheFutureAsNow(t *testing.T) {
	t.Parallel()
	w := newWindow(10, minute)
	now := time.Unix(1_800_000_000, 0)
	w.add(now, now.Add(-50*time.Second), 1)
	w.add(now, now.Add(-90*time.Second), 2) // long over
	w.add(now, now.Add(time.Hour), 4)       // by a clock that runs ahead
	if left := w.left(now); left != 5 {
		t.Errorf("%d left, want 5", left)
	}
	if left := w.left(now.Add(12 * time.Second)); left != 6 {
		t.Errorf("%d left, want 6", left)
	}
	if left := w.left(now.Add(62 * time.Second)); left != 10 {
		t.Errorf("%d left, want 10", left)
	}
}
