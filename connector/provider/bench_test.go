package provider

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"smsbridge/codec/wire"
)

// BenchmarkSubmit is one call, with BenchmarkNetHTTP to compare: what a careful
// loop without any of our promises would do.
func BenchmarkSubmit(b *testing.B) {
	c := newClient(b, raw(b, lean).URL)
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, f := c.Submit(b.Context(), text); f != nil {
				b.Error(f)
			}
		}
	})
}

func BenchmarkNetHTTP(b *testing.B) {
	url := raw(b, lean).URL
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	defer client.CloseIdleConnections()
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			body := wire.AppendSubmit(nil, wire.Submit{
				Name: "canaryname", Password: canaryPassword, Content: text.Content, Mobiles: text.Mobiles, Sign: text.Sign,
			})
			resp, err := client.Post(url, "application/x-www-form-urlencoded", strings.NewReader(string(body)))
			if err != nil {
				b.Error(err)
				return
			}
			answer, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil {
				b.Error(err)
			}
			if _, err := wire.ParseAnswer(answer); err != nil {
				b.Error(err)
			}
		}
	})
}

// lean answers whatever comes in one piece, so that the server's own work does
// not cover the client's.
func lean(p *peer) {
	said := []byte(answer(acceptedLine))
	buf := make([]byte, 4096)
	for {
		if _, err := p.Read(buf); err != nil {
			return
		}
		if _, err := p.Write(said); err != nil {
			return
		}
	}
}
