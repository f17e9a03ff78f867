package provider

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	canaryNumber   = "13800000000"
	canaryText     = "canarytext"
	canaryPassword = "canarypassword"
	sendID         = "20140821110353234137876543"
	acceptedLine   = "0, " + sendID + ",0,1,0,提交成功"
)

// rawServer speaks TCP, so that it can misbehave as no HTTP server would.
type rawServer struct {
	URL   string
	whole atomic.Int64 // requests that were read to their last byte
	conns atomic.Int64
}

// peer is the server's end of one connection.
type peer struct {
	net.Conn
	br     *bufio.Reader
	server *rawServer
	n      int // which connection, from 1
}

// request reads one request whole and gives its body; false at the end of the
// connection.
func (p *peer) request() (*http.Request, string, bool) {
	req, err := http.ReadRequest(p.br)
	if err != nil {
		return nil, "", false
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, "", false
	}
	p.server.whole.Add(1)
	return req, string(body), true
}

func (p *peer) say(s string) { io.WriteString(p, s) }

// reset ends the connection by RST.
func (p *peer) reset() {
	p.Conn.(*net.TCPConn).SetLinger(0)
	p.Close()
}

// answer is a whole response with the body given.
func answer(body string) string { return response("200 OK", "", body) }

func response(status, header, body string) string {
	return "HTTP/1.1 " + status + "\r\n" + header + "Content-Length: " + itoa(len(body)) + "\r\n\r\n" + body
}

// raw serves each connection with serve in its own goroutine and closes it
// afterwards.
func raw(tb testing.TB, serve func(p *peer)) *rawServer {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &rawServer{URL: "http://" + l.Addr().String() + "/secretpath?secret=query"}
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		open []net.Conn
	)
	wg.Go(func() {
		for n := 1; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.conns.Add(1)
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			wg.Go(func() {
				defer c.Close()
				serve(&peer{Conn: c, br: bufio.NewReader(c), server: s, n: n})
			})
		}
	})
	tb.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return s
}

// once answers the first request of each connection with what is given, and then
// waits for the client to end the connection.
func once(said string) func(p *peer) {
	return func(p *peer) {
		if _, _, ok := p.request(); ok {
			p.say(said)
			io.Copy(io.Discard, p)
		}
	}
}

// always answers every request with what is given.
func always(said string) func(p *peer) {
	return func(p *peer) {
		for {
			if _, _, ok := p.request(); !ok {
				return
			}
			p.say(said)
		}
	}
}

func newClient(tb testing.TB, url string, change ...func(*Config)) *Client {
	tb.Helper()
	cfg := Config{
		URL: url, Timeout: time.Minute, MaxInFlight: 64, // a machine may be busy with other tests
		Name: func() string { return "canaryname" }, Password: func() string { return canaryPassword },
	}
	for _, c := range change {
		c(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

var text = Request{Content: canaryText, Mobiles: []string{canaryNumber}, Sign: "sign"}
