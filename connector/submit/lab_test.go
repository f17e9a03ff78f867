package submit

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	metricnoop "go.opentelemetry.io/otel/metric/noop"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"smsbridge/codec"
	"smsbridge/codec/sms"
	"smsbridge/codec/wire"
	"smsbridge/connector/provider"
)

type (
	submitFunc  func(context.Context, provider.Request) (wire.Answer, *provider.Failure)
	balanceFunc func(context.Context) (wire.Balance, *provider.Failure)
)

func (f submitFunc) Submit(ctx context.Context, r provider.Request) (wire.Answer, *provider.Failure) {
	return f(ctx, r)
}

// lab is a submitter among fakes. Everything that it is asked is written down.
type lab struct {
	*Submitter
	t     *testing.T
	line  *Line
	guard *recorder

	mu       sync.Mutex
	requests []provider.Request
	at       []time.Duration // since the lab began
	asked    int             // balance calls
	start    time.Time
}

// newLab must be called in a synctest bubble: what it starts ends with t.
func newLab(t *testing.T, submit submitFunc, balance balanceFunc, change func(*Config)) *lab {
	t.Helper()
	l := &lab{t: t, start: time.Now(), guard: &recorder{}}
	log := slog.New(slog.DiscardHandler)
	c := Config{
		Rate: NewRate(0), Account: "default", HashKey: codec.HashKey("key of the tests"), MaxRecipients: 500, MaxInFlight: 64,
		Retry:     Retry{Initial: 500 * time.Millisecond, Max: 30 * time.Second, Multiplier: 2},
		OnUnknown: sms.ReportUnknown, SignatureBound: true, SendAtMax: 7 * 24 * time.Hour,
		Validity: Validity{OTP: 5 * time.Minute, Notice: 24 * time.Hour, Marketing: 24 * time.Hour},
		Log:      log,
		Meter:    metricnoop.NewMeterProvider().Meter(""),
		Tracer:   tracenoop.NewTracerProvider().Tracer(""),
	}
	if change != nil {
		change(&c)
	}
	line, err := NewLine(LineConfig{
		MaxInFlight: c.MaxInFlight, Log: log,
		Balance: func(ctx context.Context) (wire.Balance, *provider.Failure) {
			l.mu.Lock()
			l.asked++
			l.mu.Unlock()
			return balance(ctx)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	l.line, c.Line = line, line
	c.Provider = submitFunc(func(ctx context.Context, r provider.Request) (wire.Answer, *provider.Failure) {
		l.mu.Lock()
		l.requests = append(l.requests, r)
		l.at = append(l.at, time.Since(l.start))
		l.mu.Unlock()
		return submit(ctx, r)
	})
	l.Submitter, err = New(c)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = line.Run(t.Context()) }()
	return l
}

func (l *lab) posts() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.requests)
}

func (l *lab) questions() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asked
}

// submittedAt are the times of all requests since the lab began.
func (l *lab) submittedAt() []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.at)
}

// carry brings a command to its result, waiting wherever it must.
func carry(ctx, work context.Context, s *Submitter, cmd *sms.Command, history History, guard Guard) (*sms.Result, error) {
	r := s.Begin(work, cmd, history, guard)
	for {
		result, wait, err := r.Step(ctx, work)
		if wait == nil {
			return result, err
		}
		woken := make(chan struct{}, len(wait.On)) // each calls once
		for _, e := range wait.On {
			defer e.Notify(func() { woken <- struct{}{} })()
		}
		timer := time.NewTimer(time.Until(wait.Until))
		select {
		case <-woken:
		case <-timer.C:
		case <-ctx.Done():
			r.Drop()
			return nil, context.Cause(ctx)
		}
		timer.Stop()
	}
}

// Submit is what the tests are about: the whole way of a command.
func (l *lab) Submit(ctx, work context.Context, cmd *sms.Command, history History, guard Guard) (*sms.Result, error) {
	return carry(ctx, work, l.Submitter, cmd, history, guard)
}

// must submits with lifetimes that do not end.
func (l *lab) must(t *testing.T, cmd *sms.Command) *sms.Result {
	t.Helper()
	r, err := l.Submit(t.Context(), t.Context(), cmd, History{}, l.guard)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// another submits a command beside the one that the test is about, and returns
// when it waits.
func (l *lab) another() {
	go func() { _, _ = l.Submit(l.t.Context(), l.t.Context(), command(1), History{}, l.guard) }()
	synctest.Wait()
}

// command is a text to so many made-up numbers.
func command(recipients int) *sms.Command {
	c := &sms.Command{ID: "c-1", Text: "hello", Class: sms.Notice, At: time.Now()}
	for i := range recipients {
		c.To = append(c.To, number(i))
	}
	return c
}

func number(i int) string {
	digits := []byte("13800000000")
	for p := len(digits) - 1; i > 0; p, i = p-1, i/10 {
		digits[p] = byte('0' + i%10)
	}
	return string(digits)
}

// recorder is a guard that allows everything and remembers it; its functions
// may be replaced.
type recorder struct {
	begin   func(context.Context, Attempt) error
	valid   func() bool
	release func(context.Context) error
	done    func(context.Context, sms.Submission) error

	mu       sync.Mutex
	attempts []Attempt
	released int
	dones    []sms.Submission
}

func (r *recorder) Begin(ctx context.Context, a Attempt) (Permit, error) {
	r.mu.Lock()
	r.attempts = append(r.attempts, a)
	r.mu.Unlock()
	if r.begin != nil {
		if err := r.begin(ctx, a); err != nil {
			return nil, err
		}
	}
	return (*permit)(r), nil
}

// open is how many permits were neither released nor done.
func (r *recorder) open() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.attempts) - r.released - len(r.dones)
}

type permit recorder

func (p *permit) Valid() bool { return p.valid == nil || p.valid() }

func (p *permit) Release(ctx context.Context) error {
	p.mu.Lock()
	p.released++
	p.mu.Unlock()
	if p.release != nil {
		return p.release(ctx)
	}
	return ctx.Err()
}

func (p *permit) Done(ctx context.Context, s sms.Submission) error {
	p.mu.Lock()
	p.dones = append(p.dones, s)
	p.mu.Unlock()
	if p.done != nil {
		return p.done(ctx, s)
	}
	return ctx.Err()
}

// What the provider may say.

func accepts(_ context.Context, r provider.Request) (wire.Answer, *provider.Failure) {
	return wire.Answer{Code: "0", SendID: "20140821110353234137876543", Accepted: len(r.Mobiles)}, nil
}

func answers(code, text string) submitFunc {
	return func(context.Context, provider.Request) (wire.Answer, *provider.Failure) {
		return wire.Answer{Code: code, Text: text}, nil
	}
}

func fails(class provider.Class, reason sms.Reason) submitFunc {
	return func(context.Context, provider.Request) (wire.Answer, *provider.Failure) {
		return wire.Answer{}, &provider.Failure{Class: class, Reason: reason}
	}
}

// hangs answers nothing for the usual timeout.
func hangs(context.Context, provider.Request) (wire.Answer, *provider.Failure) {
	time.Sleep(15 * time.Second)
	return wire.Answer{}, &provider.Failure{Class: provider.Unknown, Reason: sms.Timeout}
}

// inTurn gives each answer once, and the last for ever.
func inTurn(all ...submitFunc) submitFunc {
	var (
		mu   sync.Mutex
		next int
	)
	return func(ctx context.Context, r provider.Request) (wire.Answer, *provider.Failure) {
		mu.Lock()
		f := all[next]
		next = min(next+1, len(all)-1)
		mu.Unlock()
		return f(ctx, r)
	}
}

// until gives one answer before the time of an outage's end, another after.
func until(end time.Time, during, after submitFunc) submitFunc {
	return func(ctx context.Context, r provider.Request) (wire.Answer, *provider.Failure) {
		if time.Now().Before(end) {
			return during(ctx, r)
		}
		return after(ctx, r)
	}
}

func balanceOf(code, amount string) balanceFunc {
	return func(context.Context) (wire.Balance, *provider.Failure) {
		return wire.Balance{Code: code, Amount: amount}, nil
	}
}

func balanceFails(class provider.Class) balanceFunc {
	return func(context.Context) (wire.Balance, *provider.Failure) {
		return wire.Balance{}, &provider.Failure{Class: class, Reason: sms.NetworkError}
	}
}

// The client is one.
var _ Provider = (*provider.Client)(nil)

var healthy = balanceOf("0", "1000")

type wireAnswer = wire.Answer

// rising is an account that is topped up between two questions.
func rising() balanceFunc {
	amounts := []string{"0", "0", "100"}
	return func(context.Context) (wire.Balance, *provider.Failure) {
		amount := amounts[0]
		if len(amounts) > 1 {
			amounts = amounts[1:]
		}
		return wire.Balance{Code: "0", Amount: amount}, nil
	}
}

func hangsFor(d time.Duration) submitFunc {
	return func(ctx context.Context, _ provider.Request) (wire.Answer, *provider.Failure) {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
		return wire.Answer{}, &provider.Failure{Class: provider.Unknown, Reason: sms.Timeout}
	}
}

// slowly takes five seconds.
func slowly(f submitFunc) submitFunc {
	return func(ctx context.Context, r provider.Request) (wire.Answer, *provider.Failure) {
		time.Sleep(5 * time.Second)
		return f(ctx, r)
	}
}
