package correlate

import (
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"smsbridge/connector/kafkaio"
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
		s.pushed("s1", "DELIVRD") // once more: the same event
		settle()
		s.want("s1 13800000000 delivered orphan", "s1 13800000000 delivered matched again")
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

func TestStateOnTheWayIsPendingAndNotTheLastWord(t *testing.T) {
	t.Parallel()
	perform(t, 2, func(s *stage) {
		s.enter("a", nil)
		s.submitted("s1", 2, nil)
		settle()
		s.pushed("s1", "ACCEPTD", "13800000001")
		s.pushed("s1", "ENROUTE", "13800000002")
		s.pushed("s1", "DELIVRD", "13800000001")
		settle()
		s.want("s1 13800000001 pending matched", "s1 13800000002 pending matched", "s1 13800000001 delivered matched")
		time.Sleep(testDeadline)
		if events := s.reports(); len(events) != 4 || events[3].Status != "no_report" || events[3].Missing != 1 {
			t.Errorf("%+v", events)
		}
	})
}

func TestStateInChineseIsPublishedAsItIs(t *testing.T) {
	t.Parallel()
	perform(t, 1, func(s *stage) {
		s.enter("a", nil)
		s.submitted("s1", 1, nil)
		settle()
		s.pushed("s1", "号码 不存在")
		settle()
		s.want("s1 13800000000 failed matched")
	})
}

func TestPushOfSeveralNumbersIsOneReportForEach(t *testing.T) {
	t.Parallel()
	perform(t, 2, func(s *stage) {
		s.enter("a", nil)
		s.submitted("s1", 3, nil)
		settle()
		s.pushed("s1", "DELIVRD", "13800000002", "13800000001", "13800000002", "13800000003")
		settle()
		s.want("s1 13800000002 delivered matched", "s1 13800000001 delivered matched", "s1 13800000003 delivered matched")
		for i, e := range s.reports() {
			if e.Exact != (i == 0) {
				t.Errorf("exact %v: the time is the first number's", e)
			}
		}
		time.Sleep(testDeadline)
		if n := len(s.reports()); n != 3 {
			t.Errorf("%d events, nobody was missing", n)
		}
	})
}

func TestWhatIsNotFinalTakesNoFinalBack(t *testing.T) {
	t.Parallel()
	perform(t, 1, func(s *stage) {
		s.enter("a", nil)
		s.submitted("s1", 1, nil)
		settle()
		s.pushed("s1", "DELIVRD")
		settle()
		s.pushed("s1", "UNKNOWN")
		s.pushed("s1", "DELIVRD") // once more
		time.Sleep(testDeadline + time.Minute)
		s.want("s1 13800000000 delivered matched", "s1 13800000000 unknown matched")
		if n := len(s.reports()); n != 3 {
			t.Errorf("%d records, want the repeat with the same id and nothing missing", n)
		}
	})
}

func TestSubmitConcludedFromAReportIsInferred(t *testing.T) {
	t.Parallel()
	perform(t, 1, func(s *stage) {
		s.enter("a", nil)
		s.submitted("s1", 1, func(sent *Sent) { sent.Inferred = true })
		settle()
		s.pushed("s1", "DELIVRD")
		settle()
		s.submitted("s1", 1, nil) // the answer was read after all
		settle()
		s.pushed("s1", "DELIVRD")
		settle()
		s.want("s1 13800000000 delivered inferred")
	})
}

func TestDeadlineOfAScheduledMessageCountsFromItsTime(t *testing.T) {
	t.Parallel()
	perform(t, 1, func(s *stage) {
		s.enter("a", nil)
		s.submitted("s1", 1, func(sent *Sent) { sent.SendAt = time.Now().Add(testDeadline) })
		time.Sleep(testDeadline + testDeadline/2)
		s.want()
		time.Sleep(testDeadline/2 + 5*time.Second)
		s.want("s1  no_report matched")
	})
}

func TestDeadlineIsToldOnceThroughRestarts(t *testing.T) {
	t.Parallel()
	for name, fs := range map[string]func() *vfs.MemFS{"with its store": nil, "with its store deleted": vfs.NewMem} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			perform(t, 1, func(s *stage) {
				disk := vfs.NewMem()
				enter := func(name string) *actor {
					if fs != nil {
						disk = fs()
					}
					return s.enter(name, func(c *Config) { c.StateDir, c.fs = "state", disk })
				}
				a := enter("a")
				s.submitted("s1", 2, nil)
				settle()
				s.pushed("s1", "DELIVRD")
				settle()
				a.stop()
				time.Sleep(testDeadline) // nobody is there
				a = enter("b")
				time.Sleep(20 * time.Second)
				a.stop()
				enter("c")
				time.Sleep(20 * time.Second)
				events := s.reports()
				if len(events) != 2 || events[1].Status != "no_report" || events[1].Missing != 1 {
					t.Errorf("%+v", events)
				}
			})
		})
	}
}

func TestNeitherNumberNorTextIsInSendids(t *testing.T) {
	t.Parallel()
	perform(t, 1, func(s *stage) {
		a := s.enter("a", nil)
		s.submitted("s1", 2, nil)
		settle()
		s.pushed("s1", "DELIVRD")
		s.pushed("s2", "DELIVRD")
		time.Sleep(testDeadline + time.Minute)
		kinds := map[string]bool{}
		for _, r := range s.records(sendidsTopic) {
			if strings.Contains(string(r.Key)+string(r.Value), "1380000") {
				t.Errorf("%s", r.Value)
			}
			f, err := decodeFact(kafkaio.Record{Key: r.Key, Value: r.Value})
			if err != nil {
				t.Fatal(err)
			}
			kinds[string(f.Kind)] = true
		}
		if len(kinds) != 7 {
			t.Errorf("only %v were written", kinds)
		}
		if strings.Contains(a.logs.String(), "1380000") {
			t.Error(a.logs)
		}
	})
}
