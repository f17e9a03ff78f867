package kafkaio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// produceVersion is the version of Produce that brokers from Kafka 2.1 on take,
// the last before the encoding changes without giving us anything.
const produceVersion = 7

// produceRequest is our own Produce request: kafka-go's knows one producer id
// for all and encodes anew what must be the same bytes.
type produceRequest struct {
	gate
	id    int32
	bytes []byte // all of it
}

// produceAnswer is the body of an answer.
type produceAnswer struct{ body []byte }

// ApiKey implements protocol.Message.
func (*produceRequest) ApiKey() protocol.ApiKey { return protocol.Produce } //nolint:revive // the interface's spelling

// ApiKey implements protocol.Message.
func (*produceAnswer) ApiKey() protocol.ApiKey { return protocol.Produce } //nolint:revive // the interface's spelling

// exchange implements asked.
func (r *produceRequest) exchange(c *conn) (protocol.Message, error) {
	if _, err := c.Write(r.bytes); err != nil {
		return nil, err
	}
	size, err := answerSize(c, maxAnswer)
	if err != nil {
		return nil, err
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(c, body); err != nil {
		return nil, err
	}
	if got := int32(binary.BigEndian.Uint32(body)); got != r.id {
		return nil, fmt.Errorf("answer to request %d came for request %d", got, r.id)
	}
	return &produceAnswer{body[4:]}, nil
}

// each calls f with what the broker says about each partition.
func (a *produceAnswer) each(f func(topic []byte, partition int32, s stored)) error {
	r := &reader{b: a.body}
	for range r.array(6) {
		topic := r.take(int(r.int16()))
		for range r.array(30) {
			partition := r.int32()
			s := stored{code: kafka.Error(r.int16()), offset: r.int64()}
			r.int64() // append time
			r.int64() // start of the log
			if r.bad {
				break
			}
			f(topic, partition, s)
		}
	}
	r.int32() // throttle
	if r.bad {
		return errors.New("the broker's answer to Produce cannot be read")
	}
	return nil
}
