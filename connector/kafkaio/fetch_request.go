package kafkaio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

const (
	fetchVersion = 11 // Kafka 2.3; 4.x still takes it

	readUncommitted = 0
	readCommitted   = 1

	// maxFetched bounds the answer to a fetch. A broker gives at least one batch,
	// however large; topics that allow batches beyond this are not for us.
	maxFetched = 64 << 20
	// answerSlack is for what stands around the records.
	answerSlack = 1 << 20
)

// fetchRequest asks the leader of one partition for records. kafka-go's own
// Fetch hides where batches end and which of them were rolled back.
type fetchRequest struct {
	topic     string
	partition int
	offset    int64
	maxBytes  int
	maxWait   time.Duration
}

// fetchAnswer is what a broker knows about one partition.
type fetchAnswer struct {
	code          kafka.Error
	highWatermark int64
	aborted       []aborted
	set           []byte
}

// ApiKey implements protocol.Message.
func (*fetchRequest) ApiKey() protocol.ApiKey { return protocol.Fetch } //nolint:revive // the interface's spelling

// ApiKey implements protocol.Message.
func (*fetchAnswer) ApiKey() protocol.ApiKey { return protocol.Fetch } //nolint:revive // the interface's spelling

// exchange implements asked.
func (f *fetchRequest) exchange(c *conn) (protocol.Message, error) {
	id := correlation.Add(1)
	body, err := exchange(c, appendHeader(nil, int16(protocol.Fetch), fetchVersion, id, c.clientID, false), f.encode(), id, maxFetched+answerSlack)
	if err != nil {
		return nil, err
	}
	return f.read(body)
}

func (f *fetchRequest) encode() []byte {
	b := binary.BigEndian.AppendUint32(nil, 0xffffffff) // replica: none
	b = binary.BigEndian.AppendUint32(b, uint32(f.maxWait.Milliseconds()))
	b = binary.BigEndian.AppendUint32(b, 1) // bytes that are worth an answer
	// The bound that counts is the partition's. One that ends the whole answer
	// makes the embedded broker leave out which transactions were aborted.
	b = binary.BigEndian.AppendUint32(b, maxFetched)
	b = append(b, readCommitted)
	b = binary.BigEndian.AppendUint32(b, 0)          // session: none
	b = binary.BigEndian.AppendUint32(b, 0xffffffff) // session epoch: none
	b = binary.BigEndian.AppendUint32(b, 1)
	b = appendString(b, f.topic, false)
	b = binary.BigEndian.AppendUint32(b, 1)
	b = binary.BigEndian.AppendUint32(b, uint32(f.partition))
	b = binary.BigEndian.AppendUint32(b, 0xffffffff) // leader epoch: not checked
	b = binary.BigEndian.AppendUint64(b, uint64(f.offset))
	b = binary.BigEndian.AppendUint64(b, 0xffffffffffffffff) // log start: for followers
	b = binary.BigEndian.AppendUint32(b, uint32(f.maxBytes))
	b = binary.BigEndian.AppendUint32(b, 0) // forgotten topics
	return appendString(b, "", false)       // rack
}

func (f *fetchRequest) read(body []byte) (*fetchAnswer, error) {
	r := &reader{b: body}
	r.int32() // throttle
	if code := r.int16(); code != 0 {
		return &fetchAnswer{code: kafka.Error(code)}, nil
	}
	r.int32() // session
	var found *fetchAnswer
	for range r.array(6) {
		topic := r.string()
		for range r.array(34) {
			partition, part := readFetched(r)
			if topic == f.topic && int(partition) == f.partition {
				found = &part
			}
		}
	}
	switch {
	case r.bad:
		return nil, errors.New("the broker's answer to Fetch cannot be read")
	case found == nil:
		return nil, fmt.Errorf("the broker's answer to Fetch is not about topic %s partition %d", f.topic, f.partition)
	}
	return found, nil
}

func readFetched(r *reader) (int32, fetchAnswer) {
	partition := r.int32()
	a := fetchAnswer{code: kafka.Error(r.int16()), highWatermark: r.int64()}
	r.int64() // last stable offset
	r.int64() // log start
	for range r.array(16) {
		a.aborted = append(a.aborted, aborted{producer: r.int64(), first: r.int64()})
	}
	r.int32() // preferred replica: only with a rack
	if size := r.int32(); size > 0 {
		a.set = r.take(int(size))
	}
	return partition, a
}
