package push

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"smsbridge/codec/wire"
)

// Limits of bodies. Few pushes are large, so the memory that strangers can make
// us hold before we know them stays near maxConns*smallBody + maxLarge*maxBody,
// 24 MiB, and large bodies can crowd out only large ones.
const (
	maxBody   = 256 << 10
	smallBody = 8 << 10
	maxLarge  = 64
)

var (
	errTooLarge = errors.New("body over 256 KiB")
	errNoRoom   = errors.New("too many large bodies at a time")
	// errCut is a body that ended before its announced length, or stalled until
	// the read timeout.
	errCut = &wire.Unreadable{
		Rule:   "the body ended before its announced length",
		Remedy: "the provider may send it again; Content-Length counts bytes, not characters",
	}
)

// body reads a request's body to its end. With errCut what did come is
// returned; it must not be read as a whole push, for a cut state or number may
// look like another one. done must be called when the body is not needed any
// more.
func (s *Server) body(w http.ResponseWriter, r *http.Request) (body []byte, done func(), err error) {
	done = func() {}
	limited := http.MaxBytesReader(w, r.Body, maxBody)
	if r.ContentLength > maxBody {
		discard(r, limited)
		return nil, done, errTooLarge
	}
	var buf bytes.Buffer
	buf.Grow(int(min(max(r.ContentLength, 0), smallBody)) + bytes.MinRead)
	_, err = buf.ReadFrom(io.LimitReader(limited, smallBody))
	if err == nil && buf.Len() == smallBody {
		select {
		case s.large <- struct{}{}:
			done = func() { <-s.large }
		default:
			return nil, done, errNoRoom
		}
		_, err = buf.ReadFrom(limited)
	}
	if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) {
		return nil, done, errTooLarge
	}
	if err != nil {
		return buf.Bytes(), done, errCut
	}
	return buf.Bytes(), done, nil
}

// discard reads what is left of a body that does not matter any more. Closing a
// connection with bytes unread resets it, and the answer is lost on its way;
// net/http takes care of that only where the client did not ask to close.
// A client that waits for "100 Continue" has sent nothing yet.
func discard(r *http.Request, body io.Reader) {
	if r.Header.Get("Expect") == "" {
		_, _ = io.CopyN(io.Discard, body, maxBody+1)
	}
}
