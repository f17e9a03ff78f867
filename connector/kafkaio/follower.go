package kafkaio

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"
)

// Follower reads the whole of a topic, and then what is added: for what every
// process must know. It is no member of any group.
type Follower struct {
	Client *Client
	Topic  string
	Take   func(*Record) // in the order of each partition; several at once for several partitions

	sources []*Fetcher
}

// CatchUp reads what stands in the topic, and returns when it was taken.
func (f *Follower) CatchUp(ctx context.Context) error {
	topics, err := f.Client.WaitTopics(ctx, f.Topic)
	if err != nil {
		return err
	}
	f.sources = make([]*Fetcher, topics[f.Topic].Partitions)
	g, ctx := errgroup.WithContext(ctx)
	for p := range f.sources {
		g.Go(func() error { return f.catchUp(ctx, p) })
	}
	return g.Wait()
}

func (f *Follower) catchUp(ctx context.Context, partition int) error {
	start, err := f.Client.StartOffset(ctx, f.Topic, partition)
	if err != nil {
		return err
	}
	end, err := f.Client.EndOffset(ctx, f.Topic, partition)
	f.sources[partition] = f.Client.Fetcher(FetchConfig{Topic: f.Topic, Partition: partition, Offset: start})
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
				if _, gone := errors.AsType[*OutOfRangeError](err); gone { // the topic was emptied or made anew; what was taken stays
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
		f.Take(&records[i])
	}
	return err
}
