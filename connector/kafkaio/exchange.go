package kafkaio

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/segmentio/kafka-go/protocol"
)

// maxAnswer bounds an answer of a broker. Before it is read, an answer is a
// length that a fault or a stranger on the other end may have made up.
const maxAnswer = 128 << 20

var correlation atomic.Int32

// routed carries a message of kafka-go to the broker of our choice. kafka-go
// itself routes by a cache of leaders that may be seconds behind, looks the
// coordinator up before every group request, and treats some answers (topics
// created) by waiting for its cache. None of that sees what is inside.
type routed struct {
	protocol.Message
	broker   int32
	clientID string
	version  int16
}

// answer hides an answer's type from kafka-go.
type answer struct{ protocol.Message }

// Broker implements protocol.BrokerMessage.
func (r *routed) Broker(protocol.Cluster) (protocol.Broker, error) {
	return protocol.Broker{ID: r.broker}, nil
}

// Required implements protocol.RawExchanger; versions are those negotiated for
// the connection that the request is about to use.
func (r *routed) Required(versions map[protocol.ApiKey]int16) bool {
	r.version = versions[r.ApiKey()]
	return true
}

// RawExchange implements protocol.RawExchanger.
func (r *routed) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	if p, ok := r.Message.(protocol.PreparedMessage); ok {
		p.Prepare(r.version)
	}
	id := correlation.Add(1)
	if err := protocol.WriteRequest(rw, r.version, id, r.clientID, r.Message); err != nil {
		return nil, err
	}
	size, err := answerSize(rw, maxAnswer)
	if err != nil {
		return nil, err
	}
	whole := io.MultiReader(bytes.NewReader(binary.BigEndian.AppendUint32(nil, uint32(size))), rw)
	got, res, err := protocol.ReadResponse(whole, r.ApiKey(), r.version)
	if err != nil {
		return nil, err
	}
	if got != id {
		return nil, fmt.Errorf("answer to request %d came for request %d", got, id)
	}
	return &answer{res}, nil
}

// exchange sends a request of our own encoding and returns the body of the
// answer, past the correlation id, in fresh memory.
func exchange(rw io.ReadWriter, header []byte, body []byte, id int32, limit int) ([]byte, error) {
	req := make([]byte, 0, 4+len(header)+len(body))
	req = binary.BigEndian.AppendUint32(req, uint32(len(header)+len(body)))
	req = append(append(req, header...), body...)
	if _, err := rw.Write(req); err != nil {
		return nil, err
	}
	size, err := answerSize(rw, limit)
	if err != nil {
		return nil, err
	}
	res := make([]byte, size)
	if _, err := io.ReadFull(rw, res); err != nil {
		return nil, err
	}
	if got := int32(binary.BigEndian.Uint32(res)); got != id {
		return nil, fmt.Errorf("answer to request %d came for request %d", got, id)
	}
	return res[4:], nil
}

func answerSize(r io.Reader, limit int) (int, error) {
	var b [4]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return 0, err
	}
	size := int64(binary.BigEndian.Uint32(b[:]))
	if looksLikeTLS(b) {
		return 0, errAnsweredTLS
	}
	if size < 4 || size > int64(limit) {
		return 0, fmt.Errorf("%w: %d bytes, where at most %d are expected", errAnswerTooLarge, size, limit)
	}
	return int(size), nil
}

// looksLikeTLS tells a TLS alert record from a length.
func looksLikeTLS(b [4]byte) bool {
	return b[0] == 0x15 && b[1] == 3 && b[2] <= 4
}
