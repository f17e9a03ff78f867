package provider

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"

	"smsbridge/codec/sms"
)

// The errors that stand for what a peer did. They are our own words: a parser's
// error repeats the bytes that it could not read, and a server that echoes its
// request would so put numbers and passwords into our logs.
var (
	errTimeout       = errors.New("timed out")
	errEnded         = errors.New("connection ended")
	errMalformed     = errors.New("malformed HTTP answer")
	errAnswerTooLong = errors.New("answer over 64 KiB")
	errProxyAnswer   = errors.New("malformed answer from the proxy")
	errNetwork       = errors.New("network error")
)

// maxRetryAfter bounds the provider's wish, which may be any number: one answer
// must not keep a command from the provider for its whole validity.
const maxRetryAfter = 5 * time.Minute

// statusError is an HTTP status that stands where an answer was expected.
type statusError struct {
	what   string
	status int
}

func (e statusError) Error() string { return e.what + strconv.Itoa(e.status) }

// judge says what a status other than 200 means, by the table of the
// provider's API: only 429 and a 503 that names a time to come back are the word
// of a server which did not take the request; other 5xx may come from a gateway
// whose backend did, and a redirect is never followed, as it would be a second
// submit.
func (r reply) judge(now time.Time) *Failure {
	status := r.status
	if status == http.StatusOK {
		return nil
	}
	f := &Failure{Class: Unknown, Reason: sms.ProviderError, Err: statusError{"HTTP ", status}}
	after, told := parseRetryAfter(r.retryAfter, now)
	switch {
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable && told:
		f.Class, f.Reason, f.After = Throttled, sms.RateLimited, after
	case status < 500:
		if reason, ok := refusal(status); ok {
			f.Class, f.Reason = LineDown, reason
		} else {
			// Another 2xx, a 3xx, 101, no status at all, or a 4xx that does not prove
			// a refusal: 408, 460 and 499 are the word of a gateway that forwarded the
			// request and gave up waiting.
			f.Reason = sms.ProtocolError
		}
	}
	return f
}

// refusal says what is wrong with us, for the statuses by which a server refuses
// a request that it did not carry out.
func refusal(status int) (sms.Reason, bool) {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		return sms.AuthFailed, true
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return sms.ProtocolError, true // not the address of this API
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong, http.StatusUnsupportedMediaType:
		return sms.MalformedRequest, true
	default:
		return "", false
	}
}

// parseRetryAfter reads seconds or an HTTP date. It reports false when there is none
// that can be read.
func parseRetryAfter(value string, now time.Time) (time.Duration, bool) {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter), true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return min(max(at.Sub(now), 0), maxRetryAfter), true
}

// notSent is the failure of a call whose request did not leave whole.
func notSent(ctx context.Context, err error) *Failure {
	return &Failure{Class: NotSent, Reason: networkReason(ctx, err), Err: plain(err)}
}

// unanswered is the failure of a call whose request left whole and whose answer
// could not be read to its end. Even if the connection turns out to have been
// reset: the server may have read the request before.
func (c *conn) unanswered(ctx context.Context, err error) *Failure {
	if c.broken == nil {
		if !errors.Is(err, errAnswerTooLong) {
			err = errMalformed
		}
		return unreadable(err)
	}
	return &Failure{Class: Unknown, Reason: networkReason(ctx, c.broken), Err: plain(c.broken)}
}

func unreadable(err error) *Failure {
	return &Failure{Class: Unknown, Reason: sms.ProtocolError, Err: err}
}

func networkReason(ctx context.Context, err error) sms.Reason {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return sms.Interrupted
	case isTimeout(err):
		return sms.Timeout
	default:
		return sms.NetworkError
	}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &ne) && ne.Timeout()
}

// plain keeps of an error what helps an operator and cannot hold anything that
// was sent: it lets known kinds through and calls the rest a network error.
func plain(err error) error {
	var (
		dns     *net.DNSError
		errno   syscall.Errno
		host    x509.HostnameError
		cert    *tls.CertificateVerificationError
		alert   tls.AlertError
		record  tls.RecordHeaderError
		refused statusError
	)
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case isTimeout(err):
		return errTimeout
	case errors.As(err, &dns):
		return errors.New("name lookup: " + dns.Err)
	case errors.As(err, &errno):
		return errno
	case errors.As(err, &host):
		return host
	case errors.As(err, &cert):
		return cert
	case errors.As(err, &alert):
		return alert
	case errors.As(err, &record):
		return errors.New("the server does not speak TLS")
	case errors.As(err, &refused):
		return refused
	case errors.Is(err, errProxyAnswer):
		return errProxyAnswer
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrClosedPipe):
		return errEnded
	default:
		return errNetwork
	}
}
