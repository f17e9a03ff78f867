package kafkaio

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Brokers hear of a new topic one after the other. The one that the group's
// leader asked when it assigned the partitions was the last.
func TestPartitionsThatTheLeaderDidNotSeeAreAssignedSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, kfake.SeedTopics(3, "t"))
		unseen := 0
		b.cluster.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
			b.cluster.KeepControl()
			ours := req.GetVersion() >= metadataOldest // kafka-go's leader asks in an older version
			asked := req.(*kmsg.MetadataRequest).Topics
			if ours || len(asked) == 0 || unseen > 0 {
				return nil, nil, false
			}
			unseen++
			res := req.ResponseKind().(*kmsg.MetadataResponse)
			topic := kmsg.NewMetadataResponseTopic()
			topic.Topic, topic.ErrorCode = asked[0].Topic, kerr.UnknownTopicOrPartition.Code
			res.Topics = append(res.Topics, topic)
			return res, nil, true
		})
		begun := time.Now()
		g := join(t, b.client(t, session), "g", "t")
		settleAt(t, g, "t", 3)
		if took := time.Since(begun); unseen != 1 || took > 2*watchEvery {
			t.Errorf("after %v", took)
		}
	})
}
