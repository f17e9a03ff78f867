package simulator

import (
	"io"
	"net"
	"testing"
)

// BenchmarkSubmit is one call on a kept connection, with the least possible client.
func BenchmarkSubmit(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	p, err := Start(Config{Listener: l})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			b.Error(err)
			return
		}
		defer c.Close()
		sent, got := []byte(post(submit)), make([]byte, 4096)
		for pb.Next() {
			if _, err := c.Write(sent); err != nil {
				b.Error(err)
			}
			if _, err := io.ReadAtLeast(c, got, 20); err != nil {
				b.Error(err)
			}
		}
	})
}
