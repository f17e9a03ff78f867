package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"smsbridge/cmd/smslab/lab"
	"smsbridge/cmd/smslab/trial"
)

// What the simulator refuses or takes its time for.
const (
	forbidden        = "taboo"
	throttledNumbers = "13900005"
	slowNumbers      = "13900006"
	slowFor          = 600 * time.Millisecond
	longList         = 60 * maxRecipients // recipients: at slowFor a part, longer than a stop may take
)

// alone strikes single records, texts, keys, classes and partitions: faults that
// are nobody else's. Several may last at once.
func (r *run) alone(ctx context.Context, rng *rand.Rand) error {
	var faults []fault
	add := func(n int, do func(ctx context.Context, nth int, partition int32) error) {
		for nth, f := range r.schedule(n, rng, nil) {
			partition := int32(rng.IntN(partitions))
			f.do = func(ctx context.Context, _ *lab.Connector) error { return do(ctx, nth, partition) }
			faults = append(faults, f)
		}
	}
	add(r.Poisons, r.poison)
	add(r.Unreadables, r.unreadable)
	add(r.Forbids, r.forbid)
	add(r.Throttles, r.throttle)
	add(r.Pauses, r.pause)
	errs := make([]error, len(faults))
	var work sync.WaitGroup
	for i, f := range faults {
		work.Go(func() {
			if errs[i] = lab.Pause(ctx, time.Until(r.start.Add(f.at))); errs[i] == nil {
				errs[i] = f.do(ctx, nil)
			}
		})
	}
	work.Wait()
	return errors.Join(errs...)
}

// lasts is how long one of n faults of a kind lasts, so that the next finds it over.
func (r *run) lasts(n int) time.Duration {
	const most = 20 * time.Second
	return min(most, r.For*8/10/time.Duration(2*n))
}

// poison writes records whose keys are too large to be told of, with values that
// can be read and with one that cannot.
func (r *run) poison(ctx context.Context, nth int, _ int32) error {
	r.recorder.Note(trial.Event{Kind: trial.Poison, At: time.Now(), Scope: &trial.Scope{Mark: trial.Poison}})
	for _, size := range []int{5_000, 1_047_000, 1_048_300} {
		c := r.marked(trial.Poison, fmt.Sprintf("poison-%d-%d", nth, size), "13900007000")
		c.Key, c.Ends = fmt.Sprintf("%d%s", nth, strings.Repeat("k", size-1)), "invalid"
		r.recorder.Send(ctx, c, value(c))
	}
	c := trial.Command{Key: fmt.Sprintf("%d%s", nth, strings.Repeat("u", 1_048_000)), Mark: trial.Poison, Ends: "invalid"}
	r.recorder.Send(ctx, c, []byte("this is no JSON"))
	return nil
}

func (*run) marked(kind trial.Kind, id string, numbers ...string) trial.Command {
	return trial.Command{ID: id, Key: id, Class: "notice", Numbers: numbers, Mark: kind}
}

// forbid has texts come that a gateway refuses whenever they are submitted.
func (r *run) forbid(ctx context.Context, nth int, _ int32) error {
	at, length := time.Now(), r.lasts(r.Forbids)
	r.recorder.Note(trial.Event{Kind: trial.Forbidden, At: at, Until: at.Add(length), Scope: &trial.Scope{Mark: trial.Forbidden}})
	for n := 0; time.Since(at) < length; n++ {
		c := r.marked(trial.Forbidden, fmt.Sprintf("forbidden-%d-%d", nth, n), "13900007001")
		c.Ends = "rejected"
		r.recorder.Send(ctx, c, value(c))
		if err := lab.Pause(ctx, time.Second); err != nil {
			return err
		}
	}
	return nil
}

// throttle has the provider refuse the numbers of sixty keys of one partition.
func (r *run) throttle(ctx context.Context, nth int, partition int32) error {
	const keys = 60
	length := r.lasts(r.Throttles)
	seconds := max(int(length.Seconds())/2, 1)
	if err := r.stage.Provider.Faults(ctx, map[string]any{"throttle_numbers": throttledNumbers, "throttle_after": seconds}); err != nil {
		return err
	}
	at := time.Now()
	for n := range keys {
		c := r.marked(trial.Throttled, fmt.Sprintf("throttled-%d-%d", nth, n), fmt.Sprintf("%s%03d", throttledNumbers, n))
		c.Key = lab.KeyIn(c.ID, partition, partitions)
		r.recorder.Send(ctx, c, value(c))
	}
	err := lab.Pause(ctx, length)
	r.recorder.Note(trial.Event{Kind: trial.Throttled, At: at, Until: time.Now(), Scope: &trial.Scope{Mark: trial.Throttled}})
	return errors.Join(err, r.stage.Provider.Faults(ctx, map[string]any{"throttle_numbers": ""}))
}

// pause holds a class for a while.
func (r *run) pause(ctx context.Context, _ int, _ int32) error {
	const class = "marketing"
	at := time.Now()
	if err := r.stage.Operate(ctx, "pause", "-class", class); err != nil {
		return err
	}
	if err := lab.Pause(ctx, r.lasts(r.Pauses)); err != nil {
		return err
	}
	err := r.stage.Operate(ctx, "resume", "-class", class)
	r.recorder.Note(trial.Event{Kind: trial.Pause, At: at, Until: time.Now(), Scope: &trial.Scope{Class: class}})
	return err
}

// unreadable writes a batch that nobody can unpack, and gives it up after a while,
// as the operator of a halted partition would. A real broker looks into a batch
// and takes no garbage.
func (r *run) unreadable(ctx context.Context, nth int, partition int32) error {
	at := time.Now()
	position, err := r.recorder.Unreadable(ctx, partition, nth%2 == 1 && r.stage.Broker != nil)
	if err != nil {
		return err
	}
	wait := r.lasts(r.Unreadables)
	const tries = 30 // the partition may be on its way from one owner to another
	for try := range tries {
		if err := lab.Pause(ctx, wait); err != nil {
			return err
		}
		err = r.stage.Operate(ctx, "skip", "-partition", fmt.Sprint(partition), "-offset", fmt.Sprint(position.Offset), "-yes")
		if err == nil || try == tries-1 {
			break
		}
		wait = time.Second
	}
	r.recorder.Note(trial.Event{Kind: trial.Unreadable, At: at, Until: time.Now(), Scope: &trial.Scope{Partitions: []int32{partition}}})
	return err
}

// delete stops a connector for a moment, shorter than anybody notices, has
// commands come for one of its partitions, and deletes the older half of them
// before it sees them.
func (r *run) delete(ctx context.Context, c *lab.Connector) error {
	if r.gone(c) {
		return c.Start()
	}
	owned, err := c.Owned(ctx)
	if err != nil || len(owned) == 0 {
		return nil //nolint:nilerr // it is on its way somewhere, and has no partition to delete from
	}
	at, partition := time.Now(), owned[0]
	if err := c.Process.Freeze(); err != nil {
		return err
	}
	err = r.deleteBehind(ctx, partition)
	until := time.Now()
	r.recorder.Note(trial.Event{Kind: trial.Freeze, Instance: c.Name, At: at, Until: until})
	r.recorder.Note(trial.Event{Kind: trial.Deletion, At: at, Until: until, Scope: &trial.Scope{Partitions: []int32{partition}}})
	return errors.Join(err, c.Process.Thaw())
}

func (r *run) deleteBehind(ctx context.Context, partition int32) error {
	const records = 100
	for n := range records {
		c := r.marked("", fmt.Sprintf("deletable-%d-%d", time.Now().UnixNano(), n), fmt.Sprintf("1380000%04d", n))
		c.Key = lab.KeyIn(c.ID, partition, partitions)
		r.recorder.Send(ctx, c, value(c))
		if n > 0 {
			continue
		}
		// What waited for the first record gets that one alone.
		if err := r.recorder.Flush(ctx); err != nil {
			return err
		}
	}
	if err := r.recorder.Flush(ctx); err != nil {
		return err
	}
	_, err := r.recorder.DeleteHalf(ctx, partition)
	return err
}

// stopLists restarts a connector while lists are under way that take longer than
// it may take to stop.
func (r *run) stopLists(ctx context.Context, c *lab.Connector) error {
	numbers := make([]string, longList)
	for i := range numbers {
		numbers[i] = fmt.Sprintf("%s%03d", slowNumbers, i)
	}
	at := time.Now()
	r.recorder.Note(trial.Event{Kind: trial.LongList, At: at, Scope: &trial.Scope{Mark: trial.LongList}})
	for partition := range int32(partitions) {
		list := r.marked(trial.LongList, fmt.Sprintf("list-%d-%d", at.UnixNano(), partition), numbers...)
		list.Key = lab.KeyIn(list.ID, partition, partitions)
		r.recorder.Send(ctx, list, value(list))
	}
	if err := lab.Pause(ctx, 2*time.Second); err != nil {
		return err
	}
	return r.restart(ctx, c)
}
