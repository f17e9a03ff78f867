package connector

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"smsbridge/connector/journal"
	"smsbridge/connector/kafkaio"
)

func (l *lab) admin() *kadm.Client { return kadm.NewClient(l.client) }

// operator decides about the journal of a group.
func (l *lab) operator(group string) *Operator {
	l.t.Helper()
	log := slog.New(slog.DiscardHandler)
	const session = 6 * time.Second
	kafka, err := kafkaio.Open(kafkaio.Config{Brokers: l.brokers, ClientID: "test", SessionTimeout: session, Log: log})
	if err != nil {
		l.t.Fatal(err)
	}
	o, err := NewOperator(OperatorConfig{
		Group: group, Topics: testTopics, DedupeWindow: time.Hour, SessionTimeout: session, Kafka: kafka, Log: log,
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _, _ = o.Close(), kafka.Close() })
	return o
}

// orders produces commands with the numbers from up to, without, to.
func (l *lab) orders(from, to int) {
	l.t.Helper()
	for i := from; i < to; i++ {
		l.produce(&kgo.Record{
			Key:   fmt.Append(nil, i),
			Value: fmt.Appendf(nil, `{"id":"c-%d","to":["13800000000"],"text":"t-%d"}`, i, i),
		})
	}
}

func (l *lab) once(n int) {
	l.t.Helper()
	counts := l.submits()
	if len(counts) != n {
		l.t.Errorf("%d texts submitted, want %d", len(counts), n)
	}
	for text, times := range counts {
		if times != 1 {
			l.t.Errorf("%s submitted %d times", text, times)
		}
	}
}

func TestOffsetsSetBackSendNothingAgainAndRepeatTheSameResults(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	_, stop := l.start(nil)
	l.orders(0, 10)
	first := l.read(testTopics.Results, 10)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	var back kadm.Offsets
	for p := range int32(partitions) {
		back.AddOffset(testTopics.Commands, p, 0, -1)
	}
	if _, err := l.admin().CommitOffsets(t.Context(), "g", back); err != nil {
		t.Fatal(err)
	}
	l.start(nil)
	again := l.read(testTopics.Results, 20)
	for _, r := range again {
		if !slices.ContainsFunc(first, func(f *kgo.Record) bool { return string(f.Value) == string(r.Value) }) {
			t.Errorf("another result than before: %s", r.Value)
		}
	}
	l.once(10)
}

func TestAGroupWithANewNameHaltsUntilItAdopts(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	_, stop := l.start(nil)
	l.orders(0, 20) // in every partition some
	l.read(testTopics.Results, 20)
	renamed := l.operator("renamed")
	if err := renamed.Adopt(t.Context(), "g"); err == nil {
		t.Error("a group with members was adopted")
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	found, err := renamed.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range found {
		if x.Halt == nil || x.Halt.Reason != journal.HaltOtherGroup {
			t.Errorf("partition %d halts by %v", x.Partition, x.Halt)
		}
	}
	if err := renamed.Adopt(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	l.start(func(c *Config) { c.Group = "renamed" })
	l.orders(20, 30)
	l.read(testTopics.Results, 30)
	l.once(30)
	if results := l.results(30); len(results) != 30 { // the offsets were taken over too
		t.Errorf("results of %d commands, want 30", len(results))
	}
}

func TestPartitionsWithoutAJournalPartitionHaltAlone(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	_, stop := l.start(nil)
	l.orders(0, 4)
	l.read(testTopics.Results, 4)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	l.grow(testTopics.Commands)
	cfg := l.config(freeAddress(t))
	c, err := build(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	c.work = ctx
	ended := make(chan error, 1)
	go func() { ended <- c.bridge(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ended
		_ = c.close()
	})
	l.awaitOwned(c, partitions+1)
	for _, p := range c.owned.status() {
		if p.Halted != (p.Partition == partitions) {
			t.Errorf("partition %d halted: %v (%s)", p.Partition, p.Halted, p.Reason)
		}
	}
	l.grow(testTopics.Journal)
	if x, err := l.operator("g").Status(t.Context()); err != nil || x[partitions].Halt != nil {
		t.Errorf("still halted with the partition there: %v (%v)", x[partitions].Halt, err)
	}
}

func (l *lab) grow(topic string) {
	l.t.Helper()
	if _, err := l.admin().CreatePartitions(l.t.Context(), 1, topic); err != nil {
		l.t.Fatal(err)
	}
}

// awaitOwned waits until a connector owns so many partitions.
func (l *lab) awaitOwned(c *Connector, n int) {
	l.t.Helper()
	limit := time.After(30 * time.Second)
	for {
		_, moved := c.owned.has(0)
		if len(c.owned.status()) == n {
			return
		}
		select {
		case <-moved:
		case <-limit:
			l.t.Fatalf("owns %d partitions, want %d", len(c.owned.status()), n)
		}
	}
}

func TestPartitionsAddedLiveAreWorkedOn(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.start(nil)
	l.orders(0, 4)
	l.read(testTopics.Results, 4)
	l.grow(testTopics.Journal)
	l.grow(testTopics.Commands)
	manual, err := kgo.NewClient(kgo.SeedBrokers(l.brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer manual.Close()
	late := &kgo.Record{Topic: testTopics.Commands, Partition: partitions, Value: []byte(`{"id":"late","to":["13800000000"],"text":"late"}`)}
	if err := manual.ProduceSync(t.Context(), late).FirstErr(); err != nil {
		t.Fatal(err)
	}
	l.read(testTopics.Results, 5)
	l.once(5)
}

func TestACommandTopicMadeAnewSendsWhatIsNewAndNotWhatWasSent(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	_, stop := l.start(nil)
	l.orders(0, 20)
	l.read(testTopics.Results, 20)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.admin().DeleteTopics(t.Context(), testTopics.Commands); err != nil {
		t.Fatal(err)
	}
	if _, err := l.admin().CreateTopic(t.Context(), partitions, 1, nil, testTopics.Commands); err != nil {
		t.Fatal(err)
	}
	// Kafka forgets the offsets of a topic that is deleted, and so must whoever
	// keeps them elsewhere.
	if _, err := l.admin().DeleteOffsets(t.Context(), "g", kadm.TopicsSet{testTopics.Commands: {0: {}, 1: {}, 2: {}, 3: {}}}); err != nil {
		t.Fatal(err)
	}
	fresh, err := kgo.NewClient(kgo.SeedBrokers(l.brokers...)) // one that does not know the old topic
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fresh.Close)
	l.client = fresh
	l.orders(10, 30) // ten of them come again, at other offsets
	l.start(nil)
	l.read(testTopics.Results, 40)
	l.once(30)
	told := map[string]int{}
	for _, events := range l.results(40) {
		for _, e := range events {
			told[e.Status]++
		}
	}
	if told["accepted"]+told["duplicate"] != 40 || told["duplicate"] == 0 {
		t.Errorf("told %v", told)
	}
}
