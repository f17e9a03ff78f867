package provider

import (
	"sync"
	"time"
)

// idleTimeout is how long an unused connection is kept. Servers close theirs after
// five seconds and more; a request that is written at the very moment when the
// server closes has an unknown outcome, so we let go first.
const idleTimeout = 3 * time.Second

// pool keeps the connections between calls, the most recently used on top.
type pool struct {
	keep int // connections kept at most

	mu     sync.Mutex
	idle   []*conn
	timer  *time.Timer // runs while there are idle connections
	closed bool
}

// get gives an idle connection that is still good, or nil.
func (p *pool) get() *conn {
	for {
		c := p.pop()
		if c == nil {
			return nil
		}
		// What can be read from an idle connection is its end, or bytes that
		// belong to no request of ours. A request written to it would be lost in
		// doubt.
		if time.Since(c.since) < idleTimeout && !readable(c.socket) {
			return c
		}
		c.net.Close() //nolint:errcheck // nothing depends on how it went
	}
}

func (p *pool) pop() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.idle) - 1
	if last < 0 {
		return nil
	}
	c := p.idle[last]
	p.idle[last] = nil
	p.idle = p.idle[:last]
	return c
}

// put keeps c and reports whether it did.
func (p *pool) put(c *conn) bool {
	c.since = time.Now()
	c.reusable = false
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle) >= p.keep {
		return false
	}
	p.idle = append(p.idle, c)
	if p.timer == nil {
		p.timer = time.AfterFunc(idleTimeout, p.sweep)
	}
	return true
}

// sweep closes what has been idle for too long. The oldest are at the bottom.
func (p *pool) sweep() {
	p.mu.Lock()
	n := 0
	for n < len(p.idle) && time.Since(p.idle[n].since) >= idleTimeout {
		n++
	}
	old := append([]*conn(nil), p.idle[:n]...)
	p.idle = append(p.idle[:0], p.idle[n:]...)
	clear(p.idle[len(p.idle):cap(p.idle)])
	if len(p.idle) > 0 && !p.closed {
		p.timer.Reset(idleTimeout - time.Since(p.idle[0].since))
	} else {
		p.timer = nil
	}
	p.mu.Unlock()
	closeAll(old)
}

func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	if p.timer != nil {
		p.timer.Stop()
	}
	old := p.idle
	p.idle = nil
	p.mu.Unlock()
	closeAll(old)
}

func closeAll(conns []*conn) {
	for _, c := range conns {
		c.net.Close() //nolint:errcheck // nothing depends on how it went
	}
}
