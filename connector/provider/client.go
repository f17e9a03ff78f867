package provider

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"smsbridge/codec/wire"
)

// Config says where the provider is and how to speak to it.
type Config struct {
	URL         string // of the submit call, http or https
	BalanceURL  string // of the balance call; empty: URL
	Proxy       string // http or https; empty: none. The environment's proxies are never used
	Timeout     time.Duration
	MaxInFlight int // connections kept open between calls

	// The credentials are asked for at every call, as secrets rotate.
	Name, Password func() string

	TLS    *tls.Config // nil: the system's roots
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
	Meter  metric.Meter
	Tracer trace.Tracer
}

// Client calls the provider. It may be used by many goroutines.
type Client struct {
	name, password  func() string
	timeout         time.Duration
	submit, balance *endpoint
	metrics         *metrics
	tracer          trace.Tracer
}

// New makes a client. It does no I/O.
func New(cfg Config) (*Client, error) {
	switch {
	case cfg.Timeout <= 0 || cfg.MaxInFlight <= 0:
		return nil, errors.New("provider: Timeout and MaxInFlight must be above zero")
	case cfg.Name == nil || cfg.Password == nil:
		return nil, errors.New("provider: Name and Password must be given")
	}
	if cfg.BalanceURL == "" {
		cfg.BalanceURL = cfg.URL
	}
	m, err := newMetrics(cfg.Meter)
	if err != nil {
		return nil, err
	}
	c := &Client{name: cfg.Name, password: cfg.Password, timeout: cfg.Timeout, metrics: m, tracer: cfg.Tracer}
	if c.submit, err = newEndpoint("submit", cfg.URL, cfg.MaxInFlight, cfg, m); err != nil {
		return nil, fmt.Errorf("submit URL: %w", err)
	}
	if c.balance, err = newEndpoint("balance", cfg.BalanceURL, 1, cfg, m); err != nil {
		return nil, fmt.Errorf("balance URL: %w", err)
	}
	return c, nil
}

// Close closes the idle connections. Calls under way end as they would have.
func (c *Client) Close() {
	c.submit.pool.close()
	c.balance.pool.close()
}

// Request is one submit: one text to the recipients of one part.
type Request struct {
	Content   string // without signature
	Mobiles   []string
	Sign      string    // bare, the provider adds the brackets
	Extension string    // digits, may be empty
	SendAt    time.Time // zero: now

	// Still is asked once more when the connection stands, before the first byte
	// leaves: connecting may have taken longer than the permission to submit
	// lasts. False ends the call with ErrWithheld. Nil: always.
	Still func() bool
}

// Submit makes one submit call. Without a Failure the provider's answer line was
// read, whatever its code says. When ctx ends early the Failure still tells
// whether the request had been written.
func (c *Client) Submit(ctx context.Context, r Request) (wire.Answer, *Failure) {
	var answer wire.Answer
	failure := c.call(ctx, c.submit, exchange{
		still: r.Still,
		encode: func(dst []byte) []byte {
			return wire.AppendSubmit(dst, wire.Submit{
				Name: c.name(), Password: c.password(),
				Content: r.Content, Sign: r.Sign, Extension: r.Extension,
				Mobiles: r.Mobiles, SendAt: r.SendAt,
			})
		},
		parse: func(body []byte) (err error) {
			answer, err = wire.ParseAnswer(body)
			return err
		},
	})
	return answer, failure
}

// Balance asks for what is left on the account. It costs nothing, so it serves as
// the probe of a line that is held.
func (c *Client) Balance(ctx context.Context) (wire.Balance, *Failure) {
	balance, _, failure := c.BalanceAndDate(ctx)
	return balance, failure
}

// BalanceAndDate is Balance that also tells what time the provider has, in whole
// seconds; zero where its answer does not say.
func (c *Client) BalanceAndDate(ctx context.Context) (wire.Balance, time.Time, *Failure) {
	var balance wire.Balance
	var date time.Time
	failure := c.call(ctx, c.balance, exchange{
		date:   &date,
		encode: func(dst []byte) []byte { return wire.AppendBalance(dst, c.name(), c.password()) },
		parse: func(body []byte) (err error) {
			balance, err = wire.ParseBalance(body)
			return err
		},
	})
	return balance, date, failure
}

// call is one attempt with its span and its measurement around it.
func (c *Client) call(ctx context.Context, to *endpoint, x exchange) *Failure {
	start := time.Now()
	ctx, span := c.startSpan(ctx, to)
	status, failure := to.attempt(ctx, start.Add(c.timeout), x)
	endSpan(span, status, failure)
	c.metrics.record(ctx, to.operation, failure, time.Since(start))
	return failure
}

// endpoint is one address of the provider's and the connections to it.
type endpoint struct {
	operation string // submit or balance
	host      string // for spans
	port      int
	head      []byte // of every request, up to the value of Content-Length
	pool      pool
	dialer    dialer
	metrics   *metrics
}

func newEndpoint(operation, address string, keep int, cfg Config, m *metrics) (*endpoint, error) {
	u, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	d, err := newDialer(u, cfg)
	if err != nil {
		return nil, err
	}
	to := &endpoint{operation: operation, host: u.Hostname(), port: portOf(u), dialer: d, metrics: m}
	to.pool.keep = keep
	to.head = d.requestHead(u)
	return to, nil
}

// parseAddress refuses what would put a secret or a foreign byte into a request
// line. Its errors do not repeat the address: it might hold a password.
func parseAddress(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, errors.New("cannot be parsed")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("the scheme must be http or https")
	case u.Hostname() == "" || strings.ContainsFunc(u.Host, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, errors.New("the host must be a name or an address in ASCII")
	case u.User != nil:
		return nil, errors.New("credentials do not belong into the address")
	}
	return u, nil
}
