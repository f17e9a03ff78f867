package kafkaio

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
)

// What a ConnectError is about; to be asked for by errors.Is.
var (
	// ErrUnreachable may mend itself: the broker, or the way to it, is down.
	ErrUnreachable = errors.New("unreachable")
	// ErrTLS and ErrLogin need somebody to change the configuration, unless they
	// come with ErrUnreachable.
	ErrTLS   = errors.New("TLS failed")
	ErrLogin = errors.New("login failed")
)

// ConnectError says why a broker could not be talked to, which setting is about
// it, and what to do. It holds no secret.
type ConnectError struct {
	Broker string // host:port
	Kind   error  // ErrUnreachable, ErrTLS or ErrLogin
	Remedy string // begins with the setting
	Err    error
}

// Error implements error.
func (e *ConnectError) Error() string {
	return fmt.Sprintf("Kafka broker %s: %v: %v. %s", e.Broker, e.Kind, e.Err, e.Remedy)
}

// Unwrap gives the kind and the cause. Where the connection only broke off, it
// gives ErrUnreachable too: Kind is then a guess, and it may mend itself, as when
// a broker behind a proxy is still coming up.
func (e *ConnectError) Unwrap() []error {
	if brokeOff(e.Err) {
		return []error{e.Kind, ErrUnreachable, e.Err}
	}
	return []error{e.Kind, e.Err}
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
	case errors.As(err, &header), hungUp(err):
		// Read as Kafka's framing, a client's greeting announces hundreds of
		// megabytes, which brokers refuse by hanging up.
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

// late says whether it was time that ended what failed.
func late(err error) bool {
	var timed interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timed) && timed.Timeout()
}

// brokeOff says whether the connection ended, at either end, or the time, before
// the broker answered anything.
func brokeOff(err error) bool {
	var op *net.OpError
	return hungUp(err) || late(err) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, net.ErrClosed) ||
		errors.As(err, &op) && op.Op == "write"
}
