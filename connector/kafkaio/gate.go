package kafkaio

import (
	"fmt"
	"sync/atomic"

	"github.com/segmentio/kafka-go/protocol"
)

// gate tells whether a request was begun. kafka-go may still be connecting when
// we lose patience, and what was never begun has a known outcome: none. The
// first to move the gate decides.
type gate struct{ state atomic.Int32 }

const (
	gateNew int32 = iota
	gateBegun
	gateAbandoned
)

// errAbandoned ends a request that was not begun. Being a protocol.ErrNoRecord it
// makes kafka-go keep the connection, which has seen nothing of the request.
var errAbandoned = fmt.Errorf("request taken back before it was sent: %w", protocol.ErrNoRecord)

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
