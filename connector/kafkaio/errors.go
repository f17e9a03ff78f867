package kafkaio

import (
	"context"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"
)

// ErrUnauthorized is in every error that says that the broker knows us and does
// not allow what was asked for.
var ErrUnauthorized = errors.New("not authorised")

// What makes a batch unreadable.
var (
	ErrCorrupt       = errors.New("damaged")
	ErrBatchTooLarge = errors.New("too large")
	ErrOldFormat     = errors.New("written in a message format from before Kafka 0.11, which is not read")
)

// errAnswerTooLarge is found where an answer was refused before it was read.
var errAnswerTooLarge = errors.New("answer refused")

// errAnsweredTLS is found where we spoke plainly to a listener that wants TLS.
var errAnsweredTLS = errors.New("the listener answered in TLS")

// errSilentNo is found where a broker closed the connection when it was given
// name and password, which is an answer: before Kafka 1.0 the only one.
var errSilentNo = errors.New("the broker hung up")

// BatchError says that a batch can be read by nobody: Err is or wraps
// ErrCorrupt, ErrBatchTooLarge or ErrOldFormat. Next is the offset to go on at; what
// lies between Offset and Next is then lost to the reader.
type BatchError struct {
	Topic     string
	Partition int
	Offset    int64
	Next      int64
	Err       error
}

// Error implements error.
func (e *BatchError) Error() string {
	return fmt.Sprintf("topic %s partition %d: the batch at offset %d (the next begins at %d): %v", e.Topic, e.Partition, e.Offset, e.Next, e.Err)
}

// Unwrap gives the reason.
func (e *BatchError) Unwrap() error { return e.Err }

// OutOfRangeError says that an offset is not, or no longer, in its partition,
// which holds the offsets from Start up to, without, End.
type OutOfRangeError struct {
	Topic      string
	Partition  int
	Offset     int64
	Start, End int64
}

// Error implements error.
func (e *OutOfRangeError) Error() string {
	return fmt.Sprintf("topic %s partition %d: offset %d is outside of what the partition holds, from %d up to %d", e.Topic, e.Partition, e.Offset, e.Start, e.End)
}

// BrokerError is an error code of a broker about a topic or one partition.
type BrokerError struct {
	Topic     string
	Partition int // AnyPartition: the topic
	Err       kafka.Error
}

// brokerError makes an error of a code of a broker, which must not be 0.
func brokerError(code kafka.Error, topic string, partition int) error {
	err := &BrokerError{Topic: topic, Partition: partition, Err: code}
	if unauthorized(code) {
		return fmt.Errorf("%w: %w: give the user of KAFKA_SASL_USERNAME the right by an ACL (see smsbridge topics)", ErrUnauthorized, err)
	}
	return err
}

// Error implements error.
func (e *BrokerError) Error() string {
	if e.Partition == AnyPartition {
		return fmt.Sprintf("topic %s: %s", e.Topic, title(e.Err))
	}
	return fmt.Sprintf("topic %s partition %d: %s", e.Topic, e.Partition, title(e.Err))
}

// Unwrap gives the code, for errors.Is.
func (e *BrokerError) Unwrap() error { return e.Err }

// title names a code shortly; kafka-go's own text is a paragraph.
func title(code kafka.Error) string {
	return fmt.Sprintf("%s (code %d)", code.Title(), int(code))
}

// unauthorized says whether a code means missing rights.
func unauthorized(code kafka.Error) bool {
	switch code {
	case kafka.TopicAuthorizationFailed, kafka.GroupAuthorizationFailed, kafka.ClusterAuthorizationFailed,
		kafka.TransactionalIDAuthorizationFailed:
		return true
	default:
		return false
	}
}

// temporary says whether the same request may succeed later without anybody's
// help: the broker said so, or it was not the broker who ended it. Whether a
// request that was not answered was carried out is another question.
func temporary(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, ErrUnauthorized) {
		return false
	}
	var code kafka.Error
	if !errors.As(err, &code) {
		return true // the connection, or the way to it
	}
	return code.Temporary() || code == kafka.KafkaStorageError || code == kafka.UnknownTopicID
}
