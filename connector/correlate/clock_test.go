package correlate

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"smsbridge/connector/kafkaio"
)

// unreadable has the broker refuse every fetch from a topic, and tell where it
// ends all the same.
func (s *stage) unreadable(topic string) (mend func()) {
	fault := s.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: topic, Err: kerr.NotLeaderForPartition, Count: -1})
	settle() // no fetch from before is under way
	return fault.Remove
}

func TestReportsThatCannotBeReadYetAreNotMissing(t *testing.T) {
	t.Parallel()
	for name, fromTheStart := range map[string]bool{"by one who has just come": true, "by one who has read others": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			perform(t, 1, func(s *stage) {
				a := s.enter("a", nil)
				s.submitted("s1", 1, nil)
				settle()
				if fromTheStart {
					a.stop()
				}
				mend := s.unreadable(pushesTopic)
				s.pushed("s1", "DELIVRD")
				if fromTheStart {
					s.enter("b", nil)
				}
				time.Sleep(testDeadline + time.Minute)
				mend()
				time.Sleep(time.Minute)
				s.want("s1 13800000000 delivered matched")
			})
		})
	}
}

// TestReportsFindTheirCommandHoweverLateTheyAreRead has a report wait in the topic
// until the life of its command is over.
func TestReportsFindTheirCommandHoweverLateTheyAreRead(t *testing.T) {
	t.Parallel()
	perform(t, 1, func(s *stage) {
		s.enter("a", nil)
		s.submitted("s1", 1, nil)
		settle()
		s.pushed("s1", "DELIVRD")
		settle()
		mend := s.unreadable(pushesTopic)
		s.pushed("s1", "UNDELIV")
		time.Sleep(lives*testDeadline + time.Minute)
		mend()
		settle()
		s.want("s1 13800000000 delivered matched", "s1 13800000000 undelivered matched")
	})
}

func TestNothingIsDecidedWhileSendidsAreUnread(t *testing.T) {
	t.Parallel()
	perform(t, 1, func(s *stage) {
		var mu sync.Mutex
		var asked []string
		s.enter("a", func(c *Config) {
			c.Evidence = func(_ context.Context, u Unclaimed) (bool, error) {
				mu.Lock()
				defer mu.Unlock()
				asked = append(asked, u.SendID)
				return false, nil
			}
		})
		s.pushed("s1", "DELIVRD")
		settle()
		mend := s.unreadable(sendidsTopic)
		s.submitted("s1", 1, nil)
		time.Sleep(testOrphanAfter + time.Minute)
		mend()
		time.Sleep(time.Minute)
		s.want("s1 13800000000 delivered matched")
		if decided := s.facts(kindOrphan); decided != 0 {
			t.Errorf("%d orphans decided", decided)
		}
		mu.Lock()
		defer mu.Unlock()
		if len(asked) > 0 {
			t.Errorf("asked about %v, whose submit is known", asked)
		}
	})
}

func TestDecisionThatIsNotReadBackIsNotTakenAgain(t *testing.T) {
	t.Parallel()
	perform(t, 1, func(s *stage) {
		s.enter("a", nil)
		s.pushed("s1", "DELIVRD")
		settle()
		mend := s.unreadable(sendidsTopic)
		time.Sleep(testOrphanAfter + time.Minute)
		s.want()
		mend()
		settle()
		s.want("s1 13800000000 delivered orphan")
		if decided := s.facts(kindOrphan); decided != 1 {
			t.Errorf("decided %d times", decided)
		}
	})
}

// facts counts the records of a kind.
func (s *stage) facts(what kind) (n int) {
	s.t.Helper()
	for _, r := range s.records(sendidsTopic) {
		f, err := decodeFact(kafkaio.Record{Key: r.Key, Value: r.Value})
		if err != nil {
			s.t.Fatal(err)
		}
		if f.Kind == what {
			n++
		}
	}
	return n
}

// TestSubmitThatIsToldAgainAfterItsLifeIsNotMissed: a take-over after a very long
// outage writes its sent once more, when nobody knows any longer that its reports
// came.
func TestSubmitThatIsToldAgainAfterItsLifeIsNotMissed(t *testing.T) {
	t.Parallel()
	perform(t, 1, func(s *stage) {
		s.enter("a", nil)
		submit := time.Now()
		again := func() {
			s.submitted("s1", 1, func(sent *Sent) { sent.Origin.SubmittedAt = submit })
		}
		again()
		settle()
		s.pushed("s1", "DELIVRD")
		time.Sleep(lives*testDeadline + time.Minute)
		again()
		time.Sleep(testDeadline - time.Minute)
		s.pushed("s1", "UNDELIV")
		time.Sleep(lives * testDeadline)
		s.want("s1 13800000000 delivered matched", "s1 13800000000 undelivered matched")
		s.pushed("s1", "DELIVRD") // it is forgotten in the end
		time.Sleep(2 * testOrphanAfter)
		if got := told(s.reports()); !slices.ContainsFunc(got, func(e string) bool { return strings.HasSuffix(e, "orphan") }) {
			t.Errorf("%v", got)
		}
	})
}
