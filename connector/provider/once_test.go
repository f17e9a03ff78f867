package provider

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
)

// Each trap shows first that net/http's client, used without care, makes the
// provider see one call twice, and then that ours does not.
func TestNoCallReachesTheProviderTwice(t *testing.T) {
	t.Parallel()
	// secondLost answers the first request of a connection and loses the second,
	// having read it whole.
	secondLost := func(p *peer) {
		p.request()
		p.say(answer(acceptedLine))
		p.request()
	}
	post := func(url string) *http.Request {
		req, err := http.NewRequest(http.MethodPost, url, strings.NewReader("mobile="+canaryNumber))
		if err != nil {
			t.Fatal(err)
		}
		return req
	}
	tests := map[string]struct {
		serve    func(p *peer)
		calls    int
		careless func(url string) *http.Request
	}{
		"a GET on a reused connection": {
			serve: secondLost, calls: 2,
			careless: func(url string) *http.Request {
				req := post(url)
				req.Method, req.Body, req.GetBody, req.ContentLength = http.MethodGet, nil, nil, 0
				return req
			},
		},
		"an Idempotency-Key": {
			serve: secondLost, calls: 2,
			careless: func(url string) *http.Request {
				req := post(url)
				req.Header.Set("Idempotency-Key", "1")
				return req
			},
		},
		"an X-Idempotency-Key": {
			serve: secondLost, calls: 2,
			careless: func(url string) *http.Request {
				req := post(url)
				req.Header.Set("X-Idempotency-Key", "1")
				return req
			},
		},
		"a redirect with 307 and a body that can be had again": {
			serve: func(p *peer) {
				p.request()
				p.say(response("307 Elsewhere", "Location: /\r\nConnection: close\r\n", ""))
				p.request()
			},
			calls: 1, careless: post,
		},
		"a redirect with 308": {
			serve: func(p *peer) {
				p.request()
				p.say(response("308 Elsewhere", "Location: /\r\nConnection: close\r\n", ""))
				p.request()
			},
			calls: 1, careless: post,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := raw(t, tt.serve)
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			for range tt.calls {
				if resp, err := (&http.Client{Transport: transport}).Do(tt.careless(server.URL)); err == nil {
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
			}
			if n := server.whole.Load(); n <= int64(tt.calls) {
				t.Fatalf("the trap is not one: %d requests for %d calls", n, tt.calls)
			}

			server = raw(t, tt.serve)
			c := newClient(t, server.URL)
			for range tt.calls {
				c.Submit(t.Context(), text)
			}
			if n := server.whole.Load(); n != int64(tt.calls) {
				t.Errorf("%d requests for %d calls", n, tt.calls)
			}
		})
	}
}

// The reason why httptrace is not asked whether a request was sent.
func TestWroteRequestOfNetHTTPProvesNothing(t *testing.T) {
	t.Parallel()
	wrote := false
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		t.Cleanup(func() { theirs.Close() })
		return unwritable{ours}, nil
	}}
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		WroteRequest: func(info httptrace.WroteRequestInfo) { wrote = info.Err == nil },
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://provider.invalid/", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := transport.RoundTrip(req); err == nil {
		t.Fatal("an answer")
	}
	if !wrote {
		t.Error("net/http tells the truth now: doc.go should say so")
	}
}

// unwritable is a connection from which not one byte leaves.
type unwritable struct{ net.Conn }

func (unwritable) Write([]byte) (int, error) { return 0, errNetwork }

// A server that counts characters sends more than it promises. What is left over
// must neither answer the next call nor be printed.
func TestAnswerLongerThanItsLengthDoesNotAnswerTheNextCall(t *testing.T) {
	var printed strings.Builder
	log.SetOutput(&printed)
	defer log.SetOutput(log.Default().Writer())

	next := strings.Replace(acceptedLine, "2014", "2099", 1)
	server := raw(t, func(p *peer) {
		p.request()
		// In one segment: a whole second answer behind the first.
		p.say(answer(acceptedLine) + answer(next))
		io.Copy(io.Discard, p)
	})
	c := newClient(t, server.URL)
	for range 3 {
		a, f := c.Submit(t.Context(), text)
		if f != nil || a.SendID != sendID {
			t.Fatalf("%+v, %v: the answer to another call", a, f)
		}
	}
	if n := server.conns.Load(); n != 3 {
		t.Errorf("%d connections: one with bytes left over was used again", n)
	}
	if printed.Len() > 0 {
		t.Errorf("printed %q", printed.String())
	}
}

func TestConnectionThatTheServerEndedWhileIdleIsNotUsed(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(p *peer){
		"regularly":           func(p *peer) { p.Close() },
		"by a reset":          func(p *peer) { p.reset() },
		"with a late message": func(p *peer) { p.say(response("408 Request Timeout", "", "")); p.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			goOn, ended := make(chan struct{}), make(chan struct{})
			server := raw(t, func(p *peer) {
				p.request()
				p.say(answer(acceptedLine))
				if p.n == 1 {
					<-goOn
					end(p)
					close(ended)
					return
				}
				io.Copy(io.Discard, p)
			})
			c := newClient(t, server.URL)
			if _, f := c.Submit(t.Context(), text); f != nil {
				t.Fatal(f)
			}
			close(goOn)
			<-ended
			if _, f := c.Submit(t.Context(), text); f != nil {
				t.Errorf("%v: a request was written to a connection that had ended", f)
			}
			if n := server.conns.Load(); n != 2 {
				t.Errorf("%d connections", n)
			}
		})
	}
}

// The moment that no check can catch: the server ends the connection when the
// request is on its way. Nobody can tell whether it was read.
func TestRequestThatCrossesTheServersEndIsUnknown(t *testing.T) {
	t.Parallel()
	server := raw(t, func(p *peer) {
		p.request()
		p.say(answer(acceptedLine))
		p.br.ReadByte() // the next request has arrived, and is not read
		p.reset()
	})
	c := newClient(t, server.URL)
	c.Submit(t.Context(), text)
	_, f := c.Submit(t.Context(), text)
	if f == nil || f.Class != Unknown {
		t.Errorf("%+v, want unknown", f)
	}
	if n := server.conns.Load(); n != 1 {
		t.Errorf("%d connections: the request was made again", n)
	}
}

// The context may strike when the answer is just being read: what it does to the
// connection then must not hit the call after.
func TestConnectionThatTheContextStruckIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	dials := 0
	c := newClient(t, "", pipes(always(answer(acceptedLine))), func(c *Config) {
		dial := c.Dial
		c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			dials++
			nc, err := dial(ctx, network, address)
			return cancelling{nc, cancel}, err
		}
	})
	if _, f := c.Submit(ctx, text); f != nil {
		t.Fatal(f)
	}
	if _, f := c.Submit(t.Context(), text); f != nil {
		t.Fatal(f)
	}
	if dials != 2 {
		t.Errorf("%d connections", dials)
	}
}

// cancelling is a connection whose answer comes together with the call's end.
type cancelling struct {
	net.Conn
	cancel func()
}

func (c cancelling) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.cancel()
	return n, err
}
