package push

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// ackedLater is a sink that answers after the time that a produce takes.
type ackedLater time.Duration

func (d ackedLater) Keep(context.Context, ...Pushed) error { return d.wait() }

func (d ackedLater) wait() error {
	time.Sleep(time.Duration(d))
	return nil
}

// BenchmarkPush is a report push to its 200 on 64 connections. The bare server
// only reads the body, asks the same sink and answers.
func BenchmarkPush(b *testing.B) {
	kept := ackedLater(time.Millisecond)
	b.Run("smsbridge", func(b *testing.B) {
		c := config(kept)
		// The limit for each address is as many as there are here, and not what is
		// measured; trusted proxies are exempt.
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		pushAll(b, started(b, c).Addr())
	})
	b.Run("bare", func(b *testing.B) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		bare := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body)
			_ = kept.wait()
			_, _ = io.WriteString(w, "OK")
		})}
		go func() { _ = bare.Serve(l) }()
		b.Cleanup(func() { _ = bare.Close() })
		pushAll(b, l.Addr())
	})
}

func pushAll(b *testing.B, to net.Addr) {
	b.Helper()
	const connections = 64
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: connections, MaxIdleConnsPerHost: connections}}
	b.Cleanup(client.CloseIdleConnections)
	var left atomic.Int64
	left.Store(int64(b.N))
	done := make(chan struct{}, connections) // one from each
	b.ResetTimer()
	for range connections {
		go func() {
			defer func() { done <- struct{}{} }()
			for left.Add(-1) >= 0 {
				got, err := client.Post("http://"+to.String()+"/push/report", "application/x-www-form-urlencoded", strings.NewReader(goodReport))
				if err != nil || got.StatusCode != http.StatusOK {
					b.Errorf("%v, %v", got, err)
					return
				}
				_, _ = io.Copy(io.Discard, got.Body)
				_ = got.Body.Close()
			}
		}()
	}
	for range connections {
		<-done
	}
}
