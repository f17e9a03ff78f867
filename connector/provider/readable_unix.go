//go:build unix

package provider

import "syscall"

// readable reports whether an idle socket holds something to read: data, an error
// or the peer's end. It does not wait. A byte that was there is lost, so the
// connection must not be used after a yes.
func readable(socket syscall.RawConn) bool {
	if socket == nil {
		return false
	}
	something := true
	err := socket.Read(func(fd uintptr) bool {
		var b [1]byte
		_, err := syscall.Read(int(fd), b[:])
		something = err != syscall.EAGAIN && err != syscall.EWOULDBLOCK
		return true // never wait for more
	})
	return err != nil || something
}
