package lab

import (
	"context"
	"io"
	"net"
	"sync"
	"time"
)

// balancer stands before the connectors' push listeners, as a load balancer does
// in production: it passes each connection to the next one that accepts it.
type balancer struct {
	listener net.Listener
	backends []string
	mu       sync.Mutex
	open     map[net.Conn]struct{}
	closed   bool
	work     sync.WaitGroup
}

func balance(ctx context.Context, backends []string) (*balancer, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &balancer{listener: listener, backends: backends, open: map[net.Conn]struct{}{}}
	b.work.Go(func() {
		for next := 0; ; next++ {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			b.work.Go(func() { b.pass(client, next) })
		}
	})
	return b, nil
}

func (b *balancer) addr() string { return b.listener.Addr().String() }

func (b *balancer) pass(client net.Conn, next int) {
	defer b.forget(client)
	if !b.track(client) {
		return
	}
	for i := range b.backends {
		server, err := net.DialTimeout("tcp", b.backends[(next+i)%len(b.backends)], time.Second) //nolint:noctx // bounded by the second
		if err != nil {
			continue
		}
		if b.track(server) {
			splice(client, server)
		}
		b.forget(server)
		return
	}
}

// splice copies both ways until either end is over.
func splice(client, server net.Conn) {
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
		both.Go(func() {
			io.Copy(way[0], way[1]) //nolint:errcheck // however it ended, it is over
			way[0].Close()          //nolint:errcheck // ends the other way too
			way[1].Close()          //nolint:errcheck // as above
		})
	}
	both.Wait()
}

func (b *balancer) track(c net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.open[c] = struct{}{}
	}
	return !b.closed
}

func (b *balancer) forget(c net.Conn) {
	c.Close() //nolint:errcheck // nothing depends on how it went
	b.mu.Lock()
	delete(b.open, c)
	b.mu.Unlock()
}

func (b *balancer) close() {
	b.mu.Lock()
	b.closed = true
	for c := range b.open {
		c.Close() //nolint:errcheck // nothing depends on how it went
	}
	b.mu.Unlock()
	b.listener.Close() //nolint:errcheck // nothing depends on how it went
	b.work.Wait()
}
