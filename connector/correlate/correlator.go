package correlate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.opentelemetry.io/otel/metric"

	"smsbridge/codec"
	"smsbridge/codec/sms"
	"smsbridge/connector/kafkaio"
	"smsbridge/connector/local"
)

// Config of a Correlator. What has no other word beside it is needed.
type Config struct {
	Group   string // of the correlators, which is not that of the commands
	Pushes  string // topic
	Sendids string // topic; as many partitions, the same ones for ever
	Account string // alias of the provider's account

	OrphanAfter    time.Duration // a report without a known sendid waits so long
	ReportDeadline time.Duration // from the submit, or when it is to be sent
	// NumberKeys are those of the hashes of recipients: the first one is written
	// with, the others are recognised.
	NumberKeys []codec.HashKey

	StateDir string        // for the cache of sendids; empty: in memory
	Grace    time.Duration // for what is being written when partitions are given up

	Kafka    *kafkaio.Client
	Producer Producer
	// Report makes the record of an event, or its short form, for a topic that does
	// not take the whole one.
	Report func(r sms.Report, short bool) kafkaio.Message
	// DeadLetter makes the record of a push that cannot be read.
	DeadLetter func(kafkaio.Record, error) kafkaio.Message
	// Evidence, if there is one, is asked about reports whose sendid nobody knows:
	// before they are told as orphans, and afterwards by Ask. When it has found and
	// written down whose they are, they wait once more as long for the sendid that
	// this will bring.
	Evidence func(context.Context, Unclaimed) (found bool, err error)

	Log   *slog.Logger
	Meter metric.Meter

	// Reached is told the name of each point where a process can die, when it is
	// reached. It must not block. Nil: nobody.
	Reached func(point string)

	fs vfs.FS // of StateDir; nil: the machine's
}

// Producer writes to Kafka; a kafkaio.Producer does.
type Producer interface {
	Produce(context.Context, ...kafkaio.Message) ([]kafkaio.Ack, error)
}

// Unclaimed is what the provider reported for a sendid that no submit is known for.
type Unclaimed struct {
	SendID    string
	Mobiles   []string // of all reports so far, in the order they came
	FirstSeen time.Time
}

// Correlator publishes the delivery reports of the partitions that its group
// assigns to it.
type Correlator struct {
	cfg     Config
	rules   rules
	metrics *metrics
	parts   atomic.Pointer[[]*partition] // those that are ours
	halted  atomic.Pointer[string]       // why none is worked on
	store   *local.Store
	memory  *local.Store // once it was needed
}

// New makes a correlator. It does no I/O.
func New(cfg Config) (*Correlator, error) {
	switch {
	case cfg.Group == "" || cfg.Pushes == "" || cfg.Sendids == "":
		return nil, errors.New("correlate: Group, Pushes and Sendids are needed")
	case cfg.OrphanAfter <= 0 || cfg.ReportDeadline <= 0 || cfg.Grace <= 0:
		return nil, errors.New("correlate: OrphanAfter, ReportDeadline and Grace must be above zero")
	case len(cfg.NumberKeys) == 0 || len(cfg.NumberKeys[0]) == 0:
		return nil, errors.New("correlate: without NumberKeys the hashes of numbers could be reversed")
	case cfg.Kafka == nil || cfg.Producer == nil || cfg.Report == nil || cfg.DeadLetter == nil || cfg.Log == nil || cfg.Meter == nil:
		return nil, errors.New("correlate: Kafka, Producer, Report, DeadLetter, Log and Meter are needed")
	}
	if cfg.Reached == nil {
		cfg.Reached = func(string) {}
	}
	if cfg.fs == nil {
		cfg.fs = vfs.Default
	}
	c := &Correlator{cfg: cfg, rules: rules{orphanAfter: cfg.OrphanAfter, deadline: cfg.ReportDeadline}}
	c.parts.Store(&[]*partition{})
	var err error
	c.metrics, err = c.newMetrics(cfg.Meter)
	return c, err
}

// Ask has Evidence asked again about every report that is an orphan, or waits:
// there is something new that may explain it.
func (c *Correlator) Ask() {
	for _, p := range *c.parts.Load() {
		p.ask.Store(true)
	}
}

// Run works on whatever partitions the group assigns until ctx ends, then finishes
// what it is writing and leaves. Its error is for an operator to mend.
func (c *Correlator) Run(ctx context.Context) error {
	if c.cfg.StateDir != "" {
		var err error
		if c.store, err = local.OpenOn(c.cfg.fs, c.cfg.StateDir, sendidsKind, c.cfg.Log); err != nil {
			c.cfg.Log.Warn("the state folder cannot be used, sendids are kept in memory", "folder", c.cfg.StateDir, "error", err)
		}
	}
	defer c.closeStores()
	for {
		err := c.member(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, kafkaio.ErrUnauthorized):
			return err
		}
		c.cfg.Log.Error("correlation given up, joining its group again", "error", err)
		select {
		case <-time.After(rejoinPause):
		case <-ctx.Done():
		}
	}
}

const (
	// rejoinPause keeps a process that cannot work from shaking its group.
	rejoinPause = time.Second
	// checkPause is how often it is looked whether what halts everything is mended.
	checkPause = 30 * time.Second
)

// member is one membership in the group.
func (c *Correlator) member(ctx context.Context) error {
	cfg := kafkaio.GroupConfig{ID: c.cfg.Group, Topics: []string{c.cfg.Pushes}, RebalanceTimeout: c.cfg.Grace}
	return c.cfg.Kafka.Serve(ctx, cfg, func(ctx context.Context, gen *kafkaio.Generation) error {
		if err := c.serve(ctx, gen); !errors.Is(err, kafkaio.ErrLost) {
			return err
		}
		return nil
	})
}

// serve works on the partitions of one generation.
func (c *Correlator) serve(ctx context.Context, gen *kafkaio.Generation) error {
	ground, err := c.survey(ctx, gen)
	if err != nil {
		return causeOf(ctx, err)
	}
	work, finish := outlive(ctx, c.cfg.Grace)
	defer finish()
	t := &tenure{c: c, gen: gen, work: work, committed: ground.committed, count: ground.count}
	for _, id := range gen.Partitions(c.cfg.Pushes) {
		p, err := c.open(work, id, ground)
		if err != nil {
			return err
		}
		t.parts = append(t.parts, p)
	}
	c.cfg.Log.Info("partitions of pushes assigned", "partitions", gen.Partitions(c.cfg.Pushes), "generation", gen.ID())
	c.parts.Store(&t.parts)
	defer c.parts.Store(&[]*partition{})
	return causeOf(ctx, t.run(ctx))
}

// causeOf is why ctx ended, where that is the reason for err.
func causeOf(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// outlive returns a context that ends by the grace period after ctx.
func outlive(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(grace, cancel)
		context.AfterFunc(work, func() { timer.Stop() })
	})
	return work, func() {
		stop()
		cancel()
	}
}

// open puts a partition on its shelf.
func (c *Correlator) open(work context.Context, id int, g *ground) (*partition, error) {
	disk, err := c.disk()
	if err != nil {
		return nil, err
	}
	p := &partition{
		c: c, id: id, work: work, identity: g.identity,
		log:   c.cfg.Log.With("partition", id),
		shelf: &shelf{disk: disk, partition: id, rules: c.rules, held: make(map[string]*held)},
		tail:  fetched{channel: make(chan batch)}, pushes: fetched{channel: make(chan batch)},
		asked: make(map[string]time.Time),
	}
	p.pushes.fetcher = c.cfg.Kafka.Fetcher(kafkaio.FetchConfig{
		Topic: c.cfg.Pushes, Partition: id, Offset: g.start(id), MaxBytes: fetchBytes,
	})
	p.pushes.next = g.start(id)
	p.done.Store(p.pushes.next)
	return p, nil
}

// disk returns where the entries are kept: in memory where no folder can be used.
func (c *Correlator) disk() (*local.Disk, error) {
	if c.store != nil {
		disk, err := c.store.Disk()
		if err == nil {
			return disk, nil
		}
		c.cfg.Log.Warn("no local store, sendids are kept in memory", "error", err)
	}
	if c.memory == nil {
		var err error
		if c.memory, err = local.OpenOn(vfs.NewMem(), "", sendidsKind, c.cfg.Log); err != nil {
			return nil, fmt.Errorf("sendids in memory: %w", err)
		}
	}
	return c.memory.Disk()
}

func (c *Correlator) closeStores() {
	for _, s := range []*local.Store{c.store, c.memory} {
		if s == nil {
			continue
		}
		if err := s.Close(); err != nil {
			c.cfg.Log.Warn("the local store was not closed in order; the next start reads more of the sendids topic", "error", err)
		}
	}
}

// add takes in another report of the same sendid.
func (u *Unclaimed) add(push *pushed) {
	for mobile := range strings.SplitSeq(push.Mobile, ",") {
		if !slices.Contains(u.Mobiles, mobile) {
			u.Mobiles = append(u.Mobiles, mobile)
		}
	}
}
