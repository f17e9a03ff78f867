package kafkaio

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
)

const (
	defaultFetchBytes = 1 << 20
	defaultFetchWait  = 500 * time.Millisecond
	// fetchSlack is what a fetch may take beyond the wait that it asks for. Too
	// near to it, a slow broker is asked again and again for what it is about
	// to send (seen with kafka-go's Reader on a cold cluster).
	fetchSlack = 10 * time.Second
	// troublePatience is how long fetching may fail before it is told. Leaders
	// move, and brokers hear of a new topic, within some hundred milliseconds.
	troublePatience = 5 * time.Second
	// unknownPatience is how long a topic may be unknown before its absence is
	// told: brokers hear of a new one at different times, and of a deleted one
	// they never hear again.
	unknownPatience = time.Minute
)

// FetchConfig says what to read and how much at a time.
type FetchConfig struct {
	Topic     string
	Partition int
	Offset    int64         // first offset to read
	MaxBytes  int           // packed bytes of an answer, exceeded by one large batch; zero: 1 MiB
	MaxWait   time.Duration // how long a broker may wait for records; zero: 500 ms
}

// Fetcher reads one partition, committed records only. Next and Skip are for
// one goroutine; the rest may be asked from anywhere.
type Fetcher struct {
	c             *Client
	cfg           FetchConfig
	log           *slog.Logger
	position      atomic.Int64
	highWatermark atomic.Int64

	pause   backoff
	trouble time.Time // when it began, zero while all is well
	told    bool      // that there is trouble
	unknown time.Time // since when the topic is unknown
	damaged bool      // the batch at position was found damaged once
}

// Fetcher returns a reader of one partition. It does nothing before Next and
// needs no closing.
func (c *Client) Fetcher(cfg FetchConfig) *Fetcher {
	cfg.MaxBytes = cmp.Or(cfg.MaxBytes, defaultFetchBytes)
	cfg.MaxWait = cmp.Or(cfg.MaxWait, defaultFetchWait)
	f := &Fetcher{c: c, cfg: cfg, log: c.log.With("topic", cfg.Topic, "partition", cfg.Partition)}
	f.position.Store(cfg.Offset)
	f.highWatermark.Store(-1)
	return f
}

// Position returns the next offset to be read. It is past control records,
// records that were rolled back, and gaps, none of which are handed out.
func (f *Fetcher) Position() int64 { return f.position.Load() }

// HighWatermark returns the end of the partition as of the last answer, -1
// before the first.
func (f *Fetcher) HighWatermark() int64 { return f.highWatermark.Load() }

// Skip moves the position forward to next, past what cannot be read.
func (f *Fetcher) Skip(next int64) {
	f.position.Store(max(next, f.Position()))
	f.damaged = false
}

// Next waits until there are records, and returns them; or until the position
// moved over something that is not handed out, and returns none. What is
// temporary it waits out. Its errors are: that of ctx; *OutOfRangeError;
// *BatchError, after which Skip(err.Next) goes on; and what no waiting mends,
// such as ErrUnauthorized or a topic that is gone.
func (f *Fetcher) Next(ctx context.Context) ([]Record, error) {
	for {
		before := f.Position()
		records, err := f.fetch(ctx)
		switch {
		case ctx.Err() != nil:
			// Records that came with the end of ctx are read again by the next owner.
			f.position.Store(before)
			return nil, ctx.Err()
		case err != nil && f.final(err):
			return nil, err
		case err != nil:
			f.begin(err)
			if err := f.pause.wait(ctx); err != nil {
				return nil, err
			}
			continue
		}
		f.end()
		if len(records) > 0 || f.Position() > before {
			return records, nil
		}
	}
}

// fetch asks the leader once.
func (f *Fetcher) fetch(ctx context.Context) ([]Record, error) {
	ctx, cancel := context.WithTimeout(ctx, f.cfg.MaxWait+fetchSlack)
	defer cancel()
	leader, err := f.c.leader(ctx, f.cfg.Topic, f.cfg.Partition)
	if err != nil {
		return nil, err
	}
	res, err := f.c.ask(ctx, leader, &fetchRequest{
		topic:     f.cfg.Topic,
		partition: f.cfg.Partition,
		offset:    f.Position(),
		maxBytes:  f.cfg.MaxBytes,
		maxWait:   f.cfg.MaxWait,
	}, newestVersion, nil)
	if err != nil {
		return nil, f.lost(err)
	}
	a := res.(*fetchAnswer)
	switch a.code {
	case 0:
		return f.decode(a)
	case kafka.OffsetOutOfRange:
		return nil, f.outOfRange(ctx)
	default:
		f.c.renew()
		return nil, brokerError(a.code, f.cfg.Topic, f.cfg.Partition)
	}
}

// lost judges a fetch that got no answer: the leader may be another by now.
func (f *Fetcher) lost(err error) error {
	if errors.Is(err, errAnswerTooLarge) {
		// Where the batch ends was not seen, so the best guess is one further;
		// the broker then gives the same batch again unless it ends there.
		return &BatchError{Topic: f.cfg.Topic, Partition: f.cfg.Partition, Offset: f.Position(), Next: f.Position() + 1, Err: fmt.Errorf("%w: %w", ErrBatchTooLarge, err)}
	}
	f.c.renew()
	return err
}

func (f *Fetcher) decode(a *fetchAnswer) ([]Record, error) {
	slices.SortFunc(a.aborted, func(x, y aborted) int { return cmp.Compare(x.first, y.first) })
	d := &decoder{topic: f.cfg.Topic, partition: f.cfg.Partition, from: f.Position(), aborted: a.aborted, limit: maxUnpacked}
	err := d.decode(a.set)
	f.highWatermark.Store(a.highWatermark)
	if d.next > d.from {
		// A damaged batch behind good ones is met again, first, by the next fetch.
		f.position.Store(d.next)
		return d.records, nil
	}
	if err == nil && len(a.set) > 0 {
		// At least the first batch is whole in every answer since Kafka 0.10.1.
		err = d.bad(d.from+1, fmt.Errorf("%w: cut short", ErrCorrupt))
	}
	return nil, err
}

// outOfRange tells where the partition begins and ends, unless it turns out
// that the position lies between them: a new leader may be behind for a moment.
func (f *Fetcher) outOfRange(ctx context.Context) error {
	start, err := f.c.StartOffset(ctx, f.cfg.Topic, f.cfg.Partition)
	if err != nil {
		return err
	}
	end, err := f.c.EndOffset(ctx, f.cfg.Topic, f.cfg.Partition)
	if err != nil {
		return err
	}
	if at := f.Position(); at < start || at > end {
		return &OutOfRangeError{Topic: f.cfg.Topic, Partition: f.cfg.Partition, Offset: at, Start: start, End: end}
	}
	return brokerError(kafka.OffsetOutOfRange, f.cfg.Topic, f.cfg.Partition)
}

// final says whether an error ends Next.
func (f *Fetcher) final(err error) bool {
	var (
		batch *BatchError
		out   *OutOfRangeError
	)
	switch {
	case errors.As(err, &out), errors.Is(err, ErrUnauthorized), errors.Is(err, kafka.InvalidTopic), errors.Is(err, kafka.UnsupportedVersion):
		return true
	case errors.As(err, &batch):
		// What was damaged on the way is whole the second time.
		again := f.damaged
		f.damaged = true
		return again
	case errors.Is(err, kafka.UnknownTopicOrPartition):
		if f.unknown.IsZero() {
			f.unknown = time.Now()
		}
		return time.Since(f.unknown) > unknownPatience
	default:
		return false
	}
}

func (f *Fetcher) begin(err error) {
	if f.trouble.IsZero() {
		f.trouble = time.Now()
	}
	if !f.told && time.Since(f.trouble) >= troublePatience {
		f.told = true
		f.log.Warn("cannot fetch, trying on", "offset", f.Position(), "after", time.Since(f.trouble), "error", err)
	}
}

func (f *Fetcher) end() {
	if f.told {
		f.log.Info("fetching again", "offset", f.Position(), "after", time.Since(f.trouble))
	}
	f.damaged, f.told, f.trouble, f.unknown, f.pause = false, false, time.Time{}, time.Time{}, backoff{}
}
