package kafkaio

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const session = 6 * time.Second

// closes fails the test when leaving takes longer than it may.
func closes(t *testing.T, g *Group, within time.Duration) {
	t.Helper()
	begun := time.Now()
	g.Close()
	if took := time.Since(begun); took > within {
		t.Errorf("left after %v", took)
	}
	if _, err := g.Next(t.Context()); !errors.Is(err, ErrGroupClosed) {
		t.Error(err)
	}
}

func TestLeavingIsQuickAndHandsOverAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, kfake.SeedTopics(4, "t"))
		first := join(t, b.client(t, session), "g", "t")
		gen := next(t, first)
		second := join(t, b.client(t, session), "g", "t")
		<-gen.Lost()
		gen.Release()
		gen = settleAt(t, second, "t", 2)
		begun := time.Now()
		closes(t, first, 100*time.Millisecond)
		<-gen.Lost()
		gen.Release()
		settleAt(t, second, "t", 4)
		if took := time.Since(begun); took > 2*heartbeatEvery {
			t.Errorf("handed over after %v", took)
		}
	})
}

func TestLeavingWhileOthersDrainIsQuick(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, kfake.SeedTopics(4, "t"))
		leaver, drainer := join(t, b.client(t, session), "g", "t"), join(t, b.client(t, session), "g", "t")
		mine := make(chan *Generation, 1)
		go func() { mine <- settleAt(t, leaver, "t", 2) }()
		slow := settleAt(t, drainer, "t", 2)
		gen := <-mine
		third := join(t, b.client(t, session), "g", "t")
		<-gen.Lost()
		<-slow.Lost()
		gen.Release()
		synctest.Wait()
		time.Sleep(time.Second) // kafka-go waits for its join now
		closes(t, leaver, 100*time.Millisecond)
		if members := len(b.cluster.GroupInfo("g").Members); members != 2 {
			t.Errorf("%d members are left", members)
		}
		slow.Release()
		settleAt(t, third, "t", 2)
	})
}

func TestLeavingDuringTheFirstJoinEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, kfake.SeedTopics(4, "t"))
		slow := next(t, join(t, b.client(t, session), "g", "t"))
		second := join(t, b.client(t, session), "g", "t")
		<-slow.Lost()
		closes(t, second, closePatience+100*time.Millisecond)
	})
}

func TestLeavingASilentKafkaEnds(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]kmsg.Key{
		"while looking": kmsg.FindCoordinator, "while joining": kmsg.JoinGroup, "while syncing": kmsg.SyncGroup, "while a member": kmsg.Heartbeat,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := startBubble(t, kfake.SeedTopics(4, "t"))
				c, network, _ := b.overSwitched(t)
				b.cluster.ControlKey(int16(key), func(kmsg.Request) (kmsg.Response, error, bool) {
					network.silent.Store(true)
					return nil, nil, false
				})
				g := join(t, c, "g", "t")
				time.Sleep(2 * time.Second)
				closes(t, g, 2*closePatience+100*time.Millisecond)
			})
		})
	}
}

func TestLeavingAKafkaThatIsAwayEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, kfake.SeedTopics(4, "t"))
		c, network, _ := b.overSwitched(t)
		network.away.Store(true)
		g := join(t, c, "g", "t")
		time.Sleep(5 * time.Second)
		closes(t, g, 2*closePatience)
	})
}

func TestGenerationThatNobodyTookIsReleasedWhenItIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, kfake.SeedTopics(4, "t"))
		idle := join(t, b.client(t, session), "g", "t")
		synctest.Wait()
		second := join(t, b.client(t, session), "g", "t")
		settleAt(t, second, "t", 2)
		if gen := next(t, idle); len(gen.Partitions("t")) != 2 {
			t.Fatalf("got %v", gen.Partitions("t"))
		}
	})
}

func TestDrainLongerThanTheRebalanceIsExpelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, kfake.SeedTopics(4, "t"))
		slow := next(t, join(t, b.client(t, session), "g", "t"))
		second := join(t, b.client(t, session), "g", "t")
		begun := time.Now()
		settleAt(t, second, "t", 4)
		if took := time.Since(begun); took < rebalancePatience {
			t.Errorf("the others waited %v only", took)
		}
		<-slow.Expelled()
		if err := commit(slow, 1, 0); !errors.Is(err, ErrFenced) {
			t.Error(err)
		}
	})
}

func TestMissingRightToTheGroupIsNamedUntilItIsGiven(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]kmsg.Key{"finding": kmsg.FindCoordinator, "joining": kmsg.JoinGroup} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := startBubble(t, kfake.SeedTopics(4, "t"))
				denied := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Group: "g", Err: kerr.GroupAuthorizationFailed, Count: -1, TopLevel: key == kmsg.JoinGroup})
				g := join(t, b.client(t, session), "g", "t")
				for range 3 {
					_, err := g.Next(t.Context())
					if !errors.Is(err, ErrUnauthorized) || !strings.Contains(err.Error(), "group g") {
						t.Fatal(err)
					}
				}
				denied.Remove()
				for {
					if _, err := g.Next(t.Context()); err == nil {
						break
					}
				}
			})
		})
	}
}

func TestGroupWaitsForAMissingTopicWithoutSpinning(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t)
		joins := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Count: -1, Observe: true})
		g := join(t, b.client(t, session), "g", "t")
		empty := next(t, g)
		if len(empty.Partitions("t")) != 0 {
			t.Fatal(empty.Partitions("t"))
		}
		time.Sleep(time.Minute)
		if n := joins.Hits(); n > 2 {
			t.Errorf("joined %d times", n)
		}
		if err := b.cluster.CreateTopic("t", 3, nil); err != nil {
			t.Fatal(err)
		}
		<-empty.Lost()
		empty.Release()
		settleAt(t, g, "t", 3)
	})
}

func TestPartitionsThatAreAddedAreAssigned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, kfake.SeedTopics(2, "t"))
		g := join(t, b.client(t, session), "g", "t")
		gen := settleAt(t, g, "t", 2)
		cl, err := kgo.NewClient(kgo.SeedBrokers(b.cluster.ListenAddrs()...), kgo.Dialer(b.network.DialContext))
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		if _, err := kadm.NewClient(cl).CreatePartitions(t.Context(), 3, "t"); err != nil {
			t.Fatal(err)
		}
		<-gen.Lost()
		gen.Release()
		settleAt(t, g, "t", 5)
	})
}

func TestGroupOutlivesAKafkaThatIsAwayAndTellsItOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, kfake.SeedTopics(2, "t"))
		c, network, log := b.overSwitched(t)
		g := join(t, c, "g", "t")
		gen := settleAt(t, g, "t", 2)
		network.away.Store(true)
		<-gen.Lost()
		gen.Release()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		if _, err := g.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		network.away.Store(false)
		settleAt(t, g, "t", 2)
		if log.count("group cannot be joined") != 1 || log.count("group joined after trouble") != 1 {
			t.Errorf("logged %s", log.b.String())
		}
	})
}

func TestGroupFollowsItsCoordinator(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, kfake.NumBrokers(3), kfake.Ports(9092, 9093, 9094), kfake.SeedTopics(2, "t"))
		g := join(t, b.client(t, session), "g", "t")
		gen := settleAt(t, g, "t", 2)
		if err := commit(gen, 3, 0); err != nil {
			t.Fatal(err)
		}
		before := b.cluster.CoordinatorFor("g")
		for b.cluster.CoordinatorFor("g") == before {
			b.cluster.RehashCoordinators()
		}
		<-gen.Lost()
		if err := commit(gen, 4, 0); err != nil {
			t.Fatalf("what was drained after the move: %v", err)
		}
		gen.Release()
		gen = settleAt(t, g, "t", 2)
		if err := commit(gen, 4, 0); err != nil {
			t.Fatal(err)
		}
	})
}
