package provider

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"smsbridge/codec/sms"
)

func TestRequestIsOnePlainFormPost(t *testing.T) {
	t.Parallel()
	got := make(chan *http.Request, 1)
	form := make(chan string, 1)
	server := raw(t, func(p *peer) {
		req, body, _ := p.request()
		got <- req
		form <- body
		p.say(answer(acceptedLine))
	})
	_, f := newClient(t, server.URL).Submit(t.Context(), Request{
		Content: "a&b=c\r\n%", Mobiles: []string{"13800000000", "13900000000"}, Sign: "签", Extension: "12",
	})
	if f != nil {
		t.Fatal(f)
	}
	req := <-got
	if req.Method != http.MethodPost || req.RequestURI != "/secretpath?secret=query" || req.Host != strings.Split(server.URL, "/")[2] {
		t.Errorf("%s %s to %s", req.Method, req.RequestURI, req.Host)
	}
	if v := req.Header.Get("Content-Type"); v != "application/x-www-form-urlencoded" {
		t.Errorf("Content-Type %q", v)
	}
	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key", "Accept-Encoding", "Expect", "Authorization", "Traceparent"} {
		if req.Header.Get(name) != "" {
			t.Errorf("header %s was sent", name)
		}
	}
	values, err := url.ParseQuery(<-form)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"name": "canaryname", "pwd": canaryPassword, "content": "a&b=c\r\n%",
		"mobile": "13800000000,13900000000", "sign": "签", "extno": "12", "type": "pt",
	} {
		if v := values[name]; len(v) != 1 || v[0] != want {
			t.Errorf("%s = %q, want %q", name, v, want)
		}
	}
}

func TestBalanceIsAskedAtItsOwnAddress(t *testing.T) {
	t.Parallel()
	submit := raw(t, always(answer(acceptedLine)))
	balance := raw(t, always(answer("0,6")))
	c := newClient(t, submit.URL, func(c *Config) { c.BalanceURL = balance.URL })
	b, f := c.Balance(t.Context())
	if f != nil || b.Amount != "6" {
		t.Errorf("%+v, %v", b, f)
	}
	if submit.whole.Load() != 0 || balance.whole.Load() != 1 {
		t.Error("asked at the wrong address")
	}
}

func TestRotatedPasswordIsUsedByTheNextCall(t *testing.T) {
	t.Parallel()
	bodies := make(chan string, 2)
	server := raw(t, func(p *peer) {
		for {
			_, body, ok := p.request()
			if !ok {
				return
			}
			bodies <- body
			p.say(answer(acceptedLine))
		}
	})
	var password atomic.Value
	c := newClient(t, server.URL, func(c *Config) { c.Password = func() string { return password.Load().(string) } })
	for _, p := range []string{"old", "new"} {
		password.Store(p)
		c.Submit(t.Context(), text)
		if body := <-bodies; !strings.Contains(body, "pwd="+p) {
			t.Errorf("%s was not used", p)
		}
	}
}

func TestContextThatEndsEarlyTellsWhetherTheRequestLeft(t *testing.T) {
	t.Parallel()
	t.Run("before the call", func(t *testing.T) {
		t.Parallel()
		server := raw(t, always(answer(acceptedLine)))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, f := newClient(t, server.URL).Submit(ctx, text)
		if f == nil || f.Class != NotSent || f.Reason != sms.Interrupted || server.conns.Load() != 0 {
			t.Errorf("%+v", f)
		}
	})
	t.Run("after the request was written", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		server := raw(t, func(p *peer) { p.request(); cancel(); io.Copy(io.Discard, p) })
		_, f := newClient(t, server.URL).Submit(ctx, text)
		if f == nil || f.Class != Unknown || f.Reason != sms.Interrupted {
			t.Errorf("%+v", f)
		}
	})
	t.Run("by its deadline", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			c := newClient(t, "", pipes(func(p *peer) { p.request(); io.Copy(io.Discard, p) }))
			start := time.Now()
			_, f := c.Submit(ctx, text)
			if f == nil || f.Class != Unknown || f.Reason != sms.Timeout || time.Since(start) != time.Second {
				t.Errorf("%+v after %v", f, time.Since(start))
			}
		})
	})
}

func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	server := raw(t, always(answer(acceptedLine)))
	c := newClient(t, server.URL, func(c *Config) { c.MaxInFlight = 8 })
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if _, f := c.Submit(t.Context(), text); f != nil {
					t.Error(f)
				}
			}
		})
	}
	wg.Wait()
	if n := server.conns.Load(); n > 8 {
		t.Errorf("%d connections for 8 callers", n)
	}
	if n := server.whole.Load(); n != 400 {
		t.Errorf("%d requests", n)
	}
}

func TestWhatIsNoLongerWantedWhenTheConnectionStandsIsWithheld(t *testing.T) {
	t.Parallel()
	server := raw(t, always(answer(acceptedLine)))
	c := newClient(t, server.URL)
	unwanted := text
	unwanted.Still = func() bool { return false }
	wanted := text
	wanted.Still = func() bool { return true }
	for range 3 {
		if _, f := c.Submit(t.Context(), unwanted); f == nil || f.Class != NotSent || !errors.Is(f, ErrWithheld) {
			t.Fatalf("failure %v", f)
		}
		if _, f := c.Submit(t.Context(), wanted); f != nil {
			t.Fatal(f)
		}
	}
	if whole, conns := server.whole.Load(), server.conns.Load(); whole != 3 || conns != 1 {
		t.Errorf("%d requests over %d connections, want 3 over 1", whole, conns)
	}
}

func TestRefusalsLeaveTheConnectionUsable(t *testing.T) {
	t.Parallel()
	server := raw(t, always(response("429 Slow", "", "slow down")))
	c := newClient(t, server.URL)
	for range 5 {
		c.Submit(t.Context(), text)
	}
	if n := server.conns.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestConnectionThatTheServerWillCloseIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	for name, said := range map[string]string{
		"by its header":  response("200 OK", "Connection: close\r\n", acceptedLine),
		"by its version": strings.Replace(answer(acceptedLine), "HTTP/1.1", "HTTP/1.0", 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := raw(t, once(said)) // it says so, and takes its time
			c := newClient(t, server.URL)
			for range 2 {
				if _, f := c.Submit(t.Context(), text); f != nil {
					t.Error(f)
				}
			}
			if n := server.conns.Load(); n != 2 {
				t.Errorf("%d connections", n)
			}
		})
	}
}

// After a freeze of the whole process the timer that closes idle connections may
// come later than the next call.
func TestConnectionIdleForTooLongIsNotGiven(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	defer theirs.Close()
	p := pool{keep: 1}
	defer p.close()
	c := newConn(ours, nil)
	p.put(c)
	c.since = c.since.Add(-idleTimeout)
	if p.get() != nil {
		t.Error("given")
	}
	if _, err := ours.Write([]byte("x")); err == nil {
		t.Error("left open")
	}
}

// pipes makes connections within the test's own time.
func pipes(serve func(p *peer)) func(*Config) {
	return func(c *Config) {
		c.URL = "http://provider.invalid/"
		c.Timeout = 15 * time.Second
		c.Dial = func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				defer theirs.Close()
				serve(&peer{Conn: theirs, br: bufio.NewReader(theirs), server: &rawServer{}})
			}()
			return ours, nil
		}
	}
}

func TestServerThatTakesForEverIsGivenUpAtTheDeadline(t *testing.T) {
	t.Parallel()
	for name, said := range map[string]struct{ first, drip string }{
		"says nothing":               {},
		"drips its head":             {first: "HTTP/1.1 200 OK\r\nX-Slow: ", drip: "0"},
		"drips its body":             {first: "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", drip: "0"},
		"promises more than it says": {first: "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + acceptedLine},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, "", pipes(func(p *peer) {
					p.request()
					p.say(said.first)
					for said.drip != "" {
						time.Sleep(time.Second) // the bubble's, which takes no time
						if _, err := io.WriteString(p, said.drip); err != nil {
							return
						}
					}
					io.Copy(io.Discard, p)
				}))
				start := time.Now()
				_, f := c.Submit(t.Context(), text)
				if f == nil || f.Class != Unknown || f.Reason != sms.Timeout {
					t.Errorf("%+v", f)
				}
				if took := time.Since(start); took != 15*time.Second {
					t.Errorf("after %v", took)
				}
				time.Sleep(time.Second) // the server notices at its next byte
				synctest.Wait()
			})
		})
	}
}

// A server that reads nothing: the request waits in our hands.
func TestRequestThatNobodyReadsIsNotSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		c := newClient(t, "", pipes(func(p *peer) { p.br.ReadByte(); <-stop }))
		_, f := c.Submit(t.Context(), Request{Content: strings.Repeat("a", 10_000)})
		if f == nil || f.Class != NotSent || f.Reason != sms.Timeout {
			t.Errorf("%+v", f)
		}
		close(stop)
	})
}

func TestIdleConnectionIsClosedBeforeTheServerDoes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ended time.Time
		c := newClient(t, "", pipes(func(p *peer) {
			always(answer(acceptedLine))(p)
			ended = time.Now()
		}))
		for range 3 {
			if _, f := c.Submit(t.Context(), text); f != nil {
				t.Fatal(f)
			}
			time.Sleep(2 * time.Second)
		}
		used := time.Now().Add(-2 * time.Second)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if idle := ended.Sub(used); idle != idleTimeout {
			t.Errorf("closed after %v", idle)
		}
	})
}

func TestTLSIsVerified(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 1 {
			t.Errorf("%s", r.Proto)
		}
		io.WriteString(w, acceptedLine)
	}))
	defer server.Close()
	server.Config.ErrorLog = nil

	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	trusting := newClient(t, server.URL, func(c *Config) { c.TLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12} })
	for range 3 {
		if _, f := trusting.Submit(t.Context(), text); f != nil {
			t.Errorf("%v", f)
		}
	}
	strange := newClient(t, server.URL)
	_, f := strange.Submit(t.Context(), text)
	if f == nil || f.Class != NotSent || !strings.Contains(f.Error(), "unknown authority") {
		t.Errorf("%v", f)
	}
	// Right authority, wrong name.
	elsewhere := newClient(t, strings.Replace(server.URL, "127.0.0.1", "localhost", 1),
		func(c *Config) { c.TLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12} })
	if _, f := elsewhere.Submit(t.Context(), text); f == nil || f.Class != NotSent {
		t.Errorf("%v", f)
	}
}

func TestProxyIsUsedOnlyWhereConfigured(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://"+closedPort(t))
	t.Setenv("HTTPS_PROXY", "http://"+closedPort(t))

	behind := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, acceptedLine)
	}))
	defer behind.Close()
	roots := x509.NewCertPool()
	roots.AddCert(behind.Certificate())
	trust := func(c *Config) { c.TLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12} }

	proxy := raw(t, func(p *peer) {
		req, err := http.ReadRequest(p.br)
		if err != nil {
			return
		}
		if req.Header.Get("Proxy-Authorization") != "Basic dTpw" {
			p.say(response("407 Who", "", ""))
			return
		}
		if req.Method != http.MethodConnect {
			io.Copy(io.Discard, req.Body)
			if req.RequestURI != "http://provider.invalid:8080/sms" {
				t.Errorf("asked for %s", req.RequestURI)
			}
			p.say(answer(acceptedLine))
			return
		}
		to, err := net.Dial("tcp", req.Host)
		if err != nil {
			return
		}
		defer to.Close()
		p.say("HTTP/1.1 200 Through\r\n\r\n")
		go func() { io.Copy(to, p.br); to.Close() }()
		io.Copy(p, to)
	})
	address := strings.TrimPrefix(strings.Split(proxy.URL, "/s")[0], "http://")
	with := func(user string) func(*Config) {
		return func(c *Config) { c.Proxy = "http://" + user + address }
	}

	t.Run("https through a tunnel", func(t *testing.T) {
		if _, f := newClient(t, behind.URL, trust, with("u:p@")).Submit(t.Context(), text); f != nil {
			t.Error(f)
		}
	})
	t.Run("http by its whole address", func(t *testing.T) {
		if _, f := newClient(t, "http://provider.invalid:8080/sms", with("u:p@")).Submit(t.Context(), text); f != nil {
			t.Error(f)
		}
	})
	t.Run("refused by the proxy", func(t *testing.T) {
		_, f := newClient(t, behind.URL, trust, with("")).Submit(t.Context(), text)
		if f == nil || f.Class != NotSent || !strings.Contains(f.Error(), "407") {
			t.Errorf("%v", f)
		}
	})
	t.Run("not from the environment", func(t *testing.T) {
		if _, f := newClient(t, behind.URL, trust).Submit(t.Context(), text); f != nil {
			t.Error(f)
		}
	})
}

func TestAddressThatCannotBeMeantIsRefused(t *testing.T) {
	t.Parallel()
	for name, address := range map[string]string{
		"no scheme": "provider.invalid/sms", "another scheme": "ftp://provider.invalid/", "no host": "http:///sms",
		"credentials": "https://u:canarypassword@provider.invalid/", "not ASCII": "http://供应.invalid/",
		"line break": "http://provider.invalid/\r\nX: y",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			none := func() string { return "" }
			_, err := New(Config{URL: address, Timeout: time.Second, MaxInFlight: 1, Name: none, Password: none})
			if err == nil {
				t.Fatal("accepted")
			}
			if strings.Contains(err.Error(), canaryPassword) {
				t.Errorf("%v tells the password", err)
			}
		})
	}
}
