package simulator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Config says what kind of provider is played. The zero value accepts everybody,
// has no faults and pushes nothing.
type Config struct {
	Listener net.Listener // where the API is served; closed by Close

	Name, Password string   // of the account; empty: any
	Balance        int64    // texts; 0: a billion
	Sensitive      []string // a content that holds one of them is refused by code 1
	BlackSuffix    string   // numbers that end so are blacklisted; empty: none
	Faults         Faults

	Push     string // base of the connector's push addresses; empty: nothing is pushed
	PushAuth PushAuth
	PushDial dialFunc // nil: the network
	// PushConnections is how many pushes are under way at once; 0: as many as the
	// connector takes from one address.
	PushConnections int
	Reports         Reports
	MORate          float64 // inbound messages a second

	LedgerFile string // the ledger is appended to it as well; empty: memory only
}

// Provider is a running simulator.
type Provider struct {
	cfg     Config
	faults  atomic.Pointer[activeFaults]
	balance atomic.Int64
	sendids sendids
	ledger  journal[Entry]
	pushed  journal[PushEntry]
	pushes  *pusher
	counts  counts
	rest    *handover

	ctx    context.Context //nolint:containedctx // its end is Close, which may come at any time
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// activeFaults are the faults in force, and until when their code is.
type activeFaults struct {
	Faults
	until time.Time
}

// Start serves at the listener until Close.
func Start(cfg Config) (*Provider, error) {
	if cfg.Balance == 0 {
		cfg.Balance = 1_000_000_000
	}
	p := &Provider{cfg: cfg, conns: map[net.Conn]struct{}{}, rest: newHandover(cfg.Listener.Addr())}
	if err := p.SetFaults(cfg.Faults); err != nil {
		return nil, err
	}
	if cfg.LedgerFile != "" {
		if err := p.ledger.keepIn(cfg.LedgerFile); err != nil {
			return nil, err
		}
	}
	p.balance.Store(cfg.Balance)
	p.pushes = newPusher(&p.cfg, &p.pushed)
	p.ctx, p.cancel = context.WithCancel(context.Background())

	control := &http.Server{Handler: p.control(), ReadHeaderTimeout: 10 * time.Second}
	p.work.Go(func() { control.Serve(p.rest) }) //nolint:errcheck // it ends with Close
	p.work.Go(p.accept)
	p.work.Go(func() { p.pushes.run(p.ctx) })
	p.work.Go(p.flush)
	if cfg.MORate > 0 && cfg.Push != "" {
		p.work.Go(p.chatter)
	}
	return p, nil
}

// Close ends the simulator: connections are cut, pushes not yet made are dropped.
func (p *Provider) Close() error {
	p.cancel()
	err := p.cfg.Listener.Close()
	p.rest.Close() //nolint:errcheck // it never fails
	p.mu.Lock()
	open := slices.Collect(maps.Keys(p.conns))
	p.mu.Unlock()
	for _, c := range open {
		c.Close() //nolint:errcheck // nothing depends on how it went
	}
	p.work.Wait()
	return errors.Join(err, p.ledger.close())
}

// URL is the address of the submit and balance calls.
func (p *Provider) URL() string { return "http://" + p.cfg.Listener.Addr().String() + "/sms" }

// Faults are the ones in force.
func (p *Provider) Faults() Faults { return p.faults.Load().Faults }

// SetFaults changes the faults from the next request on.
func (p *Provider) SetFaults(f Faults) error {
	if err := f.validate(); err != nil {
		return fmt.Errorf("faults: %w", err)
	}
	active := &activeFaults{Faults: f}
	if f.CodeFor > 0 {
		active.until = time.Now().Add(time.Duration(f.CodeFor))
	}
	p.faults.Store(active)
	return nil
}

func (p *Provider) accept() {
	for {
		c, err := p.cfg.Listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		if p.ctx.Err() != nil {
			c.Close() //nolint:errcheck // nothing depends on how it went
			p.mu.Unlock()
			return
		}
		c = &tracked{Conn: c, forget: p.forget}
		p.conns[c] = struct{}{}
		p.mu.Unlock()
		p.work.Go(func() { p.serve(c) })
	}
}

func (p *Provider) forget(c net.Conn) {
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
}

func (p *Provider) flush() {
	for sleep(p.ctx, time.Second) {
		p.ledger.flush() //nolint:errcheck // the writer keeps its error, Close tells it
	}
}

// sleep waits and reports whether ctx lasted as long.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
