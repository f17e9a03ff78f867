//go:build realkafka

package correlate

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/metric/noop"

	"smsbridge/codec"
	"smsbridge/codec/sms"
	"smsbridge/codec/wire"
	"smsbridge/connector/kafkaio"
)

// TestOnRealKafka runs two correlators, one of which leaves, on the Kafka that
// KAFKA_BROKERS names. Its topics are made anew.
func TestOnRealKafka(t *testing.T) {
	brokers := strings.Split(os.Getenv("KAFKA_BROKERS"), ",")
	other, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(reportsTopic))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	admin := kadm.NewClient(other)
	topics := []string{pushesTopic, sendidsTopic, reportsTopic, deadTopic}
	_, _ = admin.DeleteTopics(t.Context(), topics...)
	until(t, "the topics are made", func() bool {
		made, err := admin.CreateTopics(t.Context(), 4, 1, nil, topics...)
		return err == nil && made.Error() == nil
	})
	client, err := kafkaio.Open(kafkaio.Config{Brokers: brokers, ClientID: "test", SessionTimeout: testSession})
	if err != nil {
		t.Fatal(err)
	}
	producer := client.NewProducer(kafkaio.ProducerConfig{})
	var running sync.WaitGroup
	enter := func() (stop func()) {
		c, err := New(Config{
			Group: "g-correlate", Pushes: pushesTopic, Sendids: sendidsTopic, Account: "default",
			OrphanAfter: 5 * time.Second, ReportDeadline: 30 * time.Second, NumberKeys: []codec.HashKey{codec.HashKey("key")}, Grace: 10 * time.Second,
			StateDir: t.TempDir(), Kafka: client, Producer: producer, Report: reportMessage, DeadLetter: deadMessage,
			Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Meter: noop.Meter{},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		running.Go(func() { _ = c.Run(ctx) })
		return cancel
	}
	write := func(m kafkaio.Message) {
		if _, err := producer.Produce(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	submit := func(sendid string) {
		write(SentRecord(sendidsTopic, Sent{SendID: sendid, Recipients: 1, Origin: sms.Origin{CommandID: sendid, SubmittedAt: time.Now()}}))
	}
	push := func(sendid string) {
		write(PushRecord(pushesTopic, wire.ReportPush{SendID: sendid, State: "DELIVRD", Mobiles: []string{"13800000000"}, Time: stateTime}, time.Now()))
	}
	var got []event
	want := func(events ...string) {
		t.Helper()
		until(t, strings.Join(events, ", "), func() bool {
			got = append(got, decodeEvents(t, other.PollFetches(t.Context()).Records())...)
			return slices.Equal(slices.Sorted(slices.Values(told(got))), slices.Sorted(slices.Values(events)))
		})
	}
	first := enter()
	t.Cleanup(running.Wait)
	submit("s1")
	submit("s4")
	push("s1")
	push("s2")
	push("s3")
	one := []string{"s1 13800000000 delivered matched", "s3 13800000000 delivered orphan"}
	enter()
	submit("s2")
	want(append(one, "s2 13800000000 delivered matched")...)
	first()
	submit("s3")
	all := append(slices.Clone(one), "s2 13800000000 delivered matched", "s3 13800000000 delivered matched again")
	want(all...)
	want(append(all, "s4  no_report matched")...)
}

// until waits for what comes by itself.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for begin := time.Now(); !ok(); time.Sleep(100 * time.Millisecond) {
		if time.Since(begin) > 90*time.Second {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
