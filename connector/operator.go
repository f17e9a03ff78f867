package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"go.opentelemetry.io/otel/metric/noop"

	"smsbridge/codec/sms"
	"smsbridge/connector/control"
	"smsbridge/connector/journal"
	"smsbridge/connector/kafkaio"
)

// Operator looks at the journal and decides about halted partitions, beside
// connectors that run or after them. It is no member of the group.
type Operator struct {
	cfg      OperatorConfig
	kafka    *kafkaio.Client
	producer *kafkaio.Producer
	journal  *journal.Journal
}

// OperatorConfig is the share of Config that an Operator needs.
type OperatorConfig struct {
	Group          string
	Topics         Topics
	DedupeWindow   time.Duration
	SessionTimeout time.Duration
	Kafka          *kafkaio.Client // stays the caller's
	Log            *slog.Logger
}

// NewOperator makes an Operator. It does no I/O.
func NewOperator(cfg OperatorConfig) (*Operator, error) {
	kafka := cfg.Kafka
	o := &Operator{cfg: cfg, kafka: kafka, producer: kafka.NewProducer(kafkaio.ProducerConfig{})}
	var err error
	o.journal, err = journal.New(journal.Config{
		Group: cfg.Group, Topic: cfg.Topics.Journal, Commands: cfg.Topics.Commands,
		SessionTimeout: cfg.SessionTimeout, Window: cfg.DedupeWindow,
		Producer: o.producer, Offsets: kafka,
		Fetch:      func(f kafkaio.FetchConfig) journal.Source { return kafka.Fetcher(f) },
		Partitions: partitionsOf(kafka, cfg.Topics.Journal),
		Log:        cfg.Log, Meter: noop.Meter{},
	})
	return o, err
}

// Group is the consumer group that it is about.
func (o *Operator) Group() string { return o.cfg.Group }

// Close ends it.
func (o *Operator) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	return o.producer.Close(ctx)
}

// Status tells of every partition what its next owner would find.
func (o *Operator) Status(ctx context.Context) ([]journal.Examination, error) {
	n, err := o.partitions(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]journal.Examination, n)
	for p := range list {
		if list[p], err = o.journal.Examine(ctx, outsider{o.kafka, o.cfg.Group}, p); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// ErrGroupAlive says that a group still has members.
var ErrGroupAlive = errors.New("the group has members; stop them first")

// ErrNoSuchGroup says that a group left nothing to adopt.
var ErrNoSuchGroup = errors.New("it has no offsets, and wrote nothing into the journal within the dedupe window")

// Adopt makes the group's what another group did, which must be at rest: two
// groups do not keep each other from sending twice.
func (o *Operator) Adopt(ctx context.Context, from string) error {
	if err := o.atRest(ctx, from); err != nil {
		return err
	}
	found, err := o.Status(ctx)
	if err != nil {
		return err
	}
	n := len(found)
	all := make([]kafkaio.TopicPartition, n)
	for p := range all {
		all[p] = kafkaio.TopicPartition{Topic: o.cfg.Topics.Commands, Partition: p}
	}
	theirs, err := o.kafka.GroupOffsets(ctx, from, all)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(found, func(x journal.Examination) bool {
		_, wrote := x.Groups[from]
		return wrote || theirs[all[x.Partition]].Offset >= 0
	}) {
		return fmt.Errorf("group %q: %w", from, ErrNoSuchGroup)
	}
	for _, tp := range all {
		if found[tp.Partition].Start < 0 {
			continue // the journal has no such partition
		}
		if err := o.journal.Adopt(ctx, tp.Partition, from, theirs[tp].Offset); err != nil {
			return err
		}
	}
	// Whoever joined meanwhile listed the journal before the decision or after
	// it; before it he would not know of us.
	return o.atRest(ctx, from)
}

func (o *Operator) atRest(ctx context.Context, group string) error {
	rest, err := o.kafka.GroupAtRest(ctx, group)
	if err == nil && !rest {
		err = fmt.Errorf("group %q: %w", group, ErrGroupAlive)
	}
	return err
}

// Loss is what accepting a loss in one partition means.
type Loss struct {
	Examination journal.Examination
	From, Until int64 // commands that will be told as unknown
}

// Loss finds out what accepting it would mean, and changes nothing. Only what an
// owner could have begun is in doubt: a window of commands behind the committed
// offset.
func (o *Operator) Loss(ctx context.Context, partition int) (Loss, error) {
	var none Loss
	n, err := o.partitions(ctx)
	if err != nil {
		return none, err
	}
	if partition < 0 || partition >= n {
		return none, fmt.Errorf("topic %s has the partitions 0 to %d", o.cfg.Topics.Commands, n-1)
	}
	x, err := o.journal.Examine(ctx, outsider{o.kafka, o.cfg.Group}, partition)
	if err != nil {
		return none, err
	}
	loss := Loss{Examination: x, From: x.From(), Until: x.From()}
	end, err := o.kafka.EndOffset(ctx, o.cfg.Topics.Commands, partition)
	if err != nil {
		return none, err
	}
	f := o.kafka.Fetcher(kafkaio.FetchConfig{Topic: o.cfg.Topics.Commands, Partition: partition, Offset: loss.From})
	for found := 0; f.Position() < end && found < mostWindow; {
		records, err := f.Next(ctx)
		if err != nil {
			return none, err
		}
		for _, r := range records[:min(len(records), mostWindow-found)] {
			loss.Until = r.Offset + 1
			found++
		}
	}
	return loss, nil
}

// Accept accepts a loss.
func (o *Operator) Accept(ctx context.Context, l Loss) error {
	return o.journal.AcceptLoss(ctx, l.Examination, l.Until)
}

// Hold has every process hold the commands of a class, or go on with them.
func (o *Operator) Hold(ctx context.Context, class sms.Class, hold bool, a control.Author) error {
	_, err := o.producer.Produce(ctx, control.HoldRecord(o.cfg.Topics.Control, class, hold, a, time.Now()))
	return err
}

// Cancel has every process cancel what of these commands is not submitted yet.
// Cancellations that are over are cleared away.
func (o *Operator) Cancel(ctx context.Context, c control.Cancellation, a control.Author) error {
	now := time.Now()
	if _, err := o.producer.Produce(ctx, control.CancelRecord(o.cfg.Topics.Control, c, a, now)); err != nil {
		return err
	}
	board := control.NewBoard(o.cfg.Log)
	orders := kafkaio.Follower{Client: o.kafka, Topic: o.cfg.Topics.Control, Take: board.Take}
	if err := orders.CatchUp(ctx); err != nil {
		return err
	}
	for _, key := range board.Stale(now) {
		_, err := o.producer.Produce(ctx, kafkaio.Message{Topic: o.cfg.Topics.Control, Partition: kafkaio.AnyPartition, Key: []byte(key)})
		if err != nil {
			return err
		}
	}
	return nil
}

func (o *Operator) partitions(ctx context.Context) (int, error) {
	n, err := partitionsOf(o.kafka, o.cfg.Topics.Commands)(ctx)
	if err == nil && n == 0 {
		err = fmt.Errorf("topic %s does not exist", o.cfg.Topics.Commands)
	}
	return n, err
}

// partitionsOf counts a topic's partitions, 0 where there is no such topic.
func partitionsOf(client *kafkaio.Client, topic string) func(context.Context) (int, error) {
	return func(ctx context.Context) (int, error) {
		found, err := client.Topics(ctx, topic)
		return found[topic].Partitions, err
	}
}

// outsider reads a group's offsets without being a member.
type outsider struct {
	kafka *kafkaio.Client
	group string
}

func (outsider) ID() int32 { return -1 }

func (o outsider) Offsets(ctx context.Context, partitions []kafkaio.TopicPartition) (map[kafkaio.TopicPartition]kafkaio.Committed, error) {
	return o.kafka.GroupOffsets(ctx, o.group, partitions)
}

func (outsider) Commit(context.Context, map[kafkaio.TopicPartition]kafkaio.Commit) error {
	return errors.New("only a member commits")
}
