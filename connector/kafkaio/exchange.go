package kafkaio

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go/protocol"
)

// maxAnswer bounds an answer of a broker. Before it is read, an answer is a
// length that a fault or a stranger on the other end may have made up.
const maxAnswer = 128 << 20

var correlation atomic.Int32

// newestVersion leaves the version of a request to what the broker and we know.
const newestVersion = math.MaxInt16

// asked is a request that writes itself and reads its answer, where kafka-go's
// own does not do.
type asked interface {
	protocol.Message
	exchange(c *conn) (protocol.Message, error)
}

// exchange makes one request, in the newest version up to the given one that the
// broker takes and kafka-go knows.
func (c *conn) exchange(req protocol.Message, newest int16) (protocol.Message, error) {
	if own, ok := req.(asked); ok {
		return own.exchange(c)
	}
	version := req.ApiKey().SelectVersion(0, min(c.offered[req.ApiKey()], newest))
	if p, ok := req.(protocol.PreparedMessage); ok {
		p.Prepare(version)
	}
	id := correlation.Add(1)
	if err := protocol.WriteRequest(c, version, id, c.clientID, req); err != nil {
		return nil, err
	}
	size, err := answerSize(c, maxAnswer)
	if err != nil {
		return nil, err
	}
	whole := io.MultiReader(bytes.NewReader(binary.BigEndian.AppendUint32(nil, uint32(size))), c)
	got, res, err := protocol.ReadResponse(whole, req.ApiKey(), version)
	if err != nil {
		return nil, err
	}
	if got != id {
		return nil, fmt.Errorf("answer to request %d came for request %d", got, id)
	}
	return res, nil
}

// roundTrip makes one request within ctx. After an error other than errAbandoned
// the connection is of no further use. A gate, where there is one, tells
// afterwards whether anything was sent.
func (c *conn) roundTrip(ctx context.Context, req protocol.Message, newest int16, g *gate) (protocol.Message, error) {
	if g != nil {
		if err := g.begin(); err != nil {
			return nil, err
		}
	}
	deadline, _ := ctx.Deadline() // none: the zero time, which is none here too
	if err := c.SetDeadline(deadline); err != nil {
		return nil, err
	}
	release := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	res, err := c.exchange(req, newest)
	if !release() && err == nil {
		// The answer came with the end of ctx, whose deadline may still be set.
		_ = c.Close()
		c.ends = time.Unix(1, 0)
	}
	return res, err
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
