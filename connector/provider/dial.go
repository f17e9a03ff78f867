package provider

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"
)

// dialer makes connections that are ready for a request: resolved, connected,
// through the proxy, TLS verified.
type dialer struct {
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	target  string      // host:port of the provider
	tls     *tls.Config // nil: plain http
	timeout time.Duration

	proxy     *url.URL    // nil: none
	proxyTLS  *tls.Config // nil: plain http to the proxy
	proxyAuth string      // value of Proxy-Authorization; may be empty
}

func newDialer(u *url.URL, cfg Config) (dialer, error) {
	d := dialer{
		dial:   cfg.Dial,
		target: hostPort(u),
		// A third, so that a call which had to connect first still has time to
		// wait for its answer: once written, a timeout is a doubt.
		timeout: cfg.Timeout / 3,
	}
	if d.dial == nil {
		d.dial = (&net.Dialer{}).DialContext
	}
	if u.Scheme == "https" {
		d.tls = tlsFor(cfg.TLS, u.Hostname())
	}
	if cfg.Proxy == "" {
		return d, nil
	}
	p, err := url.Parse(cfg.Proxy)
	if err != nil || p.Scheme != "http" && p.Scheme != "https" || p.Hostname() == "" {
		return dialer{}, errors.New("the proxy must be an http or https address")
	}
	if p.User != nil {
		password, _ := p.User.Password()
		d.proxyAuth = "Basic " + base64.StdEncoding.EncodeToString([]byte(p.User.Username()+":"+password))
	}
	if p.Scheme == "https" {
		d.proxyTLS = tlsFor(cfg.TLS, p.Hostname())
	}
	d.proxy = p
	return d, nil
}

// tlsFor allows HTTP/1.1 only: what was sent could not be told apart among the
// streams of an HTTP/2 connection.
func tlsFor(base *tls.Config, host string) *tls.Config {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if base != nil {
		cfg = base.Clone()
	}
	cfg.ServerName = host
	cfg.NextProtos = []string{"http/1.1"}
	if cfg.ClientSessionCache == nil {
		cfg.ClientSessionCache = tls.NewLRUClientSessionCache(64)
	}
	return cfg
}

// connection gives an idle connection or a new one.
func (to *endpoint) connection(ctx context.Context, deadline time.Time) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if c := to.pool.get(); c != nil {
		return c, nil
	}
	if limit := time.Now().Add(to.dialer.timeout); limit.Before(deadline) {
		deadline = limit
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	c, err := to.dialer.connect(ctx, deadline)
	to.metrics.connected(ctx, to.operation, err)
	return c, err
}

func (d *dialer) connect(ctx context.Context, deadline time.Time) (*conn, error) {
	address := d.target
	if d.proxy != nil {
		address = hostPort(d.proxy)
	}
	nc, err := d.dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	// The bare connection can be asked whether the peer has ended it.
	var socket syscall.RawConn
	if s, ok := nc.(syscall.Conn); ok {
		socket, _ = s.SyscallConn()
	}
	stop := interruptible(ctx, nc, deadline)
	ready, err := d.prepare(ctx, nc)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		nc.Close() //nolint:errcheck // nothing depends on how it went
		return nil, err
	}
	return newConn(ready, socket), nil
}

// prepare puts TLS and the proxy's tunnel onto a connection.
func (d *dialer) prepare(ctx context.Context, nc net.Conn) (net.Conn, error) {
	if d.proxyTLS != nil {
		tc := tls.Client(nc, d.proxyTLS)
		if err := tc.HandshakeContext(ctx); err != nil {
			return nil, fmt.Errorf("TLS to the proxy: %w", err)
		}
		nc = tc
	}
	if d.tls == nil {
		return nc, nil
	}
	if d.proxy != nil {
		if err := d.tunnel(nc); err != nil {
			return nil, err
		}
	}
	tc := tls.Client(nc, d.tls)
	if err := tc.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return tc, nil
}

// tunnel asks the proxy for a way through to the provider.
func (d *dialer) tunnel(nc net.Conn) error {
	ask := "CONNECT " + d.target + " HTTP/1.1\r\nHost: " + d.target + "\r\n"
	if d.proxyAuth != "" {
		ask += "Proxy-Authorization: " + d.proxyAuth + "\r\n"
	}
	if _, err := io.WriteString(nc, ask+"\r\n"); err != nil {
		return fmt.Errorf("proxy: %w", err)
	}
	br := bufio.NewReader(io.LimitReader(nc, maxRead))
	resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return errProxyAnswer // the parser's error would repeat the proxy's bytes
	}
	resp.Body.Close() //nolint:errcheck // a tunnel has no body
	if resp.StatusCode != http.StatusOK {
		return statusError{"proxy refused: HTTP ", resp.StatusCode}
	}
	if br.Buffered() > 0 {
		return errProxyAnswer // the provider does not speak first
	}
	return nil
}

// requestHead is what every request to u begins with, up to the value of its
// length. Only the fields that are needed: no Idempotency-Key, at which Go's own
// transport and some proxies repeat requests, and no Accept-Encoding.
func (d *dialer) requestHead(u *url.URL) []byte {
	target, auth := u.RequestURI(), ""
	if d.proxy != nil && d.tls == nil {
		target = "http://" + u.Host + target
		if d.proxyAuth != "" {
			auth = "Proxy-Authorization: " + d.proxyAuth + "\r\n"
		}
	}
	return []byte("POST " + target + " HTTP/1.1\r\n" +
		"Host: " + u.Host + "\r\n" + auth +
		"User-Agent: smsbridge\r\n" +
		"Content-Type: application/x-www-form-urlencoded\r\n" +
		"Content-Length: ")
}

func hostPort(u *url.URL) string {
	return net.JoinHostPort(u.Hostname(), strconv.Itoa(portOf(u)))
}

func portOf(u *url.URL) int {
	if port, err := strconv.Atoi(u.Port()); err == nil {
		return port
	}
	if u.Scheme == "https" {
		return 443
	}
	return 80
}
