package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
	"golang.org/x/sync/errgroup"

	"smsbridge/codec"
	"smsbridge/codec/sms"
	"smsbridge/codec/wire"
	"smsbridge/connector/caps"
	"smsbridge/connector/control"
	"smsbridge/connector/correlate"
	"smsbridge/connector/intake"
	"smsbridge/connector/journal"
	"smsbridge/connector/kafkaio"
	"smsbridge/connector/provider"
	"smsbridge/connector/push"
	"smsbridge/connector/submit"
	"smsbridge/connector/suppress"
	"smsbridge/connector/telemetry"
)

// Config is all that a connector needs. What its parts check themselves is not
// checked here.
type Config struct {
	Account  string // alias of the provider's account
	Instance string // unique in the group
	Version  string
	Group    string
	Topics   Topics
	Create   *NewTopics // nil: missing topics are waited for
	Ordering intake.Ordering

	Roles           Roles
	Kept            Kept          // how long the past matters
	OrphanAfter     time.Duration // a report waits so long for its sendid
	Numbers         codec.Numbers // how outputs tell numbers; its key is that of every hash
	PreviousKey     codec.HashKey // the key before; nil: none
	OptOutSuppress  []sms.Class   // what a person's opt_out stops
	StateDir        string        // local caches; may be deleted at any time; empty: in memory
	BalanceInterval time.Duration
	BalanceLow      float64
	Rate            float64       // recipients a second of the whole group, 0 is unlimited
	CapPerMinute    int           // recipients of the whole group, 0 is unlimited
	CapPerDay       int           // likewise
	Grace           time.Duration // for work in flight after the stop

	Kafka    kafkaio.Config
	Provider provider.Config
	Submit   submit.Config // Provider, Line, Rate, Caps, Orders and Group are filled in here
	Push     push.Config   // Sink is filled in here
	Admin    telemetry.Admin
	Log      *slog.Logger
	Meter    metric.Meter
	Tracer   trace.Tracer // of the delivery reports; nil: none

	reached func(point string) // see journal.Config; for tests
}

// Connector is one running bridge.
type Connector struct {
	cfg        Config
	log        *slog.Logger
	started    time.Time
	kafka      *kafkaio.Client
	provider   *provider.Client
	balance    func(context.Context) (wire.Balance, *provider.Failure)
	purse      *purse
	line       *submit.Line
	rate       *submit.Rate
	caps       *caps.Caps // nil: there are none
	board      *control.Board
	suppressed *suppress.List
	clues      *clues // nil: unmatched reports are no evidence
	submitter  *submit.Submitter
	pool       *intake.Pool
	journal    *journal.Journal
	store      *journal.Store // nil: its folder cannot be used
	events     *events
	correlator *correlate.Correlator
	owned      *owned
	listener   *push.Server // nil before it listens, and without the role
	health     health

	// work outlives the stop by the grace period: what was begun is finished in
	// it.
	work context.Context //nolint:containedctx // the second of the two lifetimes, which every flow shares
}

// numberKeys are the keys of hashes that may still be met, the present one first.
func (c *Config) numberKeys() []codec.HashKey {
	keys := []codec.HashKey{c.Numbers.Key}
	if len(c.PreviousKey) > 0 {
		keys = append(keys, c.PreviousKey)
	}
	return keys
}

// busyPerSubmit is how many commands may be on their way for each submit that
// may be in flight: while one is being answered, others are being made durable.
const busyPerSubmit = 2

// Run runs the connector until ctx ends, then stops in order: what was begun is
// finished within Grace, committed, and the group is left. A second thought
// about the stop is the caller's, who may end the process. An error means that
// the connector cannot go on by itself.
func Run(ctx context.Context, cfg Config) error {
	c, err := build(cfg)
	if err != nil {
		return err
	}
	work, finish := linger(ctx, cfg.Grace)
	defer finish()
	c.work = work

	var flows []func(context.Context) error
	if cfg.Roles.Push {
		listener, err := push.Listen(ctx, c.cfg.Push)
		if err != nil {
			return errors.Join(err, c.close())
		}
		c.listener = listener
		flows = append(flows, listener.Run)
	}
	if cfg.Roles.Intake {
		flows = append(flows, c.line.Run)
	}
	asked := ctx
	// The admin listener is the first to come and the last to go, so that
	// somebody can see how the rest does.
	visible, hide := context.WithCancel(context.WithoutCancel(ctx))
	admin := make(chan error, 1)
	ctx, fail := context.WithCancelCause(ctx)
	go func() {
		err := c.cfg.Admin.Run(visible)
		if err != nil {
			fail(err)
		}
		admin <- err
	}()

	g, ctx := errgroup.WithContext(ctx)
	for _, flow := range append(flows, c.watchKafka, c.bridge) {
		g.Go(func() error { return flow(ctx) })
	}
	err = g.Wait()
	unconfirmed := c.close()
	if unconfirmed != nil && asked.Err() != nil {
		// Kafka is away. Nothing is lost by it: a command without a confirmed
		// result is not committed, so its next owner tells it; a push was answered
		// 503, or waits in the spool.
		c.log.Warn("stopped before kafka confirmed everything", "error", unconfirmed)
		unconfirmed = nil
	}
	err = errors.Join(err, unconfirmed)
	hide()
	return errors.Join(err, <-admin)
}

// bridge carries commands and reports, once Kafka and every topic are there.
func (c *Connector) bridge(ctx context.Context) error {
	if err := c.reach(ctx); err != nil || ctx.Err() != nil {
		return unlessStopped(ctx, err)
	}
	g, ctx := errgroup.WithContext(ctx)
	if c.cfg.Roles.Intake {
		g.Go(func() error { return unlessStopped(ctx, c.carryCommands(ctx)) })
	}
	if c.cfg.Roles.Correlate {
		g.Go(func() error { return unlessStopped(ctx, c.carryReports(ctx)) })
	}
	return g.Wait()
}

// unlessStopped is err, except where the stop has brought it about.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // said in the name
	}
	return err
}

func (c *Connector) carryCommands(ctx context.Context) error {
	orders := &kafkaio.Follower{Client: c.kafka, Topic: c.cfg.Topics.Control, Take: c.board.Take}
	if err := orders.CatchUp(ctx); err != nil { // what was cancelled stays so through a restart
		return err
	}
	c.board.Follow()
	suppressions := &suppress.Follower{List: c.suppressed, Client: c.kafka, Topic: c.cfg.Topics.Suppressions}
	if err := suppressions.CatchUp(ctx); err != nil { // nobody who opted out is sent a text by a process that does not know it yet
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return suppressions.Run(ctx) })
	if c.caps != nil {
		if err := c.caps.CatchUp(ctx); err != nil {
			return err
		}
		g.Go(func() error { return c.caps.Run(ctx) })
	}
	g.Go(func() error { return orders.Run(ctx) })
	g.Go(func() error { return c.watchAccount(ctx) })
	g.Go(func() error { return c.consume(ctx) })
	return g.Wait()
}

func (c *Connector) carryReports(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	if c.clues != nil {
		g.Go(func() error { return c.clues.follow(ctx) })
	}
	g.Go(func() error { return c.correlator.Run(ctx) })
	return g.Wait()
}

// build makes the parts and puts them together. Its only I/O is with StateDir.
func build(cfg Config) (*Connector, error) {
	c := &Connector{
		cfg:     cfg,
		log:     cfg.Log,
		started: time.Now(),
		purse:   newPurse(cfg.BalanceLow),
		rate:    submit.NewRate(cfg.Rate),
		pool:    intake.NewPool(busyPerSubmit * cfg.Submit.MaxInFlight),
		owned:   newOwned(),
	}
	c.health.err = errNotReached
	var err error
	if c.kafka, err = kafkaio.Open(cfg.Kafka); err != nil {
		return nil, err
	}
	c.events = &events{
		producer: c.kafka.NewProducer(kafkaio.ProducerConfig{}),
		topics:   cfg.Topics,
		numbers:  cfg.Numbers,
	}
	if _, off := cfg.Tracer.(noop.Tracer); !off {
		c.events.tracer = cfg.Tracer
	}
	if cfg.Roles.Intake || cfg.Roles.Correlate && cfg.Topics.Doubts != "" {
		if err := c.buildJournal(); err != nil {
			return nil, err
		}
	}
	if cfg.Roles.Intake {
		if err := c.buildIntake(); err != nil {
			return nil, err
		}
	}
	if c.events.metrics, err = c.newMetrics(cfg.Meter); err != nil {
		return nil, err
	}
	if cfg.Roles.Correlate {
		if err := c.buildCorrelator(); err != nil {
			return nil, err
		}
	}
	c.cfg.Push.Sink = pushes{c}
	c.cfg.Admin.Status, c.cfg.Admin.Ready = c.status, c.ready
	return c, nil
}

// buildIntake makes what submits commands.
func (c *Connector) buildIntake() error {
	cfg := &c.cfg
	var err error
	if c.provider, err = provider.New(cfg.Provider); err != nil {
		return err
	}
	c.balance = c.purse.listening(c.provider.Balance)
	c.line, err = submit.NewLine(submit.LineConfig{Balance: c.balance, MaxInFlight: cfg.Submit.MaxInFlight, Log: cfg.Log})
	if err != nil {
		return err
	}
	cfg.Submit.HashKey = cfg.Numbers.Key
	cfg.Submit.Provider, cfg.Submit.Line, cfg.Submit.Rate, cfg.Submit.Group = c.provider, c.line, c.rate, cfg.Group
	c.board = control.NewBoard(cfg.Log)
	cfg.Submit.Orders = c.board
	c.suppressed = suppress.NewList(cfg.Log, cfg.Numbers.Key, cfg.PreviousKey)
	cfg.Submit.Suppressed = c.suppressed.Suppressed
	if err := c.buildCaps(); err != nil {
		return err
	}
	c.submitter, err = submit.New(cfg.Submit)
	return err
}

// buildCaps makes what holds the group to its caps, where there are any.
func (c *Connector) buildCaps() error {
	cfg := &c.cfg
	if cfg.CapPerMinute == 0 && cfg.CapPerDay == 0 {
		return nil
	}
	var err error
	c.caps, err = caps.New(caps.Config{
		PerMinute: cfg.CapPerMinute, PerDay: cfg.CapPerDay, Group: cfg.Group, Journal: cfg.Topics.Journal,
		Client: c.kafka, Reached: c.line.Cap, Log: cfg.Log, Meter: cfg.Meter,
	})
	if err != nil {
		return err
	}
	cfg.Submit.Caps = c.caps
	// A longer list goes in parts as the cap lets them, rather than never.
	cfg.Submit.MaxRecipients = min(cfg.Submit.MaxRecipients, c.caps.Most())
	return nil
}

// buildJournal makes what the intake works with, and correlators write evidence to.
func (c *Connector) buildJournal() error {
	cfg := &c.cfg
	var err error
	// A cache is no reason to carry nothing. Without it memory must do, and each
	// take-over reads the journal of the whole window.
	if cfg.StateDir != "" && cfg.Roles.Intake {
		c.store, err = journal.OpenStore(cfg.StateDir, cfg.Log)
	}
	if err != nil {
		cfg.Log.Warn("the state folder cannot be used, ids are remembered in memory", "folder", cfg.StateDir, "error", err)
	}
	c.journal, err = journal.New(journal.Config{
		Store: c.store, Identity: c.identity,
		Group: cfg.Group, Topic: cfg.Topics.Journal, Commands: cfg.Topics.Commands,
		SessionTimeout: cfg.Kafka.SessionTimeout, Window: cfg.Kept.DedupeWindow,
		Producer: c.events.producer, Offsets: c.kafka,
		Fetch:      func(f kafkaio.FetchConfig) journal.Source { return c.kafka.Fetcher(f) },
		Partitions: partitionsOf(c.kafka, cfg.Topics.Journal),
		Log:        cfg.Log, Meter: cfg.Meter, Reached: cfg.reached,
	})
	return err
}

// buildCorrelator makes what finds the commands of reports.
func (c *Connector) buildCorrelator() error {
	cfg := &c.cfg
	var err error
	var evidence func(context.Context, correlate.Unclaimed) (bool, error)
	if cfg.Topics.Doubts != "" {
		c.clues = newClues(c)
		evidence = c.clues.ask
	}
	c.correlator, err = correlate.New(correlate.Config{
		Group: CorrelateGroup(cfg.Group), Pushes: cfg.Topics.Pushes, Sendids: cfg.Topics.Sendids, Account: cfg.Account,
		OrphanAfter: cfg.OrphanAfter, ReportDeadline: cfg.Kept.ReportDeadline, NumberKeys: cfg.numberKeys(),
		StateDir: cfg.StateDir, Grace: cfg.Grace,
		Kafka: c.kafka, Producer: c.events.producer, Report: c.events.report, DeadLetter: c.events.deadRecord, Evidence: evidence,
		Log: cfg.Log, Meter: cfg.Meter, Reached: cfg.reached,
	})
	return err
}

// close ends what build began, when nobody uses it any more.
func (c *Connector) close() error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.work), closeTimeout)
	defer cancel()
	err := c.events.producer.Close(ctx)
	if err != nil {
		err = fmt.Errorf("not everything could be written: %w", err)
	}
	if c.provider != nil {
		c.provider.Close()
	}
	if c.store != nil {
		if err := c.store.Close(); err != nil {
			c.log.Warn("the local store was not closed in order; the next start reads more of the journal", "error", err)
		}
	}
	return errors.Join(err, c.kafka.Close())
}

// identity names the journal that a local store must be about. Names alone do
// not: a topic that was made anew has the same one.
func (c *Connector) identity(ctx context.Context) (string, error) {
	cluster, err := c.kafka.ClusterID(ctx)
	if err != nil {
		return "", err
	}
	t := c.cfg.Topics
	topics, err := c.kafka.WaitTopics(ctx, t.Commands, t.Journal)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("cluster %q, commands %q %x, journal %q %x",
		cluster, t.Commands, topics[t.Commands].ID, t.Journal, topics[t.Journal].ID), nil
}

// closeTimeout bounds the last writes: by then everything that somebody waited
// for was written or given up.
const closeTimeout = 2 * time.Second

// linger returns a context that ends by the grace period after ctx.
func linger(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	over := errors.New("the grace period is over")
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(grace, func() { cancel(over) })
		context.AfterFunc(work, func() { timer.Stop() })
	})
	return work, func() {
		stop()
		cancel(nil)
	}
}
