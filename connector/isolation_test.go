package connector

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"smsbridge/codec/sms"
	"smsbridge/connector/telemetry"
)

// garbage writes a batch that nobody can unpack, and returns its offset.
func (l *lab) garbage(partition int32) int64 {
	l.t.Helper()
	const zstd = 4
	b := kmsg.RecordBatch{
		Magic: 2, Attributes: zstd, NumRecords: 1, FirstTimestamp: time.Now().UnixMilli(), MaxTimestamp: time.Now().UnixMilli(),
		PartitionLeaderEpoch: -1, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, Records: []byte("this is no zstd"),
	}
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[8:], uint32(len(raw)-12))
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	topics, err := kadm.NewClient(l.client).Metadata(l.t.Context(), testTopics.Commands)
	if err != nil {
		l.t.Fatal(err)
	}
	request := kmsg.NewPtrProduceRequest()
	request.Acks, request.TimeoutMillis = -1, 10_000
	request.Topics = []kmsg.ProduceRequestTopic{{
		Topic: testTopics.Commands, TopicID: topics.Topics[testTopics.Commands].ID,
		Partitions: []kmsg.ProduceRequestTopicPartition{{Partition: partition, Records: raw}},
	}}
	answer, err := request.RequestWith(l.t.Context(), l.client)
	if err == nil {
		err = kerr.ErrorForCode(answer.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		l.t.Fatal(err)
	}
	return answer.Topics[0].Partitions[0].BaseOffset
}

// status asks a connector that was started with this admin address.
func (l *lab) status(admin string) (told telemetry.Status, ok bool) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+"/api/status", nil)
	if err != nil {
		l.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return told, false
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return told, false
	}
	var partitions struct {
		Partitions []struct {
			Partition int    `json:"partition"`
			Halted    bool   `json:"halted"`
			Deleted   int64  `json:"deleted"`
			Reason    string `json:"reason"`
			Remedy    string `json:"remedy"`
		} `json:"partitions"`
	}
	if err := json.Unmarshal(body, &partitions); err != nil {
		l.t.Fatal(err)
	}
	for _, p := range partitions.Partitions {
		told.Partitions = append(told.Partitions, telemetry.Partition{
			Partition: p.Partition, Halted: p.Halted, Deleted: p.Deleted, Reason: telemetry.Text(p.Reason), Remedy: telemetry.Text(p.Remedy),
		})
	}
	return told, true
}

func (l *lab) awaitPartition(admin string, partition int, what string, ok func(telemetry.Partition) bool) {
	l.t.Helper()
	l.await(what, func() bool {
		told, answered := l.status(admin)
		if !answered {
			return false
		}
		for _, p := range told.Partitions {
			if p.Partition == partition {
				return ok(p)
			}
		}
		return false
	})
}

func TestCommandsDeletedBeforeTheyWereReadArePassedOverAndHoldNobody(t *testing.T) {
	l := newLab(t)
	admin := freeAddress(t)
	l.backlog(0, sms.Notice, "before", 20)
	_, stop := l.start(nil)
	l.await("what comes before", func() bool { return l.texts("before") == 20 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	l.backlog(0, sms.Notice, "purged", 50)
	l.backlog(0, sms.Notice, "left", 20)
	purge := kadm.Offsets{}
	purge.Add(kadm.Offset{Topic: testTopics.Commands, Partition: 0, At: 70})
	if deleted, err := l.admin().DeleteRecords(t.Context(), purge); err != nil || deleted.Error() != nil {
		t.Fatal(errors.Join(err, deleted.Error()))
	}
	l.backlog(1, sms.Notice, "other", 150)
	l.start(func(c *Config) { c.Admin.Listen = admin })
	l.await("what is left of the partition, and the other one", func() bool { return l.texts("left") == 20 && l.texts("other") == 150 })
	if n := l.texts("purged"); n != 0 {
		t.Errorf("%d deleted texts were submitted", n)
	}
	l.awaitPartition(admin, 0, "the number of what was deleted", func(p telemetry.Partition) bool { return p.Deleted == 50 && !p.Halted })
}

func TestABatchThatNobodyCanReadHaltsItsPartitionAloneAndIsTold(t *testing.T) {
	l := newLab(t)
	admin := freeAddress(t)
	l.hold(sms.Marketing, true)
	l.backlog(0, sms.Marketing, "waiting", 5)
	l.backlog(0, sms.Notice, "before", 20)
	l.garbage(0)
	l.backlog(0, sms.Notice, "behind", 5)
	l.backlog(1, sms.Notice, "other", 50)
	l.start(func(c *Config) { c.Admin.Listen = admin })
	l.await("what comes before, and the other partition", func() bool { return l.texts("before") == 20 && l.texts("other") == 50 })
	l.awaitPartition(admin, 0, "the halt to be told", func(p telemetry.Partition) bool {
		return p.Halted && p.Reason == "commands_unreadable" && p.Remedy != ""
	})
	// What was read before goes on, and so do the others.
	l.hold(sms.Marketing, false)
	l.backlog(1, sms.Notice, "later", 50)
	l.await("what waited before, and the other partition", func() bool { return l.texts("waiting") == 5 && l.texts("later") == 50 })
	if n := l.texts("behind"); n != 0 {
		t.Errorf("%d texts behind it were submitted", n)
	}
}
