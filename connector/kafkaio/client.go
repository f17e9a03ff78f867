package kafkaio

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"
)

// Config is what a Client needs to know. Brokers is required.
type Config struct {
	Brokers  []string // host:port, to begin with; the rest is discovered
	ClientID string
	// TLS is asked at each connection, because certificates are renewed; nil: no TLS.
	TLS            func() (*tls.Config, error)
	SASL           SASL
	SessionTimeout time.Duration // of group members; zero: 10 s
	Log            *slog.Logger  // nil: no logs
	// Dial replaces the network in tests.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Client is one process's access to one Kafka cluster. It is safe for
// concurrent use; fetchers, producers and groups made from it share its
// connections.
type Client struct {
	cfg     Config
	log     *slog.Logger
	pool    pool
	brokers brokers
	layout  layout
}

// Open checks the configuration. It does no I/O: see Probe.
func Open(cfg Config) (*Client, error) {
	if len(cfg.Brokers) == 0 {
		return nil, errors.New("KAFKA_BROKERS is empty: give at least one host:port")
	}
	for _, broker := range cfg.Brokers {
		if _, _, err := net.SplitHostPort(broker); err != nil {
			return nil, fmt.Errorf("KAFKA_BROKERS: %q is not host:port", broker)
		}
	}
	mechanism, err := cfg.SASL.mechanism()
	if err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.SessionTimeout == 0 {
		cfg.SessionTimeout = 10 * time.Second
	}
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{}).DialContext
	}
	c := &Client{
		cfg: cfg,
		log: cfg.Log,
		pool: pool{
			dialer: dialer{clientID: cfg.ClientID, dial: cfg.Dial, tls: cfg.TLS, login: mechanism},
			idle:   map[string][]*conn{},
		},
		brokers: brokers{bootstrap: cfg.Brokers, aside: map[string]time.Time{}},
	}
	c.layout.open()
	return c, nil
}

// Close closes the connections. What was made from the client is to be closed before.
func (c *Client) Close() error {
	c.layout.close()
	c.pool.close()
	return nil
}
