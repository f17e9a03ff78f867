//go:build realkafka

package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// flow writes the numbers 0, 1, 2… to each partition of a topic of its own, and
// reads them back. Number n must get, and have, offset n: then nothing is lost,
// nothing is there twice, and nothing changed places.
type flow struct {
	topic string
	acked []atomic.Int64
	read  []atomic.Int64
	stop  context.CancelFunc
	wg    sync.WaitGroup
}

func startFlow(t *testing.T, c *Client, partitions int) *flow {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	f := &flow{topic: newTopic(t, c, partitions), acked: make([]atomic.Int64, partitions), read: make([]atomic.Int64, partitions), stop: stop}
	p := openProducer(t, c)
	for partition := range partitions {
		f.wg.Go(func() { f.write(ctx, t, p, partition) })
		f.wg.Go(func() { f.follow(ctx, t, c, partition) })
	}
	t.Cleanup(f.end)
	return f
}

// end stops what was started, and waits until all is acknowledged.
func (f *flow) end() {
	f.stop()
	f.wg.Wait()
}

func (f *flow) write(ctx context.Context, t *testing.T, p *Producer, partition int) {
	t.Helper()
	underWay := make(chan struct{}, 4)
	for n := int64(0); ctx.Err() == nil; n++ {
		underWay <- struct{}{}
		p.Send([]Message{{Topic: f.topic, Partition: partition, Value: strconv.AppendInt(nil, n, 10)}}, func(acks []Ack, err error) {
			switch {
			case err != nil:
				t.Errorf("partition %d: number %d: %v", partition, n, err)
			case acks[0].Offset != n && acks[0].Offset != -1:
				t.Errorf("partition %d: number %d was acknowledged at offset %d", partition, n, acks[0].Offset)
			}
			f.acked[partition].Store(n + 1)
			<-underWay
		})
	}
	for range cap(underWay) {
		underWay <- struct{}{}
	}
}

func (f *flow) follow(ctx context.Context, t *testing.T, c *Client, partition int) {
	t.Helper()
	fetcher := c.Fetcher(FetchConfig{Topic: f.topic, Partition: partition})
	for {
		records, err := fetcher.Next(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			t.Errorf("reading partition %d: %v", partition, err)
			return
		}
		for _, r := range records {
			if n := f.read[partition].Load(); r.Offset != n || string(r.Value) != strconv.FormatInt(n, 10) {
				t.Errorf("partition %d: read %s at offset %d instead of %d", partition, r.Value, r.Offset, n)
			}
			f.read[partition].Add(1)
		}
	}
}

// goesOn waits until every partition was written to and read some more.
func (f *flow) goesOn(t *testing.T) {
	t.Helper()
	for partition := range f.acked {
		goal := f.acked[partition].Load() + 20
		until(t, fmt.Sprintf("partition %d goes on", partition), func(context.Context) bool {
			return f.acked[partition].Load() >= goal && f.read[partition].Load() >= goal
		})
	}
}

// broker is one that a test does something to.
type broker struct {
	t     *testing.T
	id    string
	alone bool // there is no other
}

func brokerOf(t *testing.T, id int32) broker {
	t.Helper()
	return broker{t, strconv.Itoa(int(id)), len(via(t, "plain").Brokers) == 1}
}

func (b broker) kill()   { kafkaSh(b.t, "kill", b.id) }
func (b broker) start()  { kafkaSh(b.t, "start", b.id) }
func (b broker) freeze() { kafkaSh(b.t, "freeze", b.id) }
func (b broker) thaw()   { kafkaSh(b.t, "thaw", b.id) }

// whole waits until every replica of a topic, and of the offsets, is in sync.
func whole(t *testing.T, topic string) {
	t.Helper()
	adm := admin(t)
	until(t, "all replicas are in sync", func(ctx context.Context) bool {
		topics, err := adm.ListTopicsWithInternal(ctx, topic, "__consumer_offsets")
		if err != nil || topics.Error() != nil {
			return false
		}
		for _, t := range topics {
			for _, p := range t.Partitions {
				if len(p.ISR) < len(p.Replicas) || p.Leader < 0 {
					return false
				}
			}
		}
		return true
	})
}

func TestLeadersComeAndGoAndEveryNumberHasItsOffset(t *testing.T) {
	for name, trouble := range map[string]func(b broker, goesOn func()){
		"killed and started again": func(b broker, goesOn func()) {
			b.kill()
			if !b.alone {
				goesOn()
			}
			b.start()
		},
		"frozen until another leads": func(b broker, goesOn func()) {
			b.freeze()
			defer b.thaw()
			if !b.alone {
				goesOn()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			plain := via(t, "plain")
			log := new(logged)
			plain.Log = slog.New(slog.NewTextHandler(log, nil))
			c := open(t, plain)
			f := startFlow(t, c, 6)
			f.goesOn(t)
			leader, err := c.leader(t.Context(), f.topic, 0)
			if err != nil {
				t.Fatal(err)
			}
			trouble(brokerOf(t, leader), func() { f.goesOn(t) })
			f.goesOn(t)
			whole(t, f.topic)
			f.goesOn(t)
			f.end()

			total := 0
			for partition := range f.acked {
				total += int(f.acked[partition].Load())
			}
			records := readAll(t, plain.Brokers, f.topic, total)
			for _, r := range records {
				if string(r.Value) != strconv.FormatInt(r.Offset, 10) {
					t.Fatalf("partition %d holds %s at offset %d", r.Partition, r.Value, r.Offset)
				}
			}
			t.Logf("%d records; told:\n%s", total, log.b.String())
		})
	}
}

func TestMembershipAndFenceOutliveTheirCoordinator(t *testing.T) {
	plain := via(t, "plain")
	c := open(t, plain)
	topic := newTopic(t, c, 4)
	members := []*member{enter(t, topic)}
	sharing(t, topic, members)
	old := members[0].gen.Load()
	members = append(members, enter(t, topic))
	sharing(t, topic, members)
	commitAll(t, topic, members, 7)

	coordinator, err := members[0].g.whereabouts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b := brokerOf(t, coordinator)
	b.kill()
	if b.alone {
		b.start()
	}
	until(t, "the new coordinator fenced the zombie", func(ctx context.Context) bool {
		switch code := zombie(ctx, t, old, topic); code {
		case kafka.IllegalGeneration, kafka.UnknownMemberId:
			return true
		case kafka.GroupLoadInProgress, kafka.GroupCoordinatorNotAvailable, kafka.NotCoordinatorForGroup, kafka.NetworkException:
			return false
		default:
			t.Fatalf("the commit of an old generation got %v", code)
			return false
		}
	})
	commitAll(t, topic, members, 8)
	got, err := members[0].gen.Load().Offsets(t.Context(), []TopicPartition{{topic, 0}, {topic, 1}, {topic, 2}, {topic, 3}})
	if err != nil {
		t.Fatal(err)
	}
	for tp, c := range got {
		if c.Offset != 8 || c.Metadata != "at 8" {
			t.Errorf("partition %d: %+v", tp.Partition, c)
		}
	}
	if !b.alone {
		b.start()
	}
	whole(t, topic)
	commitAll(t, topic, members, 9)
}

// member goes on from generation to generation.
type member struct {
	g   *Group
	gen atomic.Pointer[Generation]
}

// enter joins the group that is called like its topic.
func enter(t *testing.T, topic string) *member {
	t.Helper()
	m := &member{g: join(t, open(t, via(t, "plain")), topic, topic)}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			gen, err := m.g.Next(ctx)
			if err != nil {
				return // the end of the test: an error of another kind shows as a commit that never comes
			}
			m.gen.Store(gen)
			select {
			case <-gen.Lost():
			case <-ctx.Done():
			}
			gen.Release()
		}
	})
	t.Cleanup(func() {
		stop()
		wg.Wait()
	})
	return m
}

func sharing(t *testing.T, topic string, members []*member) {
	t.Helper()
	until(t, "the members share the partitions", func(context.Context) bool {
		ids := map[int32]bool{}
		for _, m := range members {
			gen := m.gen.Load()
			if gen == nil || len(gen.Partitions(topic)) != 4/len(members) {
				return false
			}
			ids[gen.ID()] = true
		}
		return len(ids) == 1
	})
}

// commitAll commits an offset for each partition, as often and in as many
// generations as it takes.
func commitAll(t *testing.T, topic string, members []*member, offset int64) {
	t.Helper()
	want := Commit{Offset: offset, Metadata: fmt.Sprint("at ", offset)}
	committed := map[int]bool{}
	until(t, fmt.Sprintf("offset %d was committed", offset), func(ctx context.Context) bool {
		for _, m := range members {
			gen := m.gen.Load()
			commits := map[TopicPartition]Commit{}
			for _, p := range gen.Partitions(topic) {
				commits[TopicPartition{topic, p}] = want
			}
			err := gen.Commit(ctx, commits)
			var unknown *CommitUnknown
			switch {
			case err == nil:
				for _, p := range gen.Partitions(topic) {
					committed[p] = true
				}
			case errors.Is(err, ErrFenced), errors.As(err, &unknown), strings.HasPrefix(err.Error(), "not committed"):
			default:
				t.Fatalf("generation %d: %v", gen.ID(), err)
			}
		}
		return len(committed) == 4
	})
}

// zombie commits in the name of an old generation, by another client: ours would
// not even ask.
func zombie(ctx context.Context, t *testing.T, old *Generation, topic string) kafka.Error {
	t.Helper()
	plain := via(t, "plain")
	described, err := open(t, plain).Topics(ctx, topic)
	if err != nil {
		return kafka.NetworkException
	}
	partition := kmsg.NewOffsetCommitRequestTopicPartition()
	partition.Offset = 3
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation, req.MemberID = topic, old.id, old.member
	req.Topics = []kmsg.OffsetCommitRequestTopic{{
		Topic: topic, TopicID: described[topic].ID, Partitions: []kmsg.OffsetCommitRequestTopicPartition{partition},
	}}
	res, err := req.RequestWith(ctx, newKgo(t, plain.Brokers))
	if err != nil {
		return kafka.NetworkException
	}
	return kafka.Error(res.Topics[0].Partitions[0].ErrorCode)
}
