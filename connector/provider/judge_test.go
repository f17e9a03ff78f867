package provider

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"smsbridge/codec/sms"
)

func itoa(n int) string { return strconv.Itoa(n) }

func TestEachFailureIsClassifiedAsTheTableSays(t *testing.T) {
	t.Parallel()
	status := func(line, header string) func(*peer) { return once(response(line, header, "<html>")) }
	type row struct {
		serve  func(p *peer)
		class  Class
		reason sms.Reason
		after  time.Duration
	}
	tests := map[string]row{
		"dropped after the whole request was read": {
			serve: func(p *peer) { p.request() },
			class: Unknown, reason: sms.NetworkError,
		},
		"reset after the whole request was read": {
			serve: func(p *peer) { p.request(); p.reset() },
			class: Unknown, reason: sms.NetworkError,
		},
		"reset in the middle of the body": {
			serve: func(p *peer) {
				p.request()
				p.say("HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n0, 2014")
				p.reset()
			},
			class: Unknown, reason: sms.NetworkError,
		},
		"ended in the middle of the body, at a comma": {
			serve: func(p *peer) {
				p.request()
				p.say("HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n0," + sendID + ",0,1,0,")
			},
			class: Unknown, reason: sms.NetworkError,
		},
		"ended in the middle of a body without a length": {
			serve: func(p *peer) { p.request(); p.say("HTTP/1.0 200 OK\r\n\r\n0,2014082111") },
			class: Unknown, reason: sms.ProtocolError,
		},
		"ended in the middle of a chunk": {
			serve: func(p *peer) {
				p.request()
				p.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n" + acceptedLine)
			},
			class: Unknown, reason: sms.NetworkError,
		},
		"ended before the last chunk": {
			serve: func(p *peer) {
				p.request()
				p.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
					strconv.FormatInt(int64(len(acceptedLine)), 16) + "\r\n" + acceptedLine + "\r\n")
			},
			class: Unknown, reason: sms.NetworkError,
		},
		"ended in the middle of the head": {
			serve: func(p *peer) { p.request(); p.say("HTTP/1.1 200 OK\r\nContent-Le") },
			class: Unknown, reason: sms.NetworkError,
		},
		"HTML with 200":            {serve: once(answer("<html>0,1</html>")), class: Unknown, reason: sms.ProtocolError},
		"empty 200":                {serve: once(answer("")), class: Unknown, reason: sms.ProtocolError},
		"balance answer to submit": {serve: once(answer("0,6")), class: Unknown, reason: sms.ProtocolError},
		"compressed answer": {
			serve: once(response("200 OK", "Content-Encoding: gzip\r\n", "\x1f\x8b\x08\x00\x00")),
			class: Unknown, reason: sms.ProtocolError,
		},
		"not HTTP":           {serve: once(acceptedLine + "\r\n\r\n"), class: Unknown, reason: sms.ProtocolError},
		"bad Content-Length": {serve: once("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), class: Unknown, reason: sms.ProtocolError},
		"two Content-Lengths": {
			serve: once("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 60\r\n\r\n" + acceptedLine),
			class: Unknown, reason: sms.ProtocolError,
		},
		"huge body": {
			serve: once(answer(strings.Repeat("\n", maxAnswer) + acceptedLine)),
			class: Unknown, reason: sms.ProtocolError,
		},
		"endless chunks": {
			serve: func(p *peer) {
				p.request()
				p.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
				endless(p, "1\r\n\n\r\n")
			},
			class: Unknown, reason: sms.ProtocolError,
		},
		"endless head": {
			serve: func(p *peer) { p.request(); p.say("HTTP/1.1 200 OK\r\n"); endless(p, "X: y\r\n") },
			class: Unknown, reason: sms.ProtocolError,
		},
		"endless 1xx": {
			serve: func(p *peer) { p.request(); endless(p, "HTTP/1.1 103 Early Hints\r\n\r\n") },
			class: Unknown, reason: sms.ProtocolError,
		},
		"101": {
			serve: status("101 Switching Protocols", "Upgrade: x\r\nConnection: upgrade\r\n"),
			class: Unknown, reason: sms.ProtocolError,
		},
		"201 with an answer":    {serve: once(response("201 Created", "", acceptedLine)), class: Unknown, reason: sms.ProtocolError},
		"204":                   {serve: once("HTTP/1.1 204 No Content\r\n\r\n"), class: Unknown, reason: sms.ProtocolError},
		"500":                   {serve: status("500 Oops", ""), class: Unknown, reason: sms.ProviderError},
		"500 with Retry-After":  {serve: status("500 Oops", "Retry-After: 1\r\n"), class: Unknown, reason: sms.ProviderError},
		"502":                   {serve: status("502 Bad Gateway", ""), class: Unknown, reason: sms.ProviderError},
		"503":                   {serve: status("503 Busy", ""), class: Unknown, reason: sms.ProviderError},
		"503, unreadable wish":  {serve: status("503 Busy", "Retry-After: soon\r\n"), class: Unknown, reason: sms.ProviderError},
		"504":                   {serve: status("504 Timeout", "Retry-After: 1\r\n"), class: Unknown, reason: sms.ProviderError},
		"503 with Retry-After":  {serve: status("503 Busy", "Retry-After: 7\r\n"), class: Throttled, reason: sms.RateLimited, after: 7 * time.Second},
		"503 with a past date":  {serve: status("503 Busy", "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n"), class: Throttled, reason: sms.RateLimited},
		"429":                   {serve: status("429 Slow", ""), class: Throttled, reason: sms.RateLimited},
		"429 with Retry-After":  {serve: status("429 Slow", "Retry-After: 3\r\n"), class: Throttled, reason: sms.RateLimited, after: 3 * time.Second},
		"429 with a vast one":   {serve: status("429 Slow", "Retry-After: 2147483647\r\n"), class: Throttled, reason: sms.RateLimited, after: 5 * time.Minute},
		"429 whose body is cut": {serve: func(p *peer) { p.request(); p.say("HTTP/1.1 429 Slow\r\nContent-Length: 9\r\n\r\n<") }, class: Throttled, reason: sms.RateLimited},
		"400":                   {serve: status("400 Bad", ""), class: LineDown, reason: sms.MalformedRequest},
		"401":                   {serve: status("401 No", ""), class: LineDown, reason: sms.AuthFailed},
		"407":                   {serve: status("407 Proxy", ""), class: LineDown, reason: sms.AuthFailed},
		"414":                   {serve: status("414 Long", ""), class: LineDown, reason: sms.MalformedRequest},
		"415":                   {serve: status("415 Form", ""), class: LineDown, reason: sms.MalformedRequest},
		"403":                   {serve: status("403 No", ""), class: LineDown, reason: sms.AuthFailed},
		"404":                   {serve: status("404 No", ""), class: LineDown, reason: sms.ProtocolError},
		"405":                   {serve: status("405 No", ""), class: LineDown, reason: sms.ProtocolError},
		"413":                   {serve: status("413 Big", ""), class: LineDown, reason: sms.MalformedRequest},
	}
	for _, s := range []string{"300", "301", "302", "303", "304", "307", "308"} {
		tests[s+" is not followed"] = row{
			serve: status(s+" Elsewhere", "Location: /secretpath\r\n"), class: Unknown, reason: sms.ProtocolError,
		}
	}
	for _, s := range []string{"402", "408", "409", "410", "418", "421", "422", "451", "460", "499"} {
		tests[s+" may come from a gateway that forwarded it"] = row{serve: status(s+" Odd", ""), class: Unknown, reason: sms.ProtocolError}
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := raw(t, tt.serve)
			_, f := newClient(t, server.URL).Submit(t.Context(), text)
			if f == nil {
				t.Fatal("an answer")
			}
			if f.Class != tt.class || f.Reason != tt.reason || f.After != tt.after {
				t.Errorf("%v %v after %v (%v), want %v %v after %v", f.Class, f.Reason, f.After, f, tt.class, tt.reason, tt.after)
			}
			if _, again := f.Again(); again != (tt.class == Throttled) {
				t.Errorf("Again() = %v", again)
			}
			if n := server.whole.Load(); n != 1 {
				t.Errorf("%d requests reached the provider", n)
			}
			tellsNothing(t, f)
		})
	}
}

func TestWhatNeverLeftIsNotSent(t *testing.T) {
	t.Parallel()
	reject := func(err error) func(*Config) {
		return func(c *Config) {
			c.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, err }
		}
	}
	tests := map[string]struct {
		change func(*Config)
		reason sms.Reason
		says   string
	}{
		"refused": {change: func(c *Config) { c.URL = "http://" + closedPort(t) + "/" }, reason: sms.NetworkError, says: "connection refused"},
		"no such name": {
			change: reject(&net.DNSError{Err: "no such host", Name: "secretpath.example", IsNotFound: true}),
			reason: sms.NetworkError, says: "no such host",
		},
		"connecting takes forever": {
			change: func(c *Config) {
				c.Timeout = 90 * time.Millisecond
				c.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
					<-ctx.Done()
					return nil, ctx.Err()
				}
			},
			reason: sms.Timeout, says: "timed out",
		},
		"TLS with a server that has none": {
			change: func(c *Config) { c.URL = strings.Replace(c.URL, "http:", "https:", 1) },
			reason: sms.NetworkError, says: "does not speak TLS",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := raw(t, func(p *peer) { p.say("220 not TLS\r\n"); io.Copy(io.Discard, p) })
			_, f := newClient(t, server.URL, tt.change).Submit(t.Context(), text)
			if f == nil || f.Class != NotSent || f.Reason != tt.reason {
				t.Fatalf("%+v, want not sent, %v", f, tt.reason)
			}
			if !strings.Contains(f.Error(), tt.says) {
				t.Errorf("%q does not say %q", f, tt.says)
			}
			if n := server.whole.Load(); n != 0 {
				t.Errorf("%d requests reached the provider", n)
			}
			tellsNothing(t, f)
		})
	}
}

// A server that stops reading fills the buffers between us, and the request is
// cut in the middle.
func TestRequestThatWasCutIsNotSent(t *testing.T) {
	t.Parallel()
	large := text
	large.Content = strings.Repeat("a", 1<<20) // more than the buffers on the way hold
	small := func(c *Config) {
		c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			nc, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err == nil {
				err = nc.(*net.TCPConn).SetWriteBuffer(4 << 10)
			}
			return nc, err
		}
	}
	// Each server reads one byte, so that it is sure that the request is on its way.
	for name, end := range map[string]func(p *peer){
		"by a reset":         func(p *peer) { p.reset() },
		"by an early answer": func(p *peer) { p.say(answer(acceptedLine)); p.reset() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := raw(t, func(p *peer) {
				p.Conn.(*net.TCPConn).SetReadBuffer(4 << 10)
				p.br.ReadByte()
				end(p)
			})
			_, f := newClient(t, server.URL, small).Submit(t.Context(), large)
			if f == nil || f.Class != NotSent || f.Reason != sms.NetworkError {
				t.Errorf("%+v, want not sent", f)
			}
		})
	}
	t.Run("by the call's end", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		given, saw := make(chan struct{}), make(chan error, 1)
		server := raw(t, func(p *peer) {
			p.Conn.(*net.TCPConn).SetReadBuffer(4 << 10)
			p.br.ReadByte()
			cancel()
			<-given
			_, err := io.Copy(io.Discard, p)
			saw <- err
		})
		_, f := newClient(t, server.URL, small).Submit(ctx, large)
		if f == nil || f.Class != NotSent || f.Reason != sms.Interrupted {
			t.Errorf("%+v, want not sent", f)
		}
		close(given)
		// A regular end might pass for the end of the request.
		if err := <-saw; !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the server saw %v", err)
		}
	})
}

func TestAnswersOfEveryFramingAreRead(t *testing.T) {
	t.Parallel()
	half := len(acceptedLine) / 2
	tests := map[string]string{
		"with a length": answer(acceptedLine),
		"in chunks": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
			strconv.FormatInt(int64(half), 16) + "\r\n" + acceptedLine[:half] + "\r\n" +
			strconv.FormatInt(int64(len(acceptedLine)-half), 16) + "\r\n" + acceptedLine[half:] + "\r\n0\r\n\r\n",
		"after interim answers": "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + answer(acceptedLine),
		"with a length that counts characters": "HTTP/1.1 200 OK\r\nContent-Length: " +
			itoa(len([]rune(acceptedLine))) + "\r\n\r\n" + acceptedLine,
	}
	for name, said := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := raw(t, once(said))
			a, f := newClient(t, server.URL).Submit(t.Context(), text)
			if f != nil || a.SendID != sendID || a.Accepted != 1 {
				t.Errorf("%+v, %v", a, f)
			}
		})
	}
	t.Run("to the end of the connection", func(t *testing.T) {
		t.Parallel()
		server := raw(t, func(p *peer) { p.request(); p.say("HTTP/1.0 200 OK\r\n\r\n" + acceptedLine) })
		a, f := newClient(t, server.URL).Submit(t.Context(), text)
		if f != nil || a.SendID != sendID {
			t.Errorf("%+v, %v", a, f)
		}
	})
}

func TestServerThatEchoesItsRequestPutsNothingIntoErrors(t *testing.T) {
	t.Parallel()
	for name, said := range map[string]func(body string) string{
		"as a status line": func(body string) string { return body + "\r\n\r\n" },
		"as a header":      func(body string) string { return "HTTP/1.1 200 OK\r\n" + body + "\r\n\r\n" },
		"as a length":      func(body string) string { return "HTTP/1.1 200 OK\r\nContent-Length: " + body + "\r\n\r\n" },
		"as a reason":      func(body string) string { return "HTTP/1.1 500 " + body + "\r\n\r\n" },
		"as an answer":     func(body string) string { return answer("0," + body) },
		"as a chunk size": func(body string) string {
			return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body + "\r\n"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := raw(t, func(p *peer) {
				_, body, _ := p.request()
				p.say(said(body))
			})
			_, f := newClient(t, server.URL).Submit(t.Context(), text)
			if f == nil {
				t.Fatal("an answer")
			}
			tellsNothing(t, f)
		})
	}
}

// tellsNothing fails when an error repeats what must not be seen in a log.
func tellsNothing(t *testing.T, f *Failure) {
	t.Helper()
	for _, s := range []string{f.Error(), f.Err.Error()} {
		for _, secret := range []string{canaryNumber, canaryText, canaryPassword, "canaryname", "secret", "query", "http://"} {
			if strings.Contains(s, secret) {
				t.Errorf("%q holds %q", s, secret)
			}
		}
	}
}

func endless(p *peer, s string) {
	s = strings.Repeat(s, 1000)
	for {
		if _, err := io.WriteString(p, s); err != nil {
			return
		}
	}
}

func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestRetryAfterAsADateCountsFromNow(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r := reply{status: http.StatusServiceUnavailable, retryAfter: now.Add(90 * time.Second).Format(http.TimeFormat)}
	if f := r.judge(now); f.Class != Throttled || f.After != 90*time.Second {
		t.Errorf("%+v", f)
	}
}
