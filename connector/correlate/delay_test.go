package correlate

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestDelaysAreThoseOfReportsWithACommand(t *testing.T) {
	t.Parallel()
	perform(t, 1, func(s *stage) {
		a := s.enter("a", nil)
		s.pushed("late", "DELIVRD")
		s.pushed("foreign", "DELIVRD") // an orphan: nobody waits for it
		s.submitted("known", 1, nil)
		s.submitted("scheduled", 1, func(sent *Sent) { sent.SendAt = time.Now().Add(20 * time.Second) })
		time.Sleep(25 * time.Second)
		s.submitted("late", 1, nil)
		settle()
		s.pushed("known", "UNKNOWN") // not final
		s.pushed("known", "DELIVRD")
		s.pushed("scheduled", "DELIVRD")
		settle()
		s.pushed("known", "DELIVRD") // once more
		time.Sleep(testOrphanAfter)
		s.want("late 13800000000 delivered matched", "known 13800000000 unknown matched", "known 13800000000 delivered matched",
			"scheduled 13800000000 delivered matched", "foreign 13800000000 delivered orphan")
		got := a.Status()
		if d := got.Published; d.Reports != 5 || d.P50 > time.Second {
			t.Errorf("from push to topic: %+v, want five, of which one waited", d)
		}
		if d := got.Final; d.Reports != 3 || d.P50.Round(time.Second) != 10*time.Second || d.P99.Round(time.Second) != 30*time.Second {
			t.Errorf("from submit to final report: %+v, want 0 s, 10 s and 30 s", d)
		}
		time.Sleep(freshFor)
		if got := a.Status(); got.Published != (Delay{}) || got.Final != (Delay{}) {
			t.Errorf("still told after five minutes: %+v", got)
		}
	})
}

func TestDelaysAreOfTheLatest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d delays
		add := func(n int, took time.Duration) {
			for range n {
				d.add([]time.Duration{took})
			}
		}
		add(5000, time.Hour)
		add(1000, time.Millisecond)
		add(24, time.Minute)
		if got, want := d.told(), (Delay{Reports: 1024, P50: time.Millisecond, P99: time.Minute}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		time.Sleep(freshFor)
		add(1, time.Second)
		if got, want := d.told(), (Delay{Reports: 1, P50: time.Second, P99: time.Second}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}
