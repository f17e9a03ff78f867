package connector

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric/noop"
	nooptrace "go.opentelemetry.io/otel/trace/noop"
	"golang.org/x/sync/errgroup"

	"smsbridge/cmd/smslab/link"
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
	link  link.Link
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
	a.link.Network = &th.network
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
		if thaw, frozen := a.link.Freeze(); frozen {
			time.AfterFunc(long, thaw)
			now := time.Now()
			th.note(trial.Event{Kind: trial.Freeze, Instance: a.name, At: now, Until: now.Add(long), Detail: where})
		}
		return
	}
	if !a.asked.CompareAndSwap(false, true) {
		return
	}
	a.link.Cut()
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
		Kafka: kafkaio.Config{Brokers: th.cluster.ListenAddrs(), ClientID: a.name, SessionTimeout: trialSession, Log: log, Dial: a.link.Dial},
		Provider: provider.Config{
			URL: "http://localhost:80/", Timeout: 20 * time.Second, MaxInFlight: trialInFlight, Dial: a.link.Dial,
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
