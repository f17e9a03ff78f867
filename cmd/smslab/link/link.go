// Package link is the way of one process over a virtual network, which a test can
// freeze and cut. What hangs behind a frozen link cannot tell it from a host that
// stands still; what hangs behind a cut one has no effect on anybody any more.
package link

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
)

// Link is a process's only way to others. Network must be set.
type Link struct {
	Network interface {
		DialContext(ctx context.Context, network, address string) (net.Conn, error)
	}

	mu     sync.Mutex
	gone   bool
	thawed chan struct{} // nil: not frozen
	conns  []net.Conn
}

var errCut = errors.New("the link is cut")

// Dial waits while the link is frozen, and fails when it is cut.
func (l *Link) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if err := l.rest(ctx); err != nil {
		return nil, err
	}
	far, err := l.Network.DialContext(ctx, network, strings.Replace(address, "127.0.0.1", "localhost", 1))
	if err != nil {
		return nil, err
	}
	near, between := net.Pipe()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone {
		return nil, errors.Join(errCut, far.Close())
	}
	l.conns = append(l.conns, far, between)
	life := context.WithoutCancel(ctx)
	go l.carry(life, far, between)
	go l.carry(life, between, far)
	return near, nil
}

// Cut ends everything at once, and for good.
func (l *Link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone = true
	for _, c := range l.conns {
		_ = c.Close()
	}
	l.conns = nil
}

// Freeze holds back whatever is on its way, in either direction, until thaw. It
// reports false when there is nothing to freeze: it is frozen already, or cut.
func (l *Link) Freeze() (thaw func(), frozen bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.thawed != nil || l.gone {
		return nil, false
	}
	thawed := make(chan struct{})
	l.thawed = thawed
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.thawed = nil
		close(thawed)
	}, true
}

// rest waits for the thaw.
func (l *Link) rest(ctx context.Context) error {
	l.mu.Lock()
	thawed, gone := l.thawed, l.gone
	l.mu.Unlock()
	if gone {
		return errCut
	}
	if thawed != nil {
		select {
		case <-thawed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (l *Link) carry(ctx context.Context, to, from net.Conn) {
	defer to.Close()   //nolint:errcheck // nothing is told on a link that ends
	defer from.Close() //nolint:errcheck // same
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if l.rest(ctx) != nil {
			return
		}
		if _, failed := to.Write(buffer[:n]); err != nil || failed != nil {
			return
		}
	}
}
