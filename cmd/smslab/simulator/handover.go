package simulator

import (
	"net"
	"sync"
)

// handover is the listener through which net/http gets the connections that we do
// not serve ourselves, with the bytes that we have looked at.
type handover struct {
	addr   net.Addr
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newHandover(addr net.Addr) *handover {
	return &handover{addr: addr, conns: make(chan net.Conn), closed: make(chan struct{})}
}

// give hands a connection over, or ends it when nobody takes it any more.
func (h *handover) give(l *line) {
	select {
	case h.conns <- l:
	case <-h.closed:
		l.Close() //nolint:errcheck // nothing depends on how it went
	}
}

// Read gives first what was looked at.
func (l *line) Read(p []byte) (int, error) { return l.br.Read(p) }

// Accept is net.Listener's.
func (h *handover) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close is net.Listener's.
func (h *handover) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// Addr is net.Listener's.
func (h *handover) Addr() net.Addr { return h.addr }

// tracked is a connection that its owner wants to know closed.
type tracked struct {
	net.Conn
	forget func(net.Conn)
}

// Close forgets the connection and closes it.
func (t *tracked) Close() error {
	t.forget(t)
	return t.Conn.Close()
}
