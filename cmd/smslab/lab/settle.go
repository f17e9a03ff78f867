package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"smsbridge/cmd/smslab/trial"
)

// sample notes committed offsets ten times a second.
func (r *Recorder) sample(ctx context.Context) {
	last := map[int32]kadm.Offset{}
	for Pause(ctx, 100*time.Millisecond) == nil {
		committed, err := r.committed(ctx)
		if err != nil {
			continue // Kafka is away, which may be what is being tried
		}
		now := time.Now()
		r.mu.Lock()
		for partition, offset := range committed {
			if before, ok := last[partition]; !ok || before != offset {
				last[partition] = offset
				r.history.Samples = append(r.history.Samples, trial.Sample{
					Partition: partition, Offset: offset.At, Fenced: fenced(offset.Metadata), At: now,
				})
			}
		}
		r.mu.Unlock()
	}
}

// fenced reads the one number of a commit's metadata that is judged.
func fenced(metadata string) int64 {
	var m struct {
		Fenced int64 `json:"fenced"`
	}
	if json.Unmarshal([]byte(metadata), &m) != nil {
		return 0
	}
	return m.Fenced
}

func (r *Recorder) committed(ctx context.Context) (map[int32]kadm.Offset, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	offsets, err := r.admin.FetchOffsets(ctx, r.stage.Group)
	if err != nil {
		return nil, err
	}
	committed := map[int32]kadm.Offset{}
	offsets.Each(func(o kadm.OffsetResponse) {
		if o.Topic == r.stage.Topics.Commands() && o.Err == nil && o.At >= 0 {
			committed[o.Partition] = o.Offset
		}
	})
	return committed, nil
}

// Lag counts the records of the command topic that are not committed.
func (r *Recorder) Lag(ctx context.Context) (int64, error) {
	ends, err := r.admin.ListEndOffsets(ctx, r.stage.Topics.Commands())
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return 0, err
	}
	committed, err := r.committed(ctx)
	if err != nil {
		return 0, err
	}
	var lag int64
	ends.Each(func(o kadm.ListedOffset) { lag += o.Offset - committed[o.Partition].At })
	return lag, nil
}

// errStill is why a Settle ends without everything answered.
var errStill = errors.New("nothing new")

// Settle waits until every command has a result and is committed and every push
// was taken and is on its topic. It gives up when nothing new comes for so long as patience; what is
// missing then is the checker's to tell.
func (r *Recorder) Settle(ctx context.Context, patience time.Duration) error {
	since := time.Now()
	for {
		commands, answers, last := r.Progress()
		lag, err := r.Lag(ctx)
		if err == nil && lag == 0 && r.unanswered() == 0 {
			break
		}
		if last.Before(since) {
			last = since
		}
		if time.Since(last) > patience {
			return errors.Join(fmt.Errorf("%w for %v: %d of %d commands answered, lag %d", errStill, patience, answers, commands, lag), err)
		}
		if err := Pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	if err := r.stage.Provider.Quiet(ctx, patience); err != nil {
		return err
	}
	if err := r.delivered(ctx, patience); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return r.catchUp(ctx)
}

// delivered waits until everything that was pushed is on its topic: a report may
// lie in a spool, or wait for its sendid.
func (r *Recorder) delivered(ctx context.Context, patience time.Duration) error {
	var h trial.History
	if err := r.stage.Provider.witness(ctx, &h); err != nil {
		return err
	}
	for least, since := math.MaxInt, time.Now(); ; {
		r.mu.Lock()
		h.Reports, h.Inbound = slices.Clip(r.history.Reports), slices.Clip(r.history.Inbound)
		r.mu.Unlock()
		reports, messages := h.Undelivered()
		missing := len(reports) + len(messages)
		if missing == 0 {
			return nil
		}
		if missing < least {
			least, since = missing, time.Now()
		}
		if time.Since(since) > patience {
			return fmt.Errorf("%w for %v: %d pushes were answered 200 and are on no topic", errStill, patience, missing)
		}
		if err := Pause(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
}

// catchUp waits until every output was read to its end as of now.
func (r *Recorder) catchUp(ctx context.Context) error {
	ends, err := r.admin.ListEndOffsets(ctx, r.stage.Topics.outputs()...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return err
	}
	for {
		behind := 0
		r.mu.Lock()
		ends.Each(func(o kadm.ListedOffset) {
			if r.read[o.Topic][o.Partition] < o.Offset {
				behind++
			}
		})
		r.mu.Unlock()
		if behind == 0 {
			return nil
		}
		if err := Pause(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("%d partitions are not read to their end: %w", behind, err)
		}
	}
}
