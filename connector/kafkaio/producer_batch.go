package kafkaio

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
)

// batchMagic is the version of the batch's format, since Kafka 0.11.
const batchMagic = 2

// sizeOf returns how many bytes a message takes in a batch, at most.
func sizeOf(m *Message) int {
	// Length, attributes, time, offset, length of key, of value, number of headers.
	size := 5 + 1 + 10 + 5 + 5 + 5 + 5 + len(m.Key) + len(m.Value)
	for i := range m.Headers {
		size += 10 + len(m.Headers[i].Key) + len(m.Headers[i].Value)
	}
	return size
}

// appendRequest encodes a Produce request of version 7 with the given batches,
// sorted by topic. Afterwards the bytes of each batch are a part of it, to be
// sent again as they are.
func appendRequest(b []byte, clientID string, id int32, batches []*batch) []byte {
	b = binary.BigEndian.AppendUint32(b, 0) // length, at the end
	b = appendHeader(b, 0, produceVersion, id, clientID, false)
	b = binary.BigEndian.AppendUint16(b, 0xffff) // no transaction
	b = binary.BigEndian.AppendUint16(b, 0xffff) // acks: all in-sync replicas
	b = binary.BigEndian.AppendUint32(b, uint32(replicaPatience/time.Millisecond))
	topics := len(b)
	b = binary.BigEndian.AppendUint32(b, 0)
	var topic *outTopic
	partitions := 0
	for _, batch := range batches {
		if batch.queue.topic != topic {
			topic = batch.queue.topic
			increment(b[topics:])
			b = appendString(b, topic.name, false)
			partitions = len(b)
			b = binary.BigEndian.AppendUint32(b, 0)
		}
		increment(b[partitions:])
		b = binary.BigEndian.AppendUint32(b, uint32(batch.queue.partition))
		b = binary.BigEndian.AppendUint32(b, 0)
		start := len(b)
		if batch.bytes != nil {
			b = append(b, batch.bytes...)
		} else {
			b = batch.append(b)
		}
		batch.start, batch.end = start, len(b)
		binary.BigEndian.PutUint32(b[start-4:], uint32(len(b)-start))
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	for _, batch := range batches {
		batch.bytes = b[batch.start:batch.end] // not before: b may have moved
	}
	return b
}

func increment(b []byte) {
	binary.BigEndian.PutUint32(b, binary.BigEndian.Uint32(b)+1)
}

// append encodes the batch, uncompressed.
func (b *batch) append(dst []byte) []byte {
	start := len(dst)
	dst = slices.Grow(dst, b.size)
	dst = dst[:start+batchHeader]
	base := b.entries[0].timestamp()
	latest := base
	for i, e := range b.entries {
		at := e.timestamp()
		latest = max(latest, at)
		dst = appendMessage(dst, e.message(), at-base, i)
	}
	h := dst[start:]
	binary.BigEndian.PutUint64(h, 0) // base offset: the broker's to give
	binary.BigEndian.PutUint32(h[8:], uint32(len(h)-12))
	binary.BigEndian.PutUint32(h[12:], 0xffffffff) // leader epoch: the broker's too
	h[16] = batchMagic
	binary.BigEndian.PutUint16(h[21:], 0) // no compression, no transaction
	binary.BigEndian.PutUint32(h[23:], uint32(len(b.entries)-1))
	binary.BigEndian.PutUint64(h[27:], uint64(base))
	binary.BigEndian.PutUint64(h[35:], uint64(latest))
	binary.BigEndian.PutUint64(h[43:], uint64(b.id.producer))
	binary.BigEndian.PutUint16(h[51:], uint16(b.id.epoch))
	binary.BigEndian.PutUint32(h[53:], uint32(b.sequence))
	binary.BigEndian.PutUint32(h[57:], uint32(len(b.entries)))
	binary.BigEndian.PutUint32(h[17:], crc32.Checksum(h[21:], castagnoli))
	return dst
}

func (e entry) timestamp() int64 {
	if m := e.message(); !m.Time.IsZero() {
		return m.Time.UnixMilli()
	}
	return e.sending.at.UnixMilli()
}

func appendMessage(b []byte, m *Message, delta int64, index int) []byte {
	size := 1 + varintLen(delta) + varintLen(int64(index)) + bytesLen(m.Key) + bytesLen(m.Value) + varintLen(int64(len(m.Headers)))
	for i := range m.Headers {
		h := &m.Headers[i]
		size += varintLen(int64(len(h.Key))) + len(h.Key) + bytesLen(h.Value)
	}
	b = binary.AppendVarint(b, int64(size))
	b = append(b, 0) // attributes, unused
	b = binary.AppendVarint(b, delta)
	b = binary.AppendVarint(b, int64(index))
	b = appendNullable(b, m.Key)
	b = appendNullable(b, m.Value)
	b = binary.AppendVarint(b, int64(len(m.Headers)))
	for i := range m.Headers {
		h := &m.Headers[i]
		b = binary.AppendVarint(b, int64(len(h.Key)))
		b = append(b, h.Key...)
		b = appendNullable(b, h.Value)
	}
	return b
}

// appendNullable writes nil as null, which is not the same as empty.
func appendNullable(b, v []byte) []byte {
	if v == nil {
		return binary.AppendVarint(b, -1)
	}
	return append(binary.AppendVarint(b, int64(len(v))), v...)
}

func bytesLen(v []byte) int {
	if v == nil {
		return 1
	}
	return varintLen(int64(len(v))) + len(v)
}

// varintLen is the length of what binary.AppendVarint appends.
func varintLen(v int64) int {
	n := 1
	for u := uint64(v)<<1 ^ uint64(v>>63); u >= 0x80; u >>= 7 {
		n++
	}
	return n
}

// stored is what a broker answered about one batch.
type stored struct {
	code   kafka.Error
	offset int64 // of the first record
}
