package push

import (
	"container/list"
	"net"
	"net/netip"
	"sync"
)

// Limits of connections.
const (
	maxConns        = 1024
	maxConnsOfParty = 64 // of one address; trusted proxies carry everybody and are exempt
)

// Causes of closing a connection to stay within them.
const (
	limitOfAll   = "limit"
	limitOfParty = "address_limit"
)

// conns is a listener that never lets slow clients keep others out. When all
// connections are taken, all of an address or all there are, a new one is not
// refused: the one that has kept us waiting longest for a complete request is
// closed instead. Strangers and those that have made a good push wait apart, and
// the larger crowd has to give, so clients that dribble bytes only push out each
// other. A new one is refused where all the others are at work.
type conns struct {
	net.Listener
	exempt func(netip.Addr) bool // from the limit for each address
	closed func(cause string)

	mu      sync.Mutex
	open    map[string]*conn // by remote address, by which a handler knows it
	parties map[netip.Addr]int
	// Connections that we wait for, longest first. Those at work are in neither.
	strangers, known list.List
}

// conn is one connection of conns.
type conn struct {
	net.Conn
	owner *conns
	name  string // its remote address
	party netip.Addr

	// Guarded by owner.mu.
	good    bool          // has made a good push
	waiting *list.Element // nil while at work or closed
}

func newConns(l net.Listener, exempt func(netip.Addr) bool, closed func(cause string)) *conns {
	return &conns{
		Listener: l,
		exempt:   exempt,
		closed:   closed,
		open:     map[string]*conn{},
		parties:  map[netip.Addr]int{},
	}
}

// Accept waits for the next connection that is within the limits.
func (l *conns) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c, victim, cause := l.admit(accepted)
		if victim != nil {
			_ = victim.Close() // whoever it was has shown no interest; nothing to tell
		}
		if cause != "" {
			l.closed(cause)
		}
		if c != nil {
			return c, nil
		}
	}
}

// admit registers a connection. victim, if any, is to be closed; cause says
// what was not within the limits.
func (l *conns) admit(accepted net.Conn) (c *conn, victim net.Conn, cause string) {
	name := accepted.RemoteAddr().String()
	addr, _ := peer(name)

	l.mu.Lock()
	defer l.mu.Unlock()
	whose := party(addr)
	switch {
	case l.parties[whose] >= maxConnsOfParty && !l.exempt(addr):
		cause, victim = limitOfParty, l.evict(l.oldestOf(whose))
	case len(l.open) >= maxConns:
		cause, victim = limitOfAll, l.evict(l.oldest())
	}
	if cause != "" && victim == nil {
		return nil, accepted, cause
	}
	c = &conn{Conn: accepted, owner: l, name: name, party: whose}
	l.enlist(c)
	l.open[name] = c
	l.parties[c.party]++
	return c, victim, cause
}

// oldest is the connection that can best be spared of all.
func (l *conns) oldest() *list.Element {
	if l.known.Len() > l.strangers.Len() {
		return l.known.Front()
	}
	return l.strangers.Front()
}

// oldestOf is the connection that can best be spared of one address, by the same
// rule: whoever shares the provider's address must not push out the provider.
func (l *conns) oldestOf(whose netip.Addr) *list.Element {
	strangers, first := among(&l.strangers, whose)
	known, firstKnown := among(&l.known, whose)
	if known > strangers {
		return firstKnown
	}
	return first
}

// among counts those of an address in a list, and finds the first.
func among(waiting *list.List, whose netip.Addr) (n int, first *list.Element) {
	for e := waiting.Front(); e != nil; e = e.Next() {
		if e.Value.(*conn).party != whose {
			continue
		}
		if n++; first == nil {
			first = e
		}
	}
	return n, first
}

// evict forgets a connection, for the caller to close. Nil if there is none.
func (l *conns) evict(e *list.Element) net.Conn {
	if e == nil {
		return nil
	}
	c := e.Value.(*conn)
	l.forget(c)
	return c.Conn
}

// atWork keeps the connection from being evicted: its request is complete.
func (l *conns) atWork(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.open[name]; c != nil {
		l.unlist(c)
	}
}

// waits lets the connection be evicted again: its request was answered.
func (l *conns) waits(name string, good bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.open[name]
	if c == nil {
		return
	}
	l.unlist(c)
	c.good = c.good || good
	l.enlist(c)
}

func (l *conns) enlist(c *conn) {
	if c.good {
		c.waiting = l.known.PushBack(c)
	} else {
		c.waiting = l.strangers.PushBack(c)
	}
}

func (l *conns) unlist(c *conn) {
	if c.waiting == nil {
		return
	}
	if c.good {
		l.known.Remove(c.waiting)
	} else {
		l.strangers.Remove(c.waiting)
	}
	c.waiting = nil
}

// forget takes a connection out of the books, once.
func (l *conns) forget(c *conn) {
	if l.open[c.name] != c {
		return
	}
	l.unlist(c)
	delete(l.open, c.name)
	if l.parties[c.party]--; l.parties[c.party] == 0 {
		delete(l.parties, c.party)
	}
}

// Close forgets the connection before its remote address can be used again.
func (c *conn) Close() error {
	c.owner.mu.Lock()
	c.owner.forget(c)
	c.owner.mu.Unlock()
	return c.Conn.Close()
}

// CloseWrite lets net/http end an answer that it gives before it has read the
// whole request (431, 413): the client sees the end before the reset that comes
// of closing with bytes unread.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return net.ErrClosed
}
