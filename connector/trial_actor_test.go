package connector

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"go.opentelemetry.io/otel/metric/noop"
	nooptrace "go.opentelemetry.io/otel/trace/noop"
	"golang.org/x/sync/errgroup"

	"smsbridge/cmd/smslab/trial"
	"smsbridge/codec/sms"
	"smsbridge/connector/intake"
	"smsbridge/connector/kafkaio"
	"smsbridge/connector/provider"
	"smsbridge/connector/submit"
)

// actor is one connector of a run. When its link is cut it has no effect any
// more on anybody, as if it had been killed.
type actor struct {
	name  string
	link  link
	stop  context.CancelFunc
	asked atomic.Bool // to stop, or killed
}

// fate is what happens to an actor when it reaches a point for the nth time.
type fate struct {
	at     string
	nth    atomic.Int32
	freeze bool
}

// fate gives every point its turn, over the seeds.
func (th *theatre) fate(seed uint64, i int) *fate {
	f := &fate{at: points[(int(seed)*3+i)%len(points)], freeze: th.n(3) == 0}
	f.nth.Store(int32(1 + th.n(3)))
	return f
}

// enter starts a connector. One that is killed is succeeded by another.
func (th *theatre) enter(name string, f *fate) {
	a := &actor{name: name}
	a.link.network = &th.network
	ctx, stop := context.WithCancel(context.Background())
	a.stop = stop
	th.mu.Lock()
	th.actors[name] = a
	th.mu.Unlock()
	cfg := th.config(a)
	cfg.reached = func(at string) {
		if f != nil && at == f.at && f.nth.Add(-1) == 0 && !th.calm.Load() {
			th.struck.add(at)
			th.strike(a, f.freeze, at)
		}
	}
	th.running.Go(func() {
		err := runUnheard(ctx, cfg)
		if !a.asked.Load() {
			th.note(trial.Event{Kind: trial.Exit, Instance: name, At: time.Now(), Detail: errors.Join(errors.New("ended"), err).Error()})
		}
	})
}

// strike kills the actor or freezes it for longer than its session. It does not
// block: those who reach a point may hold locks.
func (th *theatre) strike(a *actor, freeze bool, where string) {
	if freeze {
		long := trialSession + time.Duration(th.n(int(8*time.Second)))
		if a.link.freeze(long) {
			now := time.Now()
			th.note(trial.Event{Kind: trial.Freeze, Instance: a.name, At: now, Until: now.Add(long), Detail: where})
		}
		return
	}
	if !a.asked.CompareAndSwap(false, true) {
		return
	}
	a.link.cut()
	a.stop()
	th.note(trial.Event{Kind: trial.Kill, Instance: a.name, At: time.Now(), Detail: where})
	after := time.Duration(th.n(int(3 * time.Second)))
	th.running.Go(func() {
		time.Sleep(after)
		if !th.calm.Load() {
			th.enter(a.name+"'", th.fate(uint64(th.n(1000)), 0))
		}
	})
}

// runUnheard is Run without its two listeners, which would need a real network.
func runUnheard(ctx context.Context, cfg Config) error {
	c, err := build(cfg)
	if err != nil {
		return err
	}
	work, finish := linger(ctx, cfg.Grace)
	defer finish()
	c.work = work
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.watchKafka(ctx) })
	g.Go(func() error { return c.line.Run(ctx) })
	g.Go(func() error { return c.bridge(ctx) })
	return errors.Join(g.Wait(), c.close())
}

func (th *theatre) config(a *actor) Config {
	log := slog.New(slog.DiscardHandler)
	cfg := Config{
		Account: "default", Instance: a.name, Version: "test", Group: "g", Topics: testTopics, Ordering: intake.ByKey,
		Roles: Roles{Intake: true, Push: true}, Kept: Kept{DedupeWindow: time.Hour, ReportDeadline: time.Hour}, StateDir: th.stateDir, BalanceInterval: time.Minute, Grace: 25 * time.Second,
		Kafka: kafkaio.Config{Brokers: th.cluster.ListenAddrs(), ClientID: a.name, SessionTimeout: trialSession, Log: log, Dial: a.link.dial},
		Provider: provider.Config{
			URL: "http://localhost:80/", Timeout: 20 * time.Second, MaxInFlight: trialInFlight, Dial: a.link.dial,
			Name: func() string { return a.name }, Password: func() string { return "p" },
			Meter: noop.Meter{}, Tracer: nooptrace.Tracer{},
		},
		Submit: submit.Config{
			Account: "default", Signature: "Test", MaxRecipients: trialRecipients, MaxInFlight: trialInFlight,
			Retry:     submit.Retry{Initial: 100 * time.Millisecond, Max: 2 * time.Second, Multiplier: 2},
			OnUnknown: sms.ReportUnknown, Validity: submit.Validity{OTP: time.Hour, Notice: time.Hour, Marketing: time.Hour},
			Log: log, Meter: noop.Meter{}, Tracer: nooptrace.Tracer{},
		},
		Log: log, Meter: noop.Meter{},
	}
	if th.change != nil {
		th.change(&cfg)
	}
	return cfg
}

// link is an actor's only way to others.
type link struct {
	network *kfake.VirtualNetwork

	mu     sync.Mutex
	gone   bool
	thawed chan struct{} // nil: not frozen
	conns  []net.Conn
}

var errCut = errors.New("the link is cut")

// cut ends everything at once, and for good.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone = true
	for _, c := range l.conns {
		c.Close()
	}
	l.conns = nil
}

// freeze holds back whatever is on its way in either direction. It reports false
// when it is frozen already.
func (l *link) freeze(long time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.thawed != nil || l.gone {
		return false
	}
	thawed := make(chan struct{})
	l.thawed = thawed
	time.AfterFunc(long, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.thawed = nil
		close(thawed)
	})
	return true
}

// rest waits for the thaw.
func (l *link) rest(ctx context.Context) error {
	l.mu.Lock()
	thawed, gone := l.thawed, l.gone
	l.mu.Unlock()
	if gone {
		return errCut
	}
	if thawed != nil {
		select {
		case <-thawed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (l *link) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if err := l.rest(ctx); err != nil {
		return nil, err
	}
	far, err := l.network.DialContext(ctx, network, strings.Replace(address, "127.0.0.1", "localhost", 1))
	if err != nil {
		return nil, err
	}
	near, between := net.Pipe()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone {
		return nil, errors.Join(errCut, far.Close())
	}
	l.conns = append(l.conns, far, between)
	go l.carry(far, between)
	go l.carry(between, far)
	return near, nil
}

func (l *link) carry(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if l.rest(context.Background()) != nil {
			return
		}
		if _, failed := to.Write(buffer[:n]); err != nil || failed != nil {
			return
		}
	}
}
