package journal

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/metric"

	"smsbridge/connector/kafkaio"
)

// Why a tenure ended. Both mean that nothing more may be submitted in it; what
// is under way is finished and written down as a fact.
var (
	// ErrLost: the group gave the partitions to others.
	ErrLost = errors.New("journal: the partitions belong to a newer generation")
	// ErrRejoin: a commit has no answer, and may yet come into force and take
	// offset and metadata back behind a newer one. Only a newer generation ends
	// that, so the process must leave the group and join it as a new member.
	ErrRejoin = errors.New("journal: the outcome of a commit is not known, the group must be left and joined anew")
	// ErrClosed: the tenure was closed, or its journal cannot be written.
	ErrClosed = errors.New("journal: the tenure is over")
)

// Producer writes to Kafka; a kafkaio.Producer does. Of one partition it must
// keep the order, and call done in that order.
type Producer interface {
	Send(messages []kafkaio.Message, done func([]kafkaio.Ack, error))
}

// Offsets tells where partitions begin and end; a kafkaio.Client does.
type Offsets interface {
	StartOffset(ctx context.Context, topic string, partition int) (int64, error)
	EndOffset(ctx context.Context, topic string, partition int) (int64, error)
}

// Generation is one membership in the group; a kafkaio.Generation is.
type Generation interface {
	ID() int32
	Offsets(ctx context.Context, partitions []kafkaio.TopicPartition) (map[kafkaio.TopicPartition]kafkaio.Committed, error)
	Commit(ctx context.Context, commits map[kafkaio.TopicPartition]kafkaio.Commit) error
}

// Source reads one partition; a kafkaio.Fetcher does.
type Source interface {
	Next(ctx context.Context) ([]kafkaio.Record, error)
	Position() int64
	// Skip moves on past what cannot be read.
	Skip(next int64)
}

// Config of a Journal. Everything is needed but Store.
type Config struct {
	Group          string
	Topic          string // the journal's
	Commands       string // topic of the commands; as many partitions
	SessionTimeout time.Duration
	Window         time.Duration // how long a command id is remembered

	Producer Producer
	Offsets  Offsets
	Fetch    func(kafkaio.FetchConfig) Source
	// Partitions counts those of the journal topic.
	Partitions func(ctx context.Context) (int, error)

	// Store keeps what is remembered over a take-over and a restart. It may be
	// nil: then memory does, and each take-over reads the whole window.
	Store *Store
	// Identity names the cluster and the topics, those of today: a topic that was
	// made anew has another one. It is needed where there is a Store.
	Identity func(context.Context) (string, error)

	Log   *slog.Logger
	Meter metric.Meter

	// Reached is told the name of each point where a process can die, when it is
	// reached: tests end or freeze the process there. It must not block. Nil: nobody.
	Reached func(point string)
}

// Journal makes submits safe against a second sender, in all partitions that
// this process owns, now and later. It has no goroutines of its own; each
// Tenure has some.
type Journal struct {
	config  Config
	metrics *metrics
}

// New makes a Journal. It does no I/O.
func New(c Config) (*Journal, error) {
	switch {
	case c.Group == "" || c.Topic == "" || c.Commands == "":
		return nil, errors.New("journal: Group, Topic and Commands are needed")
	case c.SessionTimeout <= 0 || c.Window <= 0:
		return nil, errors.New("journal: SessionTimeout and Window must be above zero")
	case c.Producer == nil || c.Offsets == nil || c.Fetch == nil || c.Partitions == nil || c.Log == nil || c.Meter == nil:
		return nil, errors.New("journal: Producer, Offsets, Fetch, Partitions, Log and Meter are needed")
	case c.Store != nil && c.Identity == nil:
		return nil, errors.New("journal: a Store needs an Identity")
	}
	if c.Reached == nil {
		c.Reached = func(string) {}
	}
	m, err := newMetrics(c.Meter)
	if err != nil {
		return nil, err
	}
	return &Journal{config: c, metrics: m}, nil
}

func (j *Journal) command(partition int) kafkaio.TopicPartition {
	return kafkaio.TopicPartition{Topic: j.config.Commands, Partition: partition}
}

// point is a named place in the order of steps where a process can die.
type point string

const (
	afterRead        point = "after_read"         // offset and metadata are read
	afterList        point = "after_list"         // the journal's end is listed
	afterReplay      point = "after_replay"       // the journal is replayed
	afterReleases    point = "after_releases"     // what others left unsent is released
	afterTakeOver    point = "after_take_over"    // the take-over's own commit succeeded
	beforeIntent     point = "before_intent"      //
	afterIntent      point = "after_intent"       // acked
	beforeFence      point = "before_fence"       //
	afterFence       point = "after_fence"        // committed, nothing of it is known here yet
	afterPermit      point = "after_permit"       // the POST is next
	beforeDone       point = "before_done"        // the answer is read
	afterDone        point = "after_done"         // acked
	afterFinal       point = "after_final"        // acked, and fenced where it must be
	beforeLastCommit point = "before_last_commit" // of a graceful stop
)
