package control

import (
	"context"
	"errors"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"smsbridge/connector/kafkaio"
)

// Kafka is the share of a kafkaio.Client that is needed.
type Kafka interface {
	WaitTopics(ctx context.Context, names ...string) (map[string]kafkaio.Topic, error)
	StartOffset(ctx context.Context, topic string, partition int) (int64, error)
	EndOffset(ctx context.Context, topic string, partition int) (int64, error)
	Fetcher(kafkaio.FetchConfig) *kafkaio.Fetcher
}

// Follower reads the orders of a topic onto a board.
type Follower struct {
	Topic string
	Kafka Kafka
	Board *Board
	Log   *slog.Logger

	sources []*kafkaio.Fetcher
}

// CatchUp reads what stands in the topic. Nothing may be submitted before it has
// returned nil: what was cancelled stays cancelled through a restart.
func (f *Follower) CatchUp(ctx context.Context) error {
	topics, err := f.Kafka.WaitTopics(ctx, f.Topic)
	if err != nil {
		return err
	}
	f.sources = make([]*kafkaio.Fetcher, topics[f.Topic].Partitions)
	g, ctx := errgroup.WithContext(ctx)
	for p := range f.sources {
		g.Go(func() error { return f.catchUp(ctx, p) })
	}
	return g.Wait()
}

func (f *Follower) catchUp(ctx context.Context, partition int) error {
	start, err := f.Kafka.StartOffset(ctx, f.Topic, partition)
	if err != nil {
		return err
	}
	end, err := f.Kafka.EndOffset(ctx, f.Topic, partition)
	f.sources[partition] = f.Kafka.Fetcher(kafkaio.FetchConfig{Topic: f.Topic, Partition: partition, Offset: start})
	for err == nil && f.sources[partition].Position() < end {
		err = f.next(ctx, partition)
	}
	return err
}

// Run goes on reading after CatchUp, until ctx ends.
func (f *Follower) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for p := range f.sources {
		g.Go(func() error {
			for {
				err := f.next(ctx, p)
				var gone *kafkaio.OutOfRangeError
				if errors.As(err, &gone) { // the topic was emptied or made anew; what stands on the board stands
					err = f.catchUp(ctx, p)
				}
				if ctx.Err() != nil {
					return nil //nolint:nilerr // asked to stop
				}
				if err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

func (f *Follower) next(ctx context.Context, partition int) error {
	records, err := f.sources[partition].Next(ctx)
	for i := range records {
		if err := f.Board.take(&records[i]); err != nil {
			f.Log.Error("an order cannot be used", "topic", f.Topic, "partition", partition, "offset", records[i].Offset, "error", err)
		} else {
			f.Log.Info("an operator's order was taken", "order", string(records[i].Key))
		}
	}
	return err
}
