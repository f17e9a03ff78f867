package kafkaio

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/sasl"
)

const (
	// dialTimeout bounds the way to one address, so that a broker whose packets
	// are swallowed leaves time for the next in the list.
	dialTimeout = 3 * time.Second
	// stepTimeout bounds each of what follows: the handshake of TLS, the first
	// answer, the login. A frozen broker is accepted for by its kernel, and
	// answers none of them.
	stepTimeout = 5 * time.Second
	// connectTimeout bounds all that makes a connection.
	connectTimeout = 10 * time.Second
)

// dialer makes connections. It is the one way to a broker, for Probe as for
// everything that follows.
type dialer struct {
	clientID string
	dial     func(ctx context.Context, network, addr string) (net.Conn, error)
	tls      func() (*tls.Config, error) // nil: no TLS
	login    sasl.Mechanism              // nil: none
}

// conn is a connection to one broker, ready for requests, one at a time.
type conn struct {
	*protocol.Conn
	address  string
	clientID string
	offered  map[protocol.ApiKey]int16 // the newest version of each request that the broker takes
	ends     time.Time                 // no request is begun later; zero: no limit
	used     time.Time
}

// connect reaches a broker, step by step, so that each failure can be told from
// the others. An error is a *ConnectError.
func (d *dialer) connect(ctx context.Context, address string) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	plain, err := d.reach(ctx, address)
	if err != nil {
		return nil, &ConnectError{Broker: address, Kind: ErrUnreachable, Err: err, Remedy: "KAFKA_BROKERS: check the address, that the broker runs, and that nothing between blocks it"}
	}
	// Reads and writes do not heed contexts.
	release := context.AfterFunc(ctx, func() { _ = plain.SetDeadline(time.Unix(1, 0)) })
	c, err := d.introduce(ctx, address, plain)
	if !release() && err == nil {
		err = refuse(address, ErrUnreachable, context.Cause(ctx), "")
	}
	if err == nil {
		err = plain.SetDeadline(time.Time{})
	}
	if err != nil {
		_ = plain.Close()
		return nil, err
	}
	return c, nil
}

// refuse says why a broker that was reached cannot be used.
func refuse(address string, kind, err error, remedy string) error {
	if late(err) {
		// Whatever step it was, silence says nothing about the protocol.
		kind, remedy = ErrUnreachable, "KAFKA_BROKERS: the connection is accepted and nothing is answered: the broker is frozen or overloaded, or something between swallows what is sent"
	}
	return &ConnectError{Broker: address, Kind: kind, Err: err, Remedy: remedy}
}

func (d *dialer) reach(ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	return d.dial(ctx, "tcp", address)
}

// step gives the next step its time.
func step(ctx context.Context, c net.Conn) error {
	deadline := time.Now().Add(stepTimeout)
	if whole, ok := ctx.Deadline(); ok && whole.Before(deadline) {
		deadline = whole
	}
	if err := c.SetDeadline(deadline); err != nil {
		return err
	}
	return ctx.Err() // which may have ended just before the deadline was moved
}

// introduce does all that comes between a connection and the first request.
func (d *dialer) introduce(ctx context.Context, address string, plain net.Conn) (*conn, error) {
	secure, err := d.secure(ctx, address, plain)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: protocol.NewConn(secure, d.clientID), address: address, clientID: d.clientID, used: time.Now()}
	if err := step(ctx, c); err != nil {
		return nil, refuse(address, ErrUnreachable, err, "")
	}
	c.offered, err = apiVersions(c, d.clientID)
	switch {
	case err == nil:
	case errors.Is(err, errAnsweredTLS):
		return nil, refuse(address, ErrTLS, err, "KAFKA_TLS: set it to true, or use the listener that speaks plainly")
	case isRemoteAlert(err): // TLS 1.3 refuses a client's certificate after the handshake
		return nil, refuse(address, ErrTLS, err, tlsRemedy(err))
	case hungUp(err) && d.tls == nil:
		return nil, refuse(address, ErrTLS, err, "KAFKA_TLS: set it to true if this listener wants TLS; else this is no Kafka broker")
	default:
		return nil, refuse(address, ErrUnreachable, err, "KAFKA_BROKERS: what answers there does not speak Kafka's protocol")
	}
	if d.login == nil {
		return c, nil
	}
	if err := step(ctx, c); err != nil {
		return nil, refuse(address, ErrUnreachable, err, "")
	}
	if remedy, err := c.logIn(ctx, d.login); err != nil {
		return nil, refuse(address, ErrLogin, err, remedy)
	}
	return c, nil
}

// secure begins TLS where it is spoken, and checks the broker's certificate
// against the name that we call it by, unless another name was configured.
func (d *dialer) secure(ctx context.Context, address string, plain net.Conn) (net.Conn, error) {
	if d.tls == nil {
		return plain, nil
	}
	cfg, err := d.tls()
	if err != nil {
		return nil, refuse(address, ErrTLS, err, "KAFKA_TLS: mend the file")
	}
	if cfg.ServerName == "" {
		cfg = cfg.Clone()
		cfg.ServerName, _, _ = net.SplitHostPort(address)
	}
	if err := step(ctx, plain); err != nil {
		return nil, refuse(address, ErrUnreachable, err, "")
	}
	secure := tls.Client(plain, cfg)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, refuse(address, ErrTLS, err, tlsRemedy(err))
	}
	return secure, nil
}

// place is the address as login mechanisms want it that sign it.
func (c *conn) place() *sasl.Metadata {
	host, port, err := net.SplitHostPort(c.address)
	if err != nil {
		return &sasl.Metadata{Host: c.address}
	}
	number, _ := strconv.Atoi(port) // 0 where it is a name
	return &sasl.Metadata{Host: host, Port: number}
}

// someBroker is the address under which kafka-go's membership asks for whichever
// broker answers. Left to itself it would take the first configured one that
// accepts a connection, and wait for it as long as it is frozen.
const someBroker = "any.invalid:9092"

// dialForGroup connects as everything else does, login included, for what kafka-go
// still dials itself.
func (c *Client) dialForGroup(ctx context.Context, _, address string) (net.Conn, error) {
	candidates := []string{address}
	if address == someBroker {
		candidates = c.brokers.candidates()
	}
	var err error
	for _, address := range candidates {
		var made *conn
		made, err = c.pool.connect(ctx, address)
		if err == nil {
			return made, nil
		}
		if ctx.Err() != nil {
			break
		}
		c.brokers.silent(address)
	}
	return nil, err
}
