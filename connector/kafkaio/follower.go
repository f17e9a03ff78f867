package kafkaio

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Follower reads a topic, and then what is added: for what every process must
// know. It is no member of any group.
type Follower struct {
	Client *Client
	Topic  string
	From   time.Time     // what the topic's time index places before it is left out; zero: nothing is
	Take   func(*Record) // in the order of each partition; several at once for several partitions

	// Damaged hears of a batch that cannot be read, which is then passed over.
	// Without it such a batch ends the following.
	Damaged func(*BatchError)

	sources []*Fetcher
	ended   chan struct{} // closed when Run returns

	mu    sync.Mutex
	taken []int64       // of each partition: everything below was taken
	moved chan struct{} // closed when taken changes; nil while nobody waits
}

// CatchUp reads what stands in the topic, and returns when it was taken.
func (f *Follower) CatchUp(ctx context.Context) error {
	topics, err := f.Client.WaitTopics(ctx, f.Topic)
	if err != nil {
		return err
	}
	f.sources = make([]*Fetcher, topics[f.Topic].Partitions)
	f.taken, f.ended = make([]int64, len(f.sources)), make(chan struct{})
	g, ctx := errgroup.WithContext(ctx)
	for p := range f.sources {
		g.Go(func() error { return f.catchUp(ctx, p) })
	}
	return g.Wait()
}

// Partitions is how many CatchUp found, and are followed.
func (f *Follower) Partitions() int { return len(f.sources) }

func (f *Follower) catchUp(ctx context.Context, partition int) error {
	end, err := f.Client.EndOffset(ctx, f.Topic, partition)
	if err != nil {
		return err
	}
	start, err := f.start(ctx, partition)
	if start < 0 { // nothing is as young as From, of what stood below end
		start = end
	}
	f.sources[partition] = f.Client.Fetcher(FetchConfig{Topic: f.Topic, Partition: partition, Offset: start})
	for err == nil && f.sources[partition].Position() < end {
		err = f.next(ctx, partition)
	}
	f.noteTaken(partition)
	return err
}

func (f *Follower) start(ctx context.Context, partition int) (int64, error) {
	if f.From.IsZero() {
		return f.Client.StartOffset(ctx, f.Topic, partition)
	}
	return f.Client.OffsetAt(ctx, f.Topic, partition, f.From)
}

// Run goes on reading after CatchUp, until ctx ends. It runs once.
func (f *Follower) Run(ctx context.Context) error {
	defer close(f.ended)
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

// errEnded: nobody reads any more.
var errEnded = errors.New("the topic is not followed any more")

// Sync returns when everything was taken that stood in the topic at the call. It
// is for while Run runs, and fails when that has ended.
func (f *Follower) Sync(ctx context.Context) error {
	ends, err := f.Client.EndOffsets(ctx, f.Topic, len(f.sources))
	if err != nil {
		return err
	}
	for {
		moved := f.behind(ends)
		if moved == nil {
			return nil
		}
		select {
		case <-moved:
		case <-f.ended:
			return errEnded
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// behind returns a channel to wait on while not everything below ends was taken,
// else nil.
func (f *Follower) behind(ends []int64) <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	for p, end := range ends {
		if f.taken[p] >= end {
			continue
		}
		if f.moved == nil {
			f.moved = make(chan struct{})
		}
		return f.moved
	}
	return nil
}

func (f *Follower) next(ctx context.Context, partition int) error {
	records, err := f.sources[partition].Next(ctx)
	for i := range records {
		f.Take(&records[i])
	}
	if damaged, ok := errors.AsType[*BatchError](err); ok && f.Damaged != nil {
		f.Damaged(damaged)
		f.sources[partition].Skip(damaged.Next)
		err = nil
	}
	f.noteTaken(partition)
	return err
}

// noteTaken: everything below the position of a partition was taken.
func (f *Follower) noteTaken(partition int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.taken[partition] = f.sources[partition].Position()
	if f.moved != nil {
		close(f.moved)
		f.moved = nil
	}
}
