package correlate

import (
	"testing"
	"time"
)

func TestReportOfAKnownSubmitFindsItsCommand(t *testing.T) {
	t.Parallel()
	perform(t, 3, func(s *stage) {
		s.enter("a", nil)
		s.submitted("s1", 1, nil)
		settle()
		s.pushed("s1", "DELIVRD")
		settle()
		s.want("s1 13800000000 delivered matched")
		if e := s.reports()[0]; e.CommandID != "command-s1" || !e.Final || !e.Exact {
			t.Errorf("%+v", e)
		}
	})
}

func TestReportThatOvertakesItsSubmitIsMatched(t *testing.T) {
	t.Parallel()
	perform(t, 3, func(s *stage) {
		a := s.enter("a", nil)
		s.pushed("s1", "DELIVRD")
		time.Sleep(30 * time.Second)
		s.want()
		if parked := sum(a, func(p PartitionStatus) int64 { return p.Parked }); parked != 1 {
			t.Errorf("%d parked", parked)
		}
		s.submitted("s1", 1, nil)
		known := time.Now()
		settle()
		s.want("s1 13800000000 delivered matched")
		if late := s.reports()[0].at.Sub(known); late > 100*time.Millisecond {
			t.Errorf("published %v after its sendid", late)
		}
		if parked := sum(a, func(p PartitionStatus) int64 { return p.Parked }); parked != 0 {
			t.Errorf("%d parked", parked)
		}
	})
}

func sum(a *actor, of func(PartitionStatus) int64) (n int64) {
	for _, p := range a.Status().Partitions {
		n += of(p)
	}
	return n
}

func TestOrphanIsToldOnceAndMatchedWhenItsSubmitComesAfterAll(t *testing.T) {
	t.Parallel()
	perform(t, 1, func(s *stage) {
		s.enter("a", nil)
		settle()
		s.pushed("s1", "DELIVRD")
		time.Sleep(testOrphanAfter - 5*time.Second)
		s.want()
		time.Sleep(10 * time.Second)
		s.want("s1 13800000000 delivered orphan")
		time.Sleep(testOrphanAfter)
		s.submitted("s1", 1, nil)
		settle()
		s.want("s1 13800000000 delivered orphan", "s1 13800000000 delivered matched again")
		events := s.reports()
		if len(events) != 2 || events[0].ReportID != events[1].ReportID {
			t.Errorf("%+v", events)
		}
	})
}

func TestDeadlineTellsOnceHowManyHaveNoReport(t *testing.T) {
	t.Parallel()
	perform(t, 2, func(s *stage) {
		s.enter("a", nil)
		s.submitted("s1", 3, nil)
		s.submitted("s2", 1, nil)
		settle()
		s.pushed("s1", "DELIVRD", "13800000001")
		s.pushed("s1", "UNKNOWN", "13800000002") // not final
		s.pushed("s2", "UNDELIV")
		time.Sleep(testDeadline - 10*time.Second)
		if n := len(s.reports()); n != 3 {
			t.Errorf("%d events before the deadline", n)
		}
		time.Sleep(20 * time.Second)
		events := s.reports()
		if len(events) != 4 || events[3].Status != "no_report" || events[3].Missing != 2 || events[3].SendID != "s1" || events[3].To != "" {
			t.Fatalf("%+v", events)
		}
		// A late one still finds its command.
		s.pushed("s1", "DELIVRD", "13800000002")
		time.Sleep(testDeadline / 2)
		events = s.reports()
		if len(events) != 5 || events[4].Correlation != "matched" {
			t.Errorf("%+v", events)
		}
	})
}
