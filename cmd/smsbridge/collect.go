package main

import (
	"os"
	"runtime/debug"
)

// What may come together before garbage is collected is a percentage of what
// lives. That is next to nothing in a small heap, which then is collected many
// times a second, and much in a large one. Ballast counts as living and is never
// touched, so it has no memory behind it: the heap has room for
// gcPercent × (what lives + ballast).
const (
	gcPercent   = 30
	ballastSize = 32 << 20 // bytes; GOMEMLIMIT counts them too
)

// ballast is kept for ever.
var ballast []byte

// easeCollector does what the runtime has no setting for. Whoever sets GOGC
// decides for himself.
func easeCollector() {
	if os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(gcPercent)
	ballast = make([]byte, ballastSize)
}
