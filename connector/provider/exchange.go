package provider

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"
)

const (
	maxAnswer = 64 << 10           // bytes of an answer's body; a real one has some sixty
	maxRead   = maxAnswer + 64<<10 // bytes read in all for one answer, 1xx, headers and chunk sizes included
)

// exchange is what differs from call to call.
type exchange struct {
	still  func() bool // asked before the first byte leaves; nil: always
	encode func([]byte) []byte
	parse  func([]byte) error
	date   *time.Time // filled with the answer's Date; nil: not wanted
}

// attempt makes the call once. Nothing in it loops back to a write: whatever goes
// wrong ends it. The status is 0 when none was read.
func (to *endpoint) attempt(ctx context.Context, deadline time.Time, x exchange) (int, *Failure) {
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	c, err := to.connection(ctx, deadline)
	if err != nil {
		return 0, notSent(ctx, err)
	}
	defer c.release(&to.pool)

	stop := interruptible(ctx, c.net, deadline)
	defer func() {
		// A deadline that the context moved meanwhile would hit the next call.
		c.reusable = stop() && c.reusable
	}()

	if x.still != nil && !x.still() {
		c.reusable = true // as it was before
		return 0, &Failure{Class: NotSent, Err: ErrWithheld}
	}
	if failure := c.write(ctx, to.head, x.encode); failure != nil {
		return 0, failure
	}
	r, err := c.read()
	if r.status == 0 {
		return 0, c.unanswered(ctx, err)
	}
	if x.date != nil {
		*x.date, _ = http.ParseTime(r.date) // zero where it is none
	}
	if failure := r.judge(time.Now()); failure != nil {
		return r.status, failure
	}
	if err != nil {
		return r.status, c.unanswered(ctx, err)
	}
	if err := x.parse(r.body); err != nil {
		return r.status, unreadable(err)
	}
	return r.status, nil
}

// write sends the whole request in one Write, whose count is the proof. The peer
// cannot act on a request of which it was not even offered the last byte, so only
// a short count is "not sent"; a full one is "perhaps", with or without an error.
func (c *conn) write(ctx context.Context, head []byte, encode func([]byte) []byte) *Failure {
	c.form = encode(c.form[:0])
	c.out = append(c.out[:0], head...)
	c.out = strconv.AppendInt(c.out, int64(len(c.form)), 10)
	c.out = append(c.out, "\r\n\r\n"...)
	c.out = append(c.out, c.form...)

	n, err := c.net.Write(c.out)
	if n < len(c.out) {
		// A plain close would look like the end of the request to a server that
		// does not count; a reset tells even that one to forget it.
		c.abort()
		return notSent(ctx, err)
	}
	return nil
}

// reply is what came back. Its body is the connection's and ends with the call.
type reply struct {
	status     int // 0: not even a head was read
	retryAfter string
	date       string
	body       []byte
}

// read reads the answer. Without an error it is whole, and then alone the
// connection can be used again.
func (c *conn) read() (reply, error) {
	c.left, c.broken = maxRead, nil
	resp, err := c.readHead()
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close() //nolint:errcheck // every byte that matters was read
	r := reply{status: resp.StatusCode, retryAfter: resp.Header.Get("Retry-After"), date: resp.Header.Get("Date")}
	if r.body, err = c.readBody(resp.Body); err != nil {
		c.left = 0 // closing the body would read the rest of it
		return r, err
	}
	// Bytes beyond the answer would be taken for the next one's.
	c.reusable = !resp.Close && c.br.Buffered() == 0
	return r, nil
}

// readHead reads to the head of the final answer. After 101 there is none: what
// follows is no longer HTTP.
func (c *conn) readHead() (*http.Response, error) {
	for {
		resp, err := http.ReadResponse(c.br, nil)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode/100 != 1 || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, nil
		}
		resp.Body.Close() //nolint:errcheck // an interim answer has no body
	}
}

// readBody is io.ReadAll with a limit, into the buffer that the connection keeps.
func (c *conn) readBody(body io.Reader) ([]byte, error) {
	b := c.in[:0]
	for len(b) <= maxAnswer {
		b = slices.Grow(b, 1)
		n, err := body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		c.in = b
		if err == io.EOF { // exactly: io.ErrUnexpectedEOF is a body that was cut
			return b, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, errAnswerTooLong
}
