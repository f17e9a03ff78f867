package simulator

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"
)

const (
	maxHead = 8 << 10
	maxBody = 4 << 20
	// A client that counted characters has sent the rest already or is about to.
	restWait = 50 * time.Millisecond
	// mostEarly bounds how long an answer waits for its reports to go first.
	mostEarly = 500 * time.Millisecond
)

// line is one connection of the connector's.
type line struct {
	net.Conn
	br    *bufio.Reader
	body  []byte
	out   []byte
	stale bool // reset the next request
}

// serve reads requests for /sms until something else comes, which net/http gets
// together with the connection.
func (p *Provider) serve(c net.Conn) {
	p.counts.connections.Add(1)
	l := &line{Conn: c, br: bufio.NewReaderSize(c, maxHead)}
	for {
		head, err := l.head()
		switch {
		case err != nil && len(head) == 0:
			c.Close() //nolint:errcheck // the client has ended it between two requests
			return
		case l.stale:
			p.counts.partial.Add(1)
			l.reset()
			return
		case err != nil && !errors.Is(err, errNotOurs):
			p.counts.partial.Add(1)
			c.Close() //nolint:errcheck // the client has gone
			return
		}
		r, mine := parseHead(head)
		if err != nil || !mine {
			p.rest.give(l)
			return
		}
		f, whole := l.read(r)
		if !whole {
			p.counts.partial.Add(1)
			c.Close() //nolint:errcheck // the client has gone
			return
		}
		if !p.answer(l, p.decide(f), r.close) {
			c.Close() //nolint:errcheck // nothing depends on how it went
			return
		}
	}
}

// errNotOurs is a head that is better left to net/http.
var errNotOurs = errors.New("head is too long or has bare line feeds")

// head gives the bytes of the next request's head without taking them, or with an
// error as many as came.
func (l *line) head() ([]byte, error) {
	for want := 1; ; {
		_, err := l.br.Peek(want)
		head, _ := l.br.Peek(l.br.Buffered())
		switch end := bytes.Index(head, []byte("\r\n\r\n")); {
		case end >= 0:
			return head[:end+4], nil
		case err != nil:
			return head, err
		case l.stale:
			return head, nil
		case len(head) >= maxHead, bytes.Contains(head, []byte("\n\n")):
			return head, errNotOurs
		}
		want = len(head) + 1
	}
}

// request is the head of one that we read ourselves.
type request struct {
	size   int // of the head
	query  string
	length int
	close  bool // the client wants the connection to end
	resume bool // it waits for 100 Continue
}

// parseHead reports false for what is better left to net/http: another path,
// another method, chunks, faults of syntax.
func parseHead(head []byte) (request, bool) {
	r := request{size: len(head)}
	first, rest, _ := bytes.Cut(head, []byte("\r\n"))
	method, target, _ := bytes.Cut(first, []byte(" "))
	target, version, _ := bytes.Cut(target, []byte(" "))
	path, query, _ := bytes.Cut(target, []byte("?"))
	if string(path) != "/sms" || string(method) != http.MethodPost && string(method) != http.MethodGet {
		return r, false
	}
	r.query = string(query)
	r.close = string(version) == "HTTP/1.0"
	for len(rest) > 2 {
		var header []byte
		header, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		name, value, _ := bytes.Cut(header, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case is(name, "content-length"):
			n, err := strconv.Atoi(string(value))
			if err != nil || n < 0 || n > maxBody {
				return r, false
			}
			r.length = n
		case is(name, "transfer-encoding"):
			return r, false
		case is(name, "connection"):
			r.close = is(value, "close") || r.close && !is(value, "keep-alive")
		case is(name, "expect"):
			r.resume = true
		}
	}
	return r, true
}

func is(b []byte, lower string) bool {
	return len(b) == len(lower) && bytes.EqualFold(b, []byte(lower))
}

// read takes the request from the connection; false when its end is missing.
func (l *line) read(r request) (form, bool) {
	l.br.Discard(r.size) //nolint:errcheck // they are there
	if r.resume {
		io.WriteString(l, "HTTP/1.1 100 Continue\r\n\r\n") //nolint:errcheck // the read below will tell
	}
	if cap(l.body) < r.length {
		l.body = make([]byte, r.length)
	}
	l.body = l.body[:r.length]
	if _, err := io.ReadFull(l.br, l.body); err != nil {
		return form{}, false
	}
	l.readUncounted(r.length)
	var f form
	f.parse(r.query)
	f.parse(string(l.body))
	return f, true
}

// readUncounted reads on after an unencoded body in which the client has counted
// characters instead of bytes: up to as many characters as it promised.
func (l *line) readUncounted(characters int) {
	if utf8.RuneCount(l.body) >= characters {
		return // no byte beyond ASCII, the usual case
	}
	l.SetReadDeadline(time.Now().Add(restWait)) //nolint:errcheck // then the read fails
	for utf8.RuneCount(l.body) < characters || !utf8.Valid(l.body) {
		b, err := l.br.ReadByte()
		if err != nil {
			break // it had counted bytes
		}
		if next, _ := l.br.Peek(l.br.Buffered()); b == 'P' && bytes.HasPrefix(next, []byte("OST /")) ||
			b == 'G' && bytes.HasPrefix(next, []byte("ET /")) {
			l.br.UnreadByte() //nolint:errcheck // it has just been read
			break             // it had counted bytes, and sends the next request already
		}
		l.body = append(l.body, b)
	}
	l.SetReadDeadline(time.Time{}) //nolint:errcheck // then the next read fails
}

// reset ends the connection by RST, so that the client may lose even what was sent.
func (l *line) reset() {
	if t, ok := l.Conn.(*tracked); ok {
		if c, ok := t.Conn.(*net.TCPConn); ok {
			c.SetLinger(0) //nolint:errcheck // then it is a regular end
		}
	}
	l.Close() //nolint:errcheck // nothing depends on how it went
}

// answer does to the answer what the fault says and reports whether the connection
// goes on.
func (p *Provider) answer(l *line, v verdict, last bool) bool {
	faults := p.faults.Load()
	wait := v.wait
	if v.fault == "hang" {
		wait = time.Duration(faults.HangFor)
	}
	if v.early {
		// Whoever does not take the report is answered all the same.
		most, cancel := context.WithTimeout(p.ctx, mostEarly)
		p.pushes.now(most, v.reports)
		cancel()
	}
	if wait > 0 && !sleep(p.ctx, wait) {
		return false
	}
	if !v.early {
		defer p.pushes.later(v.reports)
	}
	switch v.fault {
	case "drop", "hang":
		return false
	case "reset":
		l.reset()
		return false
	}
	status, header, body, promised := dress(v, faults)
	l.out = append(l.out[:0], "HTTP/1.1 "...)
	l.out = append(l.out, status...)
	l.out = append(l.out, "\r\nContent-Type: text/html;charset=UTF-8\r\n"...)
	l.out = append(l.out, header...)
	if last {
		l.out = append(l.out, "Connection: close\r\n"...)
	}
	l.out = append(l.out, "Content-Length: "...)
	l.out = strconv.AppendInt(l.out, int64(promised), 10)
	l.out = append(l.out, "\r\n\r\n"...)
	l.out = append(l.out, body...)
	_, err := l.Write(l.out)
	l.stale = v.fault == "stale"
	return err == nil && !last && v.fault != "cut"
}

const page = "<html><head><title>502</title></head><body>Bad Gateway, 0,1</body></html>"

// dress gives the answer as the fault makes it. promised is its Content-Length.
func dress(v verdict, faults *activeFaults) (status, header, body string, promised int) {
	status, body = "200 OK", v.line
	switch v.fault {
	case "cut":
		return status, "", body[:len(body)/2], len(body)
	case "miscount":
		return status, "", body, utf8.RuneCountInString(body)
	case "error":
		status, body = [...]string{"500 Internal Server Error", "502 Bad Gateway", "504 Gateway Timeout"}[pick(3)], page
	case "html":
		body = page
	case "redirect":
		status, header, body = "307 Temporary Redirect", "Location: /sms\r\n", ""
	case "throttle":
		status, header, body = "429 Too Many Requests", retryAfter(faults.RetryAfter), "slow down"
	case "forbidden":
		status, body = "403 Forbidden", page
	case "throttled":
		status, header, body = "429 Too Many Requests", retryAfter(faults.ThrottleAfter), "slow down"
	case "busy":
		status, header, body = "503 Service Unavailable", retryAfter(max(faults.RetryAfter, 1)), page
	}
	return status, header, body, len(body)
}

func retryAfter(seconds int) string {
	if seconds == 0 {
		return ""
	}
	return "Retry-After: " + strconv.Itoa(seconds) + "\r\n"
}
