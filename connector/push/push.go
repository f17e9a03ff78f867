package push

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"

	"smsbridge/codec/wire"
	"smsbridge/connector/push/spool"
)

// Limits of the public listener. Everything that arrives here may come from
// anybody.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 15 * time.Second
	writeTimeout  = 25 * time.Second // from the end of the header; longer than the rest of reading and durability
	idleTimeout   = 60 * time.Second
	maxHeader     = 16 << 10
	maxInProgress = 512
	// durability is how long a push may take to become durable in Kafka.
	durability = 3 * time.Second
)

// Config says where and how pushes are taken.
type Config struct {
	Listen string // host:port; port 0 takes any free one
	// Token is a secret segment of the path; nil or empty: none.
	Token, PreviousToken func() string
	Auth                 Auth        // of delivery reports
	Inbound              InboundAuth // of inbound messages
	// Allow lists whom to listen to; empty: everybody.
	Allow []netip.Prefix
	// TrustedProxies may say by X-Forwarded-For whom they speak for.
	TrustedProxies []netip.Prefix
	Ack            string // body of every 200
	// SystemExtensionLength is how many digits of an inbound message's
	// extension are the system's prefix; nil: nobody has said, so it is not cut.
	SystemExtensionLength *int
	Keywords              wire.Keywords
	Account               string // alias of the account, for events
	// SpoolDir is a folder where pushes wait while Kafka is away; empty: they are
	// answered 503. SpoolMax bounds its bytes.
	SpoolDir string
	SpoolMax int64
	// Grace is how long requests in progress may take after Run was told to
	// stop.
	Grace time.Duration
	Sink  Sink
	Log   *slog.Logger
	Meter metric.Meter
}

// Server is the public listener.
type Server struct {
	Config
	conns   *conns
	digests *digests
	guesses *guesses
	metrics *metrics
	notes   *sometimes
	spool   *spool.Spool // nil: none

	working chan struct{} // one for each push read and not yet answered
	large   chan struct{} // one for each body over smallBody in memory
}

// Listen checks the configuration and opens port and spool, so that one in use
// is told before anything else has begun. Nothing is answered before Run.
func Listen(ctx context.Context, c Config) (*Server, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("SMSBRIDGE_PUSH_LISTEN=%s: %w; choose a free address of this machine", c.Listen, err)
	}
	s, err := newServer(c, l)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if err := s.openSpool(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return s, nil
}

func (c *Config) validate() error {
	faults := []error{c.Auth.validate(), c.Inbound.validate()}
	for _, token := range values(c.Token, c.PreviousToken) {
		if strings.ContainsFunc(token, isEscaped) {
			faults = append(faults, errors.New("SMSBRIDGE_PUSH_TOKEN: holds a character that a URL would escape; use letters, digits, - . _ ~"))
			break
		}
	}
	return errors.Join(faults...)
}

func isEscaped(c rune) bool {
	switch {
	case '0' <= c && c <= '9', 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z':
		return false
	}
	return !strings.ContainsRune("-._~", c)
}

func newServer(c Config, l net.Listener) (*Server, error) {
	m, err := newMetrics(c.Meter)
	if err != nil {
		return nil, err
	}
	return &Server{
		Config:  c,
		conns:   newConns(l, func(a netip.Addr) bool { return contains(c.TrustedProxies, a) }, m.connectionClosed),
		digests: newDigests(),
		guesses: newGuesses(),
		metrics: m,
		notes:   newSometimes(c.Log),
		working: make(chan struct{}, maxInProgress), // the limit itself
		large:   make(chan struct{}, maxLarge),      // the limit itself
	}, nil
}

// Addr is where the server listens.
func (s *Server) Addr() net.Addr { return s.conns.Addr() }

// Close gives port and spool back where Run is never called.
func (s *Server) Close() error {
	s.closeSpool()
	return s.conns.Close()
}

// Run answers pushes until ctx ends. Then it accepts no more, and it returns
// when those in progress are answered, or Grace is over, and the sink is not
// used any more. What is in the spool then stays there. It can be called once.
func (s *Server) Run(ctx context.Context) error {
	if s.spool != nil {
		defer s.closeSpool()
		var drain sync.WaitGroup
		defer drain.Wait()
		draining, cancel := context.WithCancel(ctx)
		defer cancel()
		drain.Go(func() { s.spool.Drain(draining, s.fromDisk) })
	}
	server := &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		// Else net/http itself answers OPTIONS * with 200.
		DisableGeneralOptionsHandler: true,
		// net/http has a line for each odd request: strangers write this log.
		ErrorLog: slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(s.conns) }()
	s.Log.Info("push listener open", "address", s.Addr().String(), "auth", string(s.Auth.Mode), "token", len(values(s.Token)) > 0)

	select {
	case err := <-ended:
		return fmt.Errorf("push listener: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Grace)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		s.Log.Warn("push listener closed with unfinished requests", "grace", s.Grace)
		_ = server.Close() // of connections that nobody reads from any more
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("push listener: %w", err)
	}
	// A push whose connection is gone may still be on its way to sink or spool, for
	// as long as they may take: they must outlive it. Taking every place also
	// keeps others from beginning.
	for range maxInProgress {
		s.working <- struct{}{}
	}
	return nil
}
