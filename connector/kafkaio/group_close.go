package kafkaio

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/segmentio/kafka-go/protocol/leavegroup"
)

// Close leaves the group, so that the others need not wait for the session to
// time out. It releases the generation; drain before. It takes some milliseconds,
// and with a Kafka that does not answer some seconds.
//
// Known limit: who leaves while the very first join has not been answered has no
// member id to leave by, and the group waits for it for a session timeout.
func (g *Group) Close() error {
	g.closing.Do(g.close)
	return nil
}

func (g *Group) close() {
	close(g.done)
	g.mu.Lock()
	gen, library := g.current, g.library
	if library == nil {
		g.stop() // under the lock: see join
	}
	g.mu.Unlock()

	left := make(chan struct{})
	go func() {
		defer close(left)
		if library != nil {
			_ = library.Close() // it never fails
		}
	}()
	if gen != nil {
		gen.Release()
		ctx, cancel := context.WithTimeout(context.Background(), closePatience)
		if g.leave(ctx, gen.member) {
			g.leash.cut()
		}
		cancel()
	}
	timer := time.NewTimer(closePatience)
	defer timer.Stop()
	select {
	case <-left:
	case <-timer.C:
		g.leash.cut()
		<-left
	}
	g.leash.cut()
	g.stop()
	g.wg.Wait()
}

// leave says good-bye and reports whether that was heard. kafka-go does so too,
// but not while it joins anew: its Close then takes as long as the slowest member
// drains.
func (g *Group) leave(ctx context.Context, member string) bool {
	res, err := g.ask(ctx, &leavegroup.Request{
		GroupID: g.cfg.ID,
		Members: []leavegroup.RequestMember{{MemberID: member}},
	}, 0, nil) // see beatOnce
	if err != nil {
		return false
	}
	answer, ok := res.(*leavegroup.Response)
	return ok && answer.ErrorCode == 0
}

// leash holds kafka-go's connections to the coordinator, which it never lets go
// while it waits on them.
type leash struct {
	next  func(ctx context.Context, network, addr string) (net.Conn, error)
	mu    sync.Mutex
	conns map[*leashed]struct{} // nil when cut
	off   chan struct{}
}

func newLeash(next func(ctx context.Context, network, addr string) (net.Conn, error)) *leash {
	return &leash{next: next, conns: map[*leashed]struct{}{}, off: make(chan struct{})}
}

func (l *leash) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	dialled := make(chan struct{})
	defer close(dialled)
	go func() {
		select {
		case <-l.off:
			cancel()
		case <-dialled:
		}
	}()
	conn, err := l.next(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	held := &leashed{Conn: conn, leash: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns == nil {
		_ = conn.Close()
		return nil, errLeft
	}
	l.conns[held] = struct{}{}
	return held, nil
}

var errLeft = errors.New("the group is being left")

// cut closes all connections and lets none come after.
func (l *leash) cut() {
	l.mu.Lock()
	conns := l.conns
	if conns != nil {
		close(l.off)
	}
	l.conns = nil
	l.mu.Unlock()
	for conn := range conns {
		_ = conn.Conn.Close()
	}
}

type leashed struct {
	net.Conn
	leash *leash
}

// Close implements net.Conn.
func (c *leashed) Close() error {
	c.leash.mu.Lock()
	delete(c.leash.conns, c)
	c.leash.mu.Unlock()
	return c.Conn.Close()
}
