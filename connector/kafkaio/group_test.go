package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// bubble is an embedded cluster and a client in a network of their own, for
// tests in which minutes pass at once. It must be used inside of synctest.Test.
type bubble struct {
	cluster *kfake.Cluster
	network *kfake.VirtualNetwork
}

func startBubble(t *testing.T, opts ...kfake.Opt) *bubble {
	t.Helper()
	network := new(kfake.VirtualNetwork)
	opts = append(opts, kfake.ListenFn(network.Listen))
	return &bubble{startFake(t, opts...), network}
}

func (b *bubble) client(t *testing.T, session time.Duration) *Client {
	t.Helper()
	c, err := Open(Config{Brokers: b.cluster.ListenAddrs(), ClientID: "test", SessionTimeout: session, Dial: b.network.DialContext})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// join joins a group and leaves it with the test.
func join(t *testing.T, c *Client, id string, topics ...string) *Group {
	t.Helper()
	g, err := c.JoinGroup(GroupConfig{ID: id, Topics: topics})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

// next returns the next generation, and fails the test after some minutes.
func next(t *testing.T, g *Group) *Generation {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	gen, err := g.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return gen
}

// settle passes generations on until one has so many partitions of the topic.
func settleAt(t *testing.T, g *Group, topic string, n int) *Generation {
	t.Helper()
	for {
		gen := next(t, g)
		if len(gen.Partitions(topic)) == n {
			return gen
		}
		<-gen.Lost()
		gen.Release()
	}
}

func TestCommitsAreReadBackWithTheirMetadata(t *testing.T) {
	t.Parallel()
	c := openClient(t, startBroker(t))
	topic := newTopic(t, c, 3)
	g := join(t, c, topic, topic)
	gen := next(t, g)
	if got := gen.Partitions(topic); !slices.Equal(got, []int{0, 1, 2}) {
		t.Fatalf("assigned %v", got)
	}
	err := gen.Commit(t.Context(), map[TopicPartition]Commit{
		{topic, 0}: {Offset: 7, Metadata: "v1 seven"},
		{topic, 2}: {Offset: 9},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := gen.Offsets(t.Context(), []TopicPartition{{topic, 0}, {topic, 1}, {topic, 2}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[TopicPartition]Committed{
		{topic, 0}: {Offset: 7, Metadata: "v1 seven", LeaderEpoch: -1},
		{topic, 1}: {Offset: -1, LeaderEpoch: -1},
		{topic, 2}: {Offset: 9, LeaderEpoch: -1},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func TestPartitionsAreSharedEvenlyAndHandedOverByRelease(t *testing.T) {
	t.Parallel()
	c := openClient(t, startBroker(t))
	topic := newTopic(t, c, 12)
	groups := []*Group{join(t, c, topic, topic)}
	gens := []*Generation{next(t, groups[0])}
	for members := 2; members <= 3; members++ {
		groups = append(groups, join(t, c, topic, topic))
		gens = append(gens, nil)
		for _, gen := range gens[:members-1] {
			<-gen.Lost()
			gen.Release()
		}
		var seen []int
		for i, g := range groups {
			gens[i] = settleAt(t, g, topic, 12/members)
			seen = append(seen, gens[i].Partitions(topic)...)
		}
		slices.Sort(seen)
		if len(slices.Compact(seen)) != 12 {
			t.Fatalf("%d members own %v", members, seen)
		}
	}
	groups[2].Close()
	for _, gen := range gens[:2] {
		<-gen.Lost()
		gen.Release()
	}
	for _, g := range groups[:2] {
		settleAt(t, g, topic, 6)
	}
}

func TestDrainLongerThanTheSessionKeepsTheMembership(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t)
		c := b.client(t, 6*time.Second)
		topic := newTopic(t, c, 2)
		first := join(t, c, "g", topic)
		gen := next(t, first)
		second := join(t, b.client(t, 6*time.Second), "g", topic)
		<-gen.Lost()
		time.Sleep(30 * time.Second) // five sessions
		select {
		case <-gen.Expelled():
			t.Fatal("expelled during the drain")
		default:
		}
		if err := gen.Commit(t.Context(), map[TopicPartition]Commit{{topic, 0}: {Offset: 5, Metadata: "drained"}}); err != nil {
			t.Fatalf("commit after a long drain: %v", err)
		}
		gen.Release()
		theirs := settleAt(t, second, topic, 1)
		ours := settleAt(t, first, topic, 1)
		if ours.ID() != theirs.ID() || ours.member != gen.member {
			t.Fatalf("generations %d and %d, member %s became %s", ours.ID(), theirs.ID(), gen.member, ours.member)
		}
		err := gen.Commit(t.Context(), map[TopicPartition]Commit{{topic, 0}: {Offset: 4}})
		if !errors.Is(err, ErrFenced) {
			t.Fatalf("commit of a generation that is over: %v", err)
		}
	})
}

func TestCommitOfAZombieIsFenced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t)
		c := b.client(t, 6*time.Second)
		topic := newTopic(t, c, 2)
		zombie := next(t, join(t, c, "g", topic))
		// The coordinator hears nothing of it any more, as if it were frozen.
		b.cluster.ControlKey(int16(kmsg.Heartbeat), func(req kmsg.Request) (kmsg.Response, error, bool) {
			b.cluster.KeepControl()
			if req.(*kmsg.HeartbeatRequest).MemberID == zombie.member {
				return nil, errors.New("lost"), true
			}
			return nil, nil, false
		})
		heir := settleAt(t, join(t, b.client(t, 6*time.Second), "g", topic), topic, 2)
		if err := heir.Commit(t.Context(), map[TopicPartition]Commit{{topic, 0}: {Offset: 9, Metadata: "heir"}}); err != nil {
			t.Fatal(err)
		}
		err := zombie.Commit(t.Context(), map[TopicPartition]Commit{{topic, 0}: {Offset: 3, Metadata: "zombie"}})
		if !errors.Is(err, ErrFenced) {
			t.Fatalf("got %v", err)
		}
		<-zombie.Expelled()
		got, err := heir.Offsets(t.Context(), []TopicPartition{{topic, 0}})
		if err != nil || got[TopicPartition{topic, 0}].Metadata != "heir" {
			t.Fatalf("%v, %v", got, err)
		}
	})
}

// logged returns a client whose log is kept.
func (b *bubble) logged(t *testing.T) (*Client, *logged) {
	t.Helper()
	log := new(logged)
	c, err := Open(Config{Brokers: b.cluster.ListenAddrs(), Dial: b.network.DialContext, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, log
}
