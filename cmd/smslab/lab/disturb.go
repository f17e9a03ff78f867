package lab

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"
	"os/exec"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"smsbridge/cmd/smslab/trial"
)

// Operate runs another command of smsbridge, as an operator would, with what the
// connectors are given.
func (s *Stage) Operate(ctx context.Context, args ...string) error {
	p := s.Connectors[0].program
	cmd := exec.CommandContext(ctx, p.Path, args...) //nolint:gosec // our own program
	cmd.Env = p.Env
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("smsbridge %s: %w: %s", args[0], err, bytes.TrimSpace(out))
	}
	return nil
}

// Owned lists the command partitions that the connector works on.
func (c *Connector) Owned(ctx context.Context) ([]int32, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.Admin+"/api/status", http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	var status struct {
		Partitions []struct {
			Partition int32 `json:"partition"`
		} `json:"partitions"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&status); err != nil {
		return nil, fmt.Errorf("%s: /api/status: %w", c.Name, err)
	}
	var owned []int32
	for _, p := range status.Partitions {
		owned = append(owned, p.Partition)
	}
	return owned, nil
}

// KeyIn makes a key that belongs into a partition of so many, as producers of all
// languages choose it.
func KeyIn(prefix string, partition int32, partitions int) string {
	chooser := kgo.StickyKeyPartitioner(nil).ForTopic("")
	for n := 0; ; n++ {
		key := fmt.Sprintf("%s-%d", prefix, n)
		if chooser.Partition(&kgo.Record{Key: []byte(key)}, partitions) == int(partition) {
			return key
		}
	}
}

// span is records of a partition that were deleted before they were committed.
type span struct {
	partition    int32
	from, before int64
}

func (s span) holds(p trial.Position) bool {
	return p.Partition == s.partition && p.Offset >= s.from && p.Offset < s.before
}

// DeleteHalf deletes the older half of what is not committed in a partition. It
// returns how many records that were.
func (r *Recorder) DeleteHalf(ctx context.Context, partition int32) (int64, error) {
	topic := r.stage.Topics.Commands()
	ends, err := r.admin.ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return 0, err
	}
	committed, err := r.committed(ctx)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) { // nothing was committed yet
		return 0, err
	}
	end, _ := ends.Lookup(topic, partition)
	from := committed[partition].At
	gone := span{partition, from, from + (end.Offset-from)/2}
	if gone.before == gone.from {
		return 0, nil
	}
	r.mu.Lock()
	r.gone = append(r.gone, gone) // before it is so: a result of the new state must find it
	for i := range r.history.Commands {
		c := &r.history.Commands[i]
		c.Gone = c.Gone || gone.holds(c.Position)
	}
	r.mu.Unlock()
	offsets := kadm.Offsets{}
	offsets.AddOffset(topic, partition, gone.before, -1)
	deleted, err := r.admin.DeleteRecords(ctx, offsets)
	if err == nil {
		err = deleted.Error()
	}
	return gone.before - gone.from, err
}

// unanswered counts the commands that still need a result.
func (r *Recorder) unanswered() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for i := range r.history.Commands {
		if c := &r.history.Commands[i]; !c.Gone && !r.answered[c.Position] {
			n++
		}
	}
	return n
}

// Unreadable writes a batch of one record that nobody can read: one that unpacks
// to more than any process should hold, or, where a broker takes it, garbage.
func (r *Recorder) Unreadable(ctx context.Context, partition int32, garbage bool) (trial.Position, error) {
	at := trial.Position{Partition: partition}
	packed, err := bomb()
	if err != nil {
		return at, err
	}
	if garbage {
		packed = []byte("this is no zstd")
	}
	topic := r.stage.Topics.Commands()
	metadata, err := r.admin.Metadata(ctx, topic)
	if err != nil {
		return at, err
	}
	details := metadata.Topics[topic]
	request := kmsg.NewPtrProduceRequest()
	request.Acks, request.TimeoutMillis = -1, 10_000
	request.Topics = []kmsg.ProduceRequestTopic{{
		Topic: topic, TopicID: details.ID,
		Partitions: []kmsg.ProduceRequestTopicPartition{{Partition: partition, Records: batch(packed, time.Now())}},
	}}
	leader := r.producer.Broker(int(details.Partitions[partition].Leader))
	answer, err := leader.RetriableRequest(ctx, request)
	if err != nil {
		return at, err
	}
	topics := answer.(*kmsg.ProduceResponse).Topics // it is what answers that request
	if len(topics) != 1 || len(topics[0].Partitions) != 1 {
		return at, errors.New("write an unreadable batch: no answer for its partition")
	}
	written := topics[0].Partitions[0]
	if err := kerr.ErrorForCode(written.ErrorCode); err != nil {
		return at, fmt.Errorf("write an unreadable batch: %w", err)
	}
	at.Offset = written.BaseOffset
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history.Commands = append(r.history.Commands, trial.Command{Position: at, At: time.Now(), Mark: trial.Unreadable, Ends: "invalid"})
	return at, nil
}

// bomb is one record of 70 MiB of zeros, packed into a few kilobytes.
func bomb() ([]byte, error) {
	const size = 70 << 20
	record := []byte{0, 0, 0, 1}                              // attributes, timestamp, offset, no key
	record = binary.AppendVarint(record, size)                // of the value
	record = append(append(record, make([]byte, size)...), 0) // no headers
	whole := binary.AppendVarint(make([]byte, 0, len(record)+8), int64(len(record)))
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		return nil, err
	}
	defer encoder.Close() //nolint:errcheck // it writes nowhere
	return encoder.EncodeAll(append(whole, record...), nil), nil
}

// batch is a batch of one record, as version 2 has it.
func batch(packed []byte, now time.Time) []byte {
	const zstdCodec = 4
	b := kmsg.RecordBatch{
		Magic: 2, Attributes: zstdCodec, NumRecords: 1, FirstTimestamp: now.UnixMilli(), MaxTimestamp: now.UnixMilli(),
		PartitionLeaderEpoch: -1, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, Records: packed,
	}
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[8:], uint32(len(raw)-12))
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}
