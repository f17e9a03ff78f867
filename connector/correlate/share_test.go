package correlate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kadm"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"smsbridge/connector/kafkaio"
)

// owned lists the partitions that correlators have.
func owned(actors ...*actor) (lists []string, all []int) {
	for _, a := range actors {
		var own []int
		for _, p := range a.Status().Partitions {
			own = append(own, p.Partition)
		}
		lists, all = append(lists, fmt.Sprint(own)), append(all, own...)
	}
	slices.Sort(all)
	return lists, all
}

func TestInstancesShareThePartitionsAndHandThemOver(t *testing.T) {
	t.Parallel()
	perform(t, 4, func(s *stage) {
		a := s.enter("a", nil)
		time.Sleep(2 * testSession)
		push := func(round int) {
			for i := range 20 {
				sendid := fmt.Sprintf("%d-%02d", round, i)
				s.submitted(sendid, 1, nil)
				s.pushed(sendid, "DELIVRD")
				s.pushed("early-"+sendid, "DELIVRD")
			}
		}
		push(1)
		b := s.enter("b", nil)
		push(2)
		time.Sleep(2 * testSession)
		if lists, all := owned(a, b); !slices.Equal(all, []int{0, 1, 2, 3}) || len(lists[0]) != len(lists[1]) {
			t.Errorf("shared as %v", lists)
		}
		push(3)
		a.stop()
		push(4)
		time.Sleep(2 * testSession)
		if _, all := owned(b); !slices.Equal(all, []int{0, 1, 2, 3}) {
			t.Errorf("left with %v", all)
		}
		for round := 1; round < 5; round++ {
			for i := range 20 {
				s.submitted(fmt.Sprintf("early-%d-%02d", round, i), 1, nil)
			}
		}
		settle()
		matched := map[string]int{}
		for _, e := range s.reports() {
			matched[e.SendID+" "+e.Correlation]++
		}
		if len(matched) != 160 {
			t.Errorf("%d of 160 reports: %v", len(matched), matched)
		}
		for name := range matched {
			if !strings.HasSuffix(name, " matched") {
				t.Errorf("%s", name)
			}
		}
	})
}

// TestCorrelatorThatWakesUpLateChangesNothing freezes one with a parked report in
// hand until its successor has told everything.
func TestCorrelatorThatWakesUpLateChangesNothing(t *testing.T) {
	t.Parallel()
	perform(t, 1, func(s *stage) {
		a := s.enter("a", nil)
		s.pushed("s1", "DELIVRD") // becomes an orphan while a is frozen
		s.submitted("s2", 1, nil)
		settle()
		thaw, _ := a.link.Freeze()
		s.enter("b", nil)
		time.Sleep(testOrphanAfter + 2*testSession)
		s.submitted("s1", 1, nil)
		s.pushed("s2", "DELIVRD")
		settle()
		thaw()
		time.Sleep(testDeadline + testOrphanAfter)
		s.want("s1 13800000000 delivered orphan", "s1 13800000000 delivered matched again", "s2 13800000000 delivered matched")
	})
}

// TestStoreIsUsedOnlyForItsOwnTopic looks where the reading of sendids begins.
func TestStoreIsUsedOnlyForItsOwnTopic(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*stage, **vfs.MemFS, *Config)
		whole  bool
	}{
		"same topic":     {func(*stage, **vfs.MemFS, *Config) {}, false},
		"folder deleted": {func(_ *stage, fs **vfs.MemFS, _ *Config) { *fs = vfs.NewMem() }, true},
		"other rules":    {func(_ *stage, _ **vfs.MemFS, c *Config) { c.ReportDeadline = 2 * testDeadline }, true},
		"not readable": {func(_ *stage, fs **vfs.MemFS, _ *Config) {
			for _, name := range must((*fs).List("state/sendids-0")) {
				if name != "LOCK" {
					f := must((*fs).Create("state/sendids-0/"+name, vfs.WriteCategoryUnspecified))
					_ = must(f.Write([]byte("torn")))
					_ = f.Close()
				}
			}
		}, true},
		"topic made anew": {func(s *stage, _ **vfs.MemFS, _ *Config) {
			admin := kadm.NewClient(s.client)
			must(admin.DeleteTopics(s.t.Context(), sendidsTopic))
			must(admin.CreateTopic(s.t.Context(), 1, 1, nil, sendidsTopic))
			time.Sleep(time.Minute) // until nobody takes the old one for it
			for i := range 60 {
				s.submitted(fmt.Sprint("other", i), 1, nil)
			}
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			perform(t, 1, func(s *stage) {
				fs := vfs.NewMem()
				a := s.enter("a", func(c *Config) { c.StateDir, c.fs = "state", fs })
				for i := range 50 {
					s.submitted(fmt.Sprint("s", i), 1, nil)
				}
				settle()
				a.stop()
				var cfg Config
				tc.change(s, &fs, &cfg)
				b := s.enter("b", func(c *Config) {
					c.StateDir, c.fs = "state", fs
					if cfg.ReportDeadline > 0 {
						c.ReportDeadline = cfg.ReportDeadline
					}
				})
				s.pushed("s7", "DELIVRD")
				settle()
				if whole := strings.Contains(b.logs.String(), "from=0 "); whole != tc.whole {
					t.Errorf("read whole: %v\n%s", whole, b.logs)
				}
				if name != "topic made anew" {
					s.want("s7 13800000000 delivered matched")
				}
			})
		})
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestPartitionsThatDoNotFitTogetherHaltEverything(t *testing.T) {
	t.Parallel()
	for name, topics := range map[string][]string{
		"one topic has more":   {sendidsTopic},
		"both were added to":   {sendidsTopic, pushesTopic},
		"pushes were added to": {pushesTopic},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			perform(t, 2, func(s *stage) {
				a := s.enter("a", nil)
				settle()
				must(kadm.NewClient(s.client).CreatePartitions(s.t.Context(), 1, topics...))
				a.stop()
				b := s.enter("b", nil)
				s.submitted("s1", 1, nil)
				s.pushed("s1", "DELIVRD")
				time.Sleep(testOrphanAfter * 2)
				s.want()
				if status := b.Status(); status.Halted == "" || !strings.Contains(b.logs.String(), "partitions do not fit together") {
					t.Errorf("%+v\n%s", status, b.logs)
				}
			})
		})
	}
}

func TestPartitionWithARecordOfANewerProgramStandsStillAlone(t *testing.T) {
	t.Parallel()
	perform(t, 2, func(s *stage) {
		reader := sdkmetric.NewManualReader()
		a := s.enter("a", func(c *Config) { c.Meter = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)).Meter("") })
		settle()
		if n := gauge(t, reader, "smsbridge.correlate.halted"); n != 0 {
			t.Errorf("%d of halts while all is well", n)
		}
		s.write(kafkaio.Message{Topic: sendidsTopic, Partition: 0, Key: []byte("x"), Value: []byte(`{"v":2,"kind":"sent"}`)})
		settle()
		if n := gauge(t, reader, "smsbridge.correlate.halted"); n != 1 {
			t.Errorf("%d is told to whom an alert would call", n)
		}
		var halted, at []int
		for _, p := range a.Status().Partitions {
			if p.Halted != "" {
				halted = append(halted, p.Partition)
			}
			at = append(at, p.Partition)
		}
		if !slices.Equal(halted, []int{0}) || len(at) != 2 {
			t.Errorf("halted %v of %v", halted, at)
		}
	})
}

// gauge reads an instrument without labels.
func gauge(t *testing.T, reader *sdkmetric.ManualReader, name string) int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name == name {
				return m.Data.(metricdata.Gauge[int64]).DataPoints[0].Value
			}
		}
	}
	t.Fatalf("no instrument %s", name)
	return 0
}

func TestRecordThatIsNoPushGoesToTheDeadLetters(t *testing.T) {
	t.Parallel()
	perform(t, 1, func(s *stage) {
		s.enter("a", nil)
		s.write(kafkaio.Message{Topic: pushesTopic, Partition: 0, Key: []byte("x"), Value: []byte(`hello 13800000000`)})
		s.write(kafkaio.Message{Topic: sendidsTopic, Partition: 0, Key: []byte("x"), Value: []byte(`hello`)})
		s.submitted("s1", 1, nil)
		s.pushed("s1", "DELIVRD")
		settle()
		s.want("s1 13800000000 delivered matched")
		dead := s.records(deadTopic)
		if len(dead) != 1 || strings.Contains(string(dead[0].Headers[0].Value), "1380") {
			t.Errorf("%v", dead)
		}
	})
}

func TestParkedPushThatIsGoneIsToldAndHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	perform(t, 1, func(s *stage) {
		a := s.enter("a", nil)
		s.pushed("s1", "DELIVRD")
		settle()
		gone := kadm.Offsets{}
		gone.AddOffset(pushesTopic, 0, 1, -1)
		must(kadm.NewClient(s.client).DeleteRecords(s.t.Context(), gone))
		s.submitted("s1", 1, nil)
		s.submitted("s2", 1, nil)
		s.pushed("s2", "DELIVRD")
		settle()
		s.want("s2 13800000000 delivered matched")
		if n := strings.Count(a.logs.String(), "is gone from its topic"); n != 1 {
			t.Errorf("told %d times\n%s", n, a.logs)
		}
		if a.Status().Partitions[0].Parked != 0 {
			t.Error("still parked")
		}
	})
}

func TestOrphanIsHeldBackOnceWhileThereIsEvidence(t *testing.T) {
	t.Parallel()
	perform(t, 1, func(s *stage) {
		var mu sync.Mutex
		asked := map[string]int{}
		a := s.enter("a", func(c *Config) {
			c.Evidence = func(_ context.Context, u Unclaimed) (bool, error) {
				mu.Lock()
				defer mu.Unlock()
				asked[u.SendID+" "+strings.Join(u.Mobiles, " ")]++
				return u.SendID == "s1", nil
			}
		})
		s.pushed("s1", "DELIVRD", "13800000001", "13800000002")
		s.pushed("s2", "DELIVRD")
		time.Sleep(testOrphanAfter + 2*time.Second)
		s.want("s2 13800000000 delivered orphan")
		s.submitted("s1", 2, func(sent *Sent) { sent.Inferred = true })
		settle()
		s.want("s2 13800000000 delivered orphan", "s1 13800000001 delivered inferred", "s1 13800000002 delivered inferred")
		a.Ask()
		settle()
		mu.Lock()
		defer mu.Unlock()
		if len(asked) != 2 || asked["s1 13800000001 13800000002"] != 1 || asked["s2 13800000000"] != 2 {
			t.Errorf("asked %v", asked)
		}
	})
}
