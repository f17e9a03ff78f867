package push

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"smsbridge/codec/wire"
)

// serve answers one request. Every answer but the 200 has an empty body.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	kind := s.route(r.URL.Path)
	o := s.answer(w, r, kind)
	switch o {
	case wrongMethod:
		w.Header().Set("Allow", strings.Join(methods[kind], ", "))
	case overloaded, notDurable:
		w.Header().Set("Retry-After", "5")
	default:
	}
	discard(r, r.Body)
	if o.status() == http.StatusOK {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write([]byte(s.Ack)) // a lost answer is repeated by the provider; there is no other to tell
	} else {
		w.WriteHeader(o.status())
	}
	s.metrics.answered(r.Context(), kind, o, time.Since(began))
}

// route is what a path is for; noKind: nothing. It is compared as a whole and
// never cleaned, so no redirect tells a stranger which paths there are.
func (s *Server) route(path string) Kind {
	name, ok := strings.CutPrefix(path, "/push/")
	if !ok {
		return noKind
	}
	if tokens := values(s.Token, s.PreviousToken); len(tokens) > 0 {
		var token string
		token, name, _ = strings.Cut(name, "/")
		if !equalsAny(token, tokens) {
			return noKind
		}
	}
	if k := Kind(name); k == Report || k == Inbound {
		return k
	}
	return noKind
}

// methods are those of each kind: the provider's document has inbound messages come
// by either.
var methods = map[Kind][]string{
	Report:  {http.MethodPost},
	Inbound: {http.MethodGet, http.MethodPost},
}

// answer decides. What costs nothing comes first; of an address that may not
// push nothing is looked at.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, kind Kind) outcome {
	from, known := client(r, s.TrustedProxies)
	switch {
	case kind == noKind:
		return unknownPath
	case !slices.Contains(methods[kind], r.Method):
		return wrongMethod
	case len(s.Allow) > 0 && (!known || !contains(s.Allow, from)):
		return s.refuse(r.Context(), addressNotListed, from)
	}

	body, done, cut := s.body(w, r)
	defer done()
	switch {
	case errors.Is(cut, errTooLarge):
		return tooLarge
	case errors.Is(cut, errNoRoom):
		return overloaded
	case len(body) == 0 && r.URL.RawQuery == "":
		return s.refuse(r.Context(), wrongCredentials, from)
	}
	select {
	case s.working <- struct{}{}:
		defer func() { <-s.working }()
	default:
		return overloaded
	}
	s.conns.atWork(r.RemoteAddr)

	raw := Raw{
		Push:       wire.Push{ContentType: r.Header.Get("Content-Type"), Body: body, Query: r.URL.RawQuery},
		Kind:       kind,
		ReceivedAt: time.Now(),
	}
	// Whole or cut, the push is here: that its sender hangs up now changes
	// nothing, and the sender may never repeat it.
	ctx := context.WithoutCancel(r.Context())
	s.metrics.inProgress.Add(ctx, 1)
	defer s.metrics.inProgress.Add(ctx, -1)
	o := s.take(ctx, raw, cut, from)
	good := o.status() == http.StatusOK
	if o == refused && s.guesses.held(from, raw.ReceivedAt) {
		w.Header().Set("Connection", "close") // the next guess costs a connection
	}
	s.conns.waits(r.RemoteAddr, good)
	return o
}

// take authenticates a push and makes it durable.
func (s *Server) take(ctx context.Context, raw Raw, cut error, from netip.Addr) outcome {
	var given wire.Credentials
	var p Pushed
	if err := s.guarded(ctx, func() error { given, p = s.read(raw); return nil }); err != nil {
		return notDurable // and not for the dead letters: nobody knows who sent it
	}
	proof := s.check(raw, given)
	if proof.refused != "" {
		return s.wrong(ctx, proof.refused, from, raw.ReceivedAt)
	}
	if cut != nil {
		p = Pushed{Raw: raw, Unreadable: cut}
	}
	if !proof.once {
		return s.keep(ctx, p)
	}
	this := fingerprintOf(raw)
	seen, ok := s.digests.use(proof.digest, this, raw.ReceivedAt)
	switch {
	case !ok:
		return s.wrong(ctx, reusedDigest, from, raw.ReceivedAt)
	case seen:
		return repeated
	}
	o := s.keep(ctx, p)
	// A cut push does not use its digest up: the provider may send the whole yet.
	s.digests.settle(proof.digest, this, cut == nil && o.status() == http.StatusOK, raw.ReceivedAt)
	return o
}

func (s *Server) check(raw Raw, given wire.Credentials) proof {
	if raw.Kind == Inbound {
		return s.Inbound.check(given)
	}
	return s.Auth.check(given, raw.ReceivedAt)
}

// wrong refuses a push for what it said of itself. Guesses beyond the limit are
// told apart from mistakes, but who is right is never refused for them: behind
// address translation or a proxy the provider and a stranger look the same.
func (s *Server) wrong(ctx context.Context, cause refusal, from netip.Addr, now time.Time) outcome {
	if s.guesses.held(from, now) {
		cause = tooManyGuesses
	}
	s.guesses.wrong(from, now)
	return s.refuse(ctx, cause, from)
}

// keep makes a push durable: in Kafka, or on disk while Kafka is away or others
// wait there.
func (s *Server) keep(ctx context.Context, p Pushed) outcome {
	o, err := s.toKafka(ctx, p)
	if err != nil && s.spool != nil {
		o, err = queued, s.toDisk(ctx, p)
	}
	if err == nil {
		return o
	}
	s.notes.warn(ctx, "not durable", time.Now(), "push not durable, answered 503", slog.Any("error", err))
	return notDurable
}

var errOthersWait = errors.New("others wait in the spool")

func (s *Server) toKafka(ctx context.Context, p Pushed) (outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, durability)
	defer cancel()
	if s.spool != nil && !s.spool.Wait(ctx) {
		return notDurable, errOthersWait
	}
	return s.publish(ctx, p)
}

// publish hands a push to the sink. One that cannot be published as it was read
// goes to the dead letters.
func (s *Server) publish(ctx context.Context, p Pushed) (outcome, error) {
	err := s.guarded(ctx, func() error { return s.Sink.Keep(ctx, p) })
	if isUnreadable(err) {
		p = Pushed{Raw: p.Raw, Unreadable: err}
		err = s.guarded(ctx, func() error { return s.Sink.Keep(ctx, p) })
	}
	if p.Unreadable != nil {
		return deadLettered, err
	}
	return accepted, err
}

func (s *Server) refuse(ctx context.Context, cause refusal, from netip.Addr) outcome {
	s.metrics.refused(ctx, cause)
	s.notes.warn(ctx, string(cause), time.Now(), "push refused",
		slog.String("cause", string(cause)), slog.String("client", from.String()))
	return refused
}

// panicked is a bug of ours that one push has found. It costs that push its
// decoding, not the process its life.
type panicked struct{ kind string }

func (p *panicked) Error() string { return "internal error: " + p.kind }

// isUnreadable reports whether to send the same push again would change nothing.
func isUnreadable(err error) bool {
	if err == nil {
		return false // as nearly always, and without the search's allocations
	}
	var unreadable *wire.Unreadable
	var bug *panicked
	return errors.As(err, &unreadable) || errors.As(err, &bug)
}

// guarded turns a panic into an error. The panic's value may hold a number or
// a text, so only its type is told.
func (s *Server) guarded(ctx context.Context, do func() error) (err error) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		err = &panicked{kind: fmt.Sprintf("%T", v)}
		s.notes.warn(ctx, "panic", time.Now(), "push handler panicked, the push goes to the dead letters",
			slog.String("type", fmt.Sprintf("%T", v)), slog.String("stack", string(debug.Stack())))
	}()
	return do()
}
