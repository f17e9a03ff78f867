package broker

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestTopicIsMadeWhenItIsAskedForAndSurvivesARestart(t *testing.T) {
	t.Parallel()
	cfg := Config{Listen: "127.0.0.1:0", Partitions: 3, AutoCreate: true, StateDir: t.TempDir()}
	first, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	producer, err := kgo.NewClient(kgo.SeedBrokers(first.Addr()), kgo.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	if err := producer.ProduceSync(t.Context(), &kgo.Record{Topic: "made", Value: []byte("kept")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	producer.Close()
	first.Close()

	cfg.Listen = first.Addr() // as clients know it
	second, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	consumer, err := kgo.NewClient(kgo.SeedBrokers(second.Addr()), kgo.ConsumeTopics("made"), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	fetched := consumer.PollFetches(t.Context())
	if err := fetched.Err(); err != nil {
		t.Fatal(err)
	}
	if records := fetched.Records(); len(records) != 1 || string(records[0].Value) != "kept" {
		t.Errorf("%d records", len(records))
	}
}

func TestAddressInUseIsAnError(t *testing.T) {
	t.Parallel()
	first, err := Start(t.Context(), Config{Listen: "127.0.0.1:0", Partitions: 1, Topics: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if second, err := Start(t.Context(), Config{Listen: first.Addr(), Partitions: 1}); err == nil {
		second.Close()
		t.Error("two brokers at one address")
	}
}
