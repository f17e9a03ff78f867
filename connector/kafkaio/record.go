package kafkaio

import "time"

// AnyPartition leaves the choice of the partition to the key, as Java clients
// choose it (see Partition).
const AnyPartition = -1

// Header is one header of a Kafka record. Keys may repeat and their order is kept.
type Header struct {
	Key   string
	Value []byte
}

// Record is a record as it was read. Key and Value are nil where Kafka has a
// null, which is not the same as empty. The slices of one batch share one
// buffer, which is never used again after the record was handed out, so they
// may be kept; keeping one keeps its whole batch in memory.
type Record struct {
	Topic     string
	Partition int
	Offset    int64
	Time      time.Time // milliseconds, UTC
	Key       []byte
	Value     []byte
	Headers   []Header
}

// Message is a record to be written. A nil Key or Value is written as null.
type Message struct {
	Topic     string
	Partition int // AnyPartition: by murmur2 of the key
	Key       []byte
	Value     []byte
	Headers   []Header
	Time      time.Time // zero: when it is sent
}

// TopicPartition names one partition of a topic.
type TopicPartition struct {
	Topic     string
	Partition int
}
