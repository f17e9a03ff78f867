package connector

import (
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
