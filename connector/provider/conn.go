package provider

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"syscall"
	"time"
)

// conn is one connection to the provider with its buffers. One call uses it at a
// time, in its own goroutine; between calls nobody touches it.
type conn struct {
	net    net.Conn
	socket syscall.RawConn // of the TCP connection below; nil where there is none

	br        *bufio.Reader // reads through conn.Read
	left      int           // bytes that may still be read for this answer
	broken    error         // what reading from the network failed with, EOF included
	form, out []byte        // the request: its body, the whole
	in        []byte        // the body of the answer

	reusable bool // the last answer was whole and ended where it should
	since    time.Time
}

func newConn(nc net.Conn, socket syscall.RawConn) *conn {
	c := &conn{net: nc, socket: socket}
	c.br = bufio.NewReaderSize(c, 2<<10)
	return c
}

var errReadLimit = errors.New("answer over the limit")

// Read bounds what a hostile server can make us read: http.ReadResponse has no
// limit of its own on headers. It also notes the network's error, which the
// parser above may turn into one of its own.
func (c *conn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errReadLimit
	}
	if len(p) > c.left {
		p = p[:c.left]
	}
	n, err := c.net.Read(p)
	c.left -= n
	if err != nil {
		c.broken = err
	}
	return n, err
}

// abort closes the connection with a reset instead of a regular end.
func (c *conn) abort() {
	nc := c.net
	for t, ok := nc.(*tls.Conn); ok; t, ok = nc.(*tls.Conn) {
		nc = t.NetConn()
	}
	if t, ok := nc.(*net.TCPConn); ok {
		t.SetLinger(0) //nolint:errcheck // without it the close is a regular one, as with any other connection
	}
	nc.Close() //nolint:errcheck // nothing depends on how it went
}

// release gives the connection back, or ends it.
func (c *conn) release(p *pool) {
	if !c.reusable || !p.put(c) {
		c.net.Close() //nolint:errcheck // nothing depends on how it went
	}
}

// interruptible bounds all I/O on nc by the deadline and by ctx. A deadline of the
// connection costs no timer and no goroutine of its own. The returned stop is
// false when ctx has already struck: nc is then of no use for anything else.
func interruptible(ctx context.Context, nc net.Conn, deadline time.Time) (stop func() bool) {
	nc.SetDeadline(deadline) //nolint:errcheck // it fails on a closed connection only, where I/O fails too
	if ctx.Done() == nil {
		return func() bool { return true }
	}
	return context.AfterFunc(ctx, func() {
		nc.SetDeadline(time.Unix(1, 0)) //nolint:errcheck // as above
	})
}
