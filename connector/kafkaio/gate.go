package kafkaio

import (
	"errors"
	"sync/atomic"
)

// gate tells whether a request was begun. A connection may still be under way
// when patience is lost, and what was never begun has a known outcome: none. The
// first to move the gate decides.
type gate struct{ state atomic.Int32 }

const (
	gateNew int32 = iota
	gateBegun
	gateAbandoned
)

// errAbandoned ends a request that was not begun.
var errAbandoned = errors.New("request taken back before it was sent")

// begin is called by whoever is about to write the request, and not when it fails.
func (g *gate) begin() error {
	if !g.state.CompareAndSwap(gateNew, gateBegun) {
		return errAbandoned
	}
	return nil
}

// abandon reports whether the request was not begun, and keeps it from being so.
func (g *gate) abandon() bool {
	return g.state.CompareAndSwap(gateNew, gateAbandoned) || g.state.Load() == gateAbandoned
}
