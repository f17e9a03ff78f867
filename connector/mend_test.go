package connector

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestAHaltedPartitionIsWorkedOnOnceItIsMended: nobody restarts anything; the
// connector looks again by itself.
func TestAHaltedPartitionIsWorkedOnOnceItIsMended(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		th := &theatre{t: t, rng: rand.New(rand.NewPCG(1, 1)), actors: map[string]*actor{}, struck: &tally{at: map[string]int{}}, stateDir: t.TempDir()}
		th.raise()
		th.calm.Store(true)
		client, err := kgo.NewClient(
			kgo.SeedBrokers(th.cluster.ListenAddrs()...), kgo.Dialer(th.network.DialContext), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		grow := func(topic string) {
			if _, err := kadm.NewClient(client).CreatePartitions(t.Context(), 1, topic); err != nil {
				t.Fatal(err)
			}
		}
		grow(testTopics.Commands)
		_, value := th.compose(0)
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: testTopics.Commands, Partition: trialParts, Value: value}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		th.enter("i0", nil)
		time.Sleep(2 * mendPause)
		if n := th.committed(); n != 0 {
			t.Fatalf("%d commands of a partition without a journal are committed", n)
		}
		grow(testTopics.Journal)
		time.Sleep(2 * mendPause)
		if n := th.committed(); n != 1 {
			t.Errorf("%d commands are committed, want 1", n)
		}
		th.leave()
	})
}

func TestAHaltedPartitionTellsHowMuchWaitsBehindIt(t *testing.T) {
	l, w := newLab(t), newWatch(t)
	if _, err := kadm.NewClient(l.client).CreatePartitions(t.Context(), 1, testTopics.Commands); err != nil {
		t.Fatal(err)
	}
	writer, err := kgo.NewClient(kgo.SeedBrokers(l.brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	for range 3 { // the partition is new and has no journal
		record := &kgo.Record{Topic: testTopics.Commands, Partition: partitions, Value: []byte("{}")}
		if err := writer.ProduceSync(t.Context(), record).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	l.start(w.over)
	eventually(t, func() error {
		_, body := w.get("/api/status")
		var told struct {
			Partitions []struct {
				Halted bool
				Lag    int64
			}
		}
		if err := json.Unmarshal([]byte(body), &told); err != nil {
			return err
		}
		for _, p := range told.Partitions {
			if p.Halted && p.Lag == 3 {
				return nil
			}
		}
		return fmt.Errorf("no halted partition with 3 commands behind it: %s", body)
	})
}
