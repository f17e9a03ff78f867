package kafkaio

import (
	"context"
	"sync"
	"time"
)

// idleTimeout is below the brokers' connections.max.idle.ms (10 minutes).
const idleTimeout = time.Minute

// pool keeps connections from one request to the next. It owns no goroutine: a
// connection that nobody uses is closed when another one comes back.
type pool struct {
	dialer

	mu     sync.Mutex
	idle   map[string][]*conn // by address, the one used last at the end
	closed bool
}

// get returns a connection to an address, to be given back by put or closed.
func (p *pool) get(ctx context.Context, address string) (*conn, error) {
	if c := p.take(address); c != nil {
		return c, nil
	}
	return p.connect(ctx, address)
}

func (p *pool) take(address string) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.prune(time.Now())
	conns := p.idle[address]
	if len(conns) == 0 {
		return nil
	}
	last := len(conns) - 1
	c := conns[last]
	conns[last] = nil
	p.idle[address] = conns[:last]
	return c
}

func (p *pool) put(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = c.Close()
		return
	}
	c.used = time.Now()
	p.idle[c.address] = append(p.idle[c.address], c)
	p.prune(c.used)
}

// prune closes what was idle for too long, or would end in the middle of a
// request. The lock is held.
func (p *pool) prune(now time.Time) {
	for address, conns := range p.idle {
		kept := conns[:0]
		for _, c := range conns {
			if now.Sub(c.used) >= idleTimeout || !c.ends.IsZero() && !now.Before(c.ends) {
				_ = c.Close()
				continue
			}
			kept = append(kept, c)
		}
		clear(conns[len(kept):])
		p.idle[address] = kept
	}
}

// drop closes the idle connections to an address: where one has died, the
// others have too.
func (p *pool) drop(address string) {
	p.mu.Lock()
	conns := p.idle[address]
	delete(p.idle, address)
	p.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
	}
}

// close closes what is idle, and what is in use when it comes back.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	all := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, conns := range all {
		for _, c := range conns {
			_ = c.Close()
		}
	}
}
