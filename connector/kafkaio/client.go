package kafkaio

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

const (
	// dialTimeout bounds one attempt to reach one address, so that a bootstrap
	// broker that swallows packets leaves time for the next in the list.
	dialTimeout = 3 * time.Second
	// connectTimeout bounds all that makes a connection: addresses, TLS, login.
	connectTimeout = 10 * time.Second
	// requestTimeout is the longest that any request may take. kafka-go sets no
	// deadline of its own: without one, a request to a broker that fell silent
	// holds its goroutine and its connection for ever.
	requestTimeout = 30 * time.Second
	// idleTimeout is below the brokers' connections.max.idle.ms (10 minutes).
	idleTimeout = time.Minute
	// discoverEvery bounds for how long kafka-go routes to brokers that are gone.
	discoverEvery = time.Second
)

// Config is what a Client needs to know. Brokers is required.
type Config struct {
	Brokers        []string // host:port, to begin with; the rest is discovered
	ClientID       string
	TLS            *tls.Config // nil: no TLS
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
	cfg       Config
	log       *slog.Logger
	addr      net.Addr
	transport *kafka.Transport // everything but group membership
	dialer    *kafka.Dialer    // group membership, and Probe
	layout    layout
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
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		return cfg.Dial(ctx, network, addr)
	}
	return &Client{
		cfg:  cfg,
		log:  cfg.Log,
		addr: kafka.TCP(cfg.Brokers...),
		transport: &kafka.Transport{
			Dial:        dial,
			DialTimeout: connectTimeout,
			IdleTimeout: idleTimeout,
			MetadataTTL: discoverEvery,
			// Not nil, which would ask for every topic of the cluster again and
			// again. Leaders are looked up by layout; the transport needs to
			// know the brokers only.
			MetadataTopics: []string{},
			ClientID:       cfg.ClientID,
			TLS:            cfg.TLS,
			SASL:           mechanism,
		},
		dialer: &kafka.Dialer{
			ClientID:      cfg.ClientID,
			DialFunc:      dial,
			Timeout:       connectTimeout,
			TLS:           cfg.TLS,
			SASLMechanism: mechanism,
		},
		layout: newLayout(),
	}, nil
}

// Close closes the connections. What was made from the client is to be closed before.
func (c *Client) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}

// anyBroker as a destination lets kafka-go use whichever broker answers.
const anyBroker int32 = -1

// ask sends a request of kafka-go's protocol packages to one broker, chosen by
// its id (see leader), and returns the answer of the matching type. The error
// codes inside of the answer are the caller's to judge.
//
// When ctx ends, ask returns at once, but the request lives on in kafka-go
// until it is answered or requestTimeout is over: what req refers to must not
// be changed or used again after an error.
func (c *Client) ask(ctx context.Context, broker int32, req protocol.Message) (protocol.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	res, err := c.transport.RoundTrip(ctx, c.addr, &routed{Message: req, broker: broker, clientID: c.cfg.ClientID})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", req.ApiKey(), err)
	}
	return res.(*answer).Message, nil
}

// refresh forgets all that is known of the cluster and makes kafka-go look for
// its brokers anew, which takes it some milliseconds (measured) instead of up
// to a second. It costs new connections, so it is for a broker that the
// transport does not know (kafka.BrokerNotAvailable); a leader that moved needs
// only forget.
func (c *Client) refresh() {
	c.layout.forgetAll()
	c.transport.CloseIdleConnections()
}
