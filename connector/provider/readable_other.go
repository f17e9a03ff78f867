//go:build !unix

package provider

import "syscall"

// readable cannot be asked here without waiting. The short idle time alone must
// keep requests off connections that the server is about to close.
func readable(syscall.RawConn) bool { return false }
