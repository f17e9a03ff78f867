package kafkaio

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/saslauthenticate"
	"github.com/segmentio/kafka-go/protocol/saslhandshake"
	"github.com/segmentio/kafka-go/sasl"
)

// knock connects to one broker, step by step so that each failure can be told
// from the others, and returns what that broker knows of the cluster.
func (c *Client) knock(ctx context.Context, broker string) (clusterView, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	refuse := func(kind, err error, remedy string) (clusterView, error) {
		return clusterView{}, &ConnectError{Broker: broker, Kind: kind, Err: err, Remedy: remedy}
	}
	conn, err := c.transport.Dial(ctx, "tcp", broker)
	if err != nil {
		return refuse(ErrUnreachable, err, "KAFKA_BROKERS: check the address, that the broker runs, and that nothing between blocks it")
	}
	defer func() { _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return refuse(ErrUnreachable, err, "")
	}
	// Reads do not heed contexts.
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()

	if c.cfg.TLS != nil {
		secure := tls.Client(conn, serverName(c.cfg.TLS, broker))
		if err := secure.HandshakeContext(ctx); err != nil {
			return refuse(ErrTLS, err, tlsRemedy(err))
		}
		conn = secure
	}
	pc := protocol.NewConn(conn, c.cfg.ClientID)
	offered, err := apiVersions(pc, c.cfg.ClientID)
	switch {
	case err == nil:
	case errors.Is(err, errAnsweredTLS):
		return refuse(ErrTLS, err, "KAFKA_TLS: set it to true, or use the listener that speaks plainly")
	case isRemoteAlert(err): // TLS 1.3 refuses a client's certificate after the handshake
		return refuse(ErrTLS, err, tlsRemedy(err))
	case hungUp(err) && c.cfg.TLS == nil:
		return refuse(ErrTLS, err, "KAFKA_TLS: set it to true if this listener wants TLS; else this is no Kafka broker")
	default:
		return refuse(ErrUnreachable, err, "KAFKA_BROKERS: what answers there does not speak Kafka's protocol")
	}
	if mechanism := c.transport.SASL; mechanism != nil {
		pc.SetVersions(map[protocol.ApiKey]int16{
			protocol.SaslHandshake:    min(1, offered[protocol.SaslHandshake]),
			protocol.SaslAuthenticate: min(1, offered[protocol.SaslAuthenticate]),
		})
		if remedy, err := logIn(ctx, pc, mechanism); err != nil {
			return refuse(ErrLogin, err, remedy)
		}
	}
	res, err := (&metadataRequest{clientID: c.cfg.ClientID}).RawExchange(pc)
	switch {
	case err == nil:
		return res.(*metadataAnswer).view, nil
	case hungUp(err) && c.transport.SASL == nil:
		return refuse(ErrLogin, err, "KAFKA_SASL_MECHANISM: set it, with KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD, if this listener wants a login")
	default:
		return refuse(ErrUnreachable, err, "KAFKA_BROKERS: the broker took the connection and then failed")
	}
}

// logIn does what kafka-go's transport does for each connection, and says on
// failure which setting is wrong.
func logIn(ctx context.Context, pc *protocol.Conn, mechanism sasl.Mechanism) (remedy string, err error) {
	res, err := pc.RoundTrip(&saslhandshake.Request{Mechanism: mechanism.Name()})
	if err != nil {
		return "KAFKA_SASL_MECHANISM: the broker hung up when asked for " + mechanism.Name(), err
	}
	handshake := res.(*saslhandshake.Response)
	switch code := kafka.Error(handshake.ErrorCode); code {
	case 0:
	case kafka.UnsupportedSASLMechanism:
		return "KAFKA_SASL_MECHANISM: the broker offers " + strings.ToLower(strings.Join(handshake.Mechanisms, ", ")), errors.New(title(code))
	case kafka.IllegalSASLState:
		return "KAFKA_SASL_MECHANISM: unset it, or use the listener that wants a login; this one does not", errors.New(title(code))
	default:
		return "KAFKA_SASL_MECHANISM: the broker refused it", errors.New(title(code))
	}
	session, state, err := mechanism.Start(ctx)
	if err != nil {
		return "", err
	}
	const wrong = "KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD: the broker does not accept them (nor would it, were the user made for another mechanism)"
	for done := false; !done; {
		res, err := pc.RoundTrip(&saslauthenticate.Request{AuthBytes: state})
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			// It took part in the handshake: this is how some say no.
			return wrong, errSilentNo
		case err != nil:
			return wrong, err
		}
		answer := res.(*saslauthenticate.Response)
		if answer.ErrorCode != 0 {
			return wrong, errors.New(title(kafka.Error(answer.ErrorCode)))
		}
		done, state, err = session.Next(ctx, answer.AuthBytes)
		if err != nil {
			return wrong, fmt.Errorf("%s: %w", mechanism.Name(), err)
		}
	}
	return "", nil
}

// serverName returns a configuration that checks the broker's certificate
// against the name that we call it by, unless another name was configured.
func serverName(cfg *tls.Config, broker string) *tls.Config {
	if cfg.ServerName != "" {
		return cfg
	}
	cfg = cfg.Clone()
	cfg.ServerName, _, _ = net.SplitHostPort(broker)
	return cfg
}

func tlsRemedy(err error) string {
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		header    tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &authority):
		return "KAFKA_TLS_CA_FILE: it must hold the authority that signed the broker's certificate"
	case errors.As(err, &name):
		return "KAFKA_BROKERS: call the broker by a name that stands in its certificate, or give it a certificate for this one"
	case errors.As(err, &invalid):
		return "KAFKA_TLS: the broker's certificate is not valid; check its dates, its use, and the clock of this machine"
	case errors.As(err, &header), hungUp(err), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		// Read as Kafka's framing, a client's greeting announces hundreds of
		// megabytes, which brokers refuse by hanging up, and others wait for.
		return "KAFKA_TLS: unset it, or use the listener that speaks TLS; this one does not"
	case isRemoteAlert(err):
		return "KAFKA_TLS_CERT_FILE, KAFKA_TLS_KEY_FILE: the broker wants a certificate of ours that it trusts"
	default:
		return "KAFKA_TLS: see the error"
	}
}

// isRemoteAlert tells what the other end said in TLS from what we found.
func isRemoteAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}

// hungUp says whether the other end closed the connection instead of answering.
func hungUp(err error) bool {
	var op *net.OpError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &op) && !op.Timeout() && op.Op == "read"
}

// brokeOff says whether the connection ended, at either end, or the time, before
// the broker answered anything.
func brokeOff(err error) bool {
	var late interface{ Timeout() bool }
	var op *net.OpError
	return hungUp(err) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, net.ErrClosed) ||
		errors.As(err, &late) && late.Timeout() || errors.As(err, &op) && op.Op == "write"
}
