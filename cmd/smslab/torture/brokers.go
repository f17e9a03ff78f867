package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"smsbridge/cmd/smslab/lab"
	"smsbridge/cmd/smslab/trial"
)

// blow is one time that brokers are away.
type blow struct {
	fault
	kind    trial.Kind
	brokers []int
	length  time.Duration
}

// strikeBrokers kills one broker after the other and starts it again, and now and
// then all of them for longer; the embedded one, which keeps everything in
// memory, is frozen.
func (r *run) strikeBrokers(ctx context.Context, rng *rand.Rand) error {
	all := make([]int, max(r.Brokers, 1))
	for i := range all {
		all[i] = i + 1
	}
	var blows []blow
	for _, f := range r.schedule(r.BrokerKills, rng, nil) {
		length := 2*time.Second + time.Duration(rng.Int64N(int64(6*time.Second)))
		blows = append(blows, blow{f, trial.BrokerKill, []int{all[rng.IntN(len(all))]}, length})
	}
	for _, f := range r.schedule(r.Outages, rng, nil) {
		blows = append(blows, blow{f, trial.Outage, all, r.Outage})
	}
	slices.SortFunc(blows, func(a, b blow) int { return int(a.at - b.at) })
	for _, b := range blows {
		if err := lab.Pause(ctx, time.Until(r.start.Add(b.at))); err != nil {
			return err
		}
		if err := r.strikeBroker(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) strikeBroker(ctx context.Context, b blow) error {
	at := time.Now()
	if err := r.broker(ctx, r.BrokerKill, b.brokers, (*lab.Process).Freeze); err != nil {
		return err
	}
	if err := lab.Pause(ctx, b.length); err != nil {
		return err
	}
	if err := r.broker(ctx, r.BrokerStart, b.brokers, (*lab.Process).Thaw); err != nil {
		return err
	}
	// A broker that was started answers when it has read what it holds.
	for _, err := r.recorder.Lag(ctx); err != nil; _, err = r.recorder.Lag(ctx) {
		if err := lab.Pause(ctx, time.Second); err != nil {
			return err
		}
	}
	r.recorder.Note(trial.Event{Kind: b.kind, Instance: fmt.Sprint(b.brokers), At: at, Until: time.Now()})
	return nil
}

// broker runs a command for each of the brokers, or does to the embedded one what
// stands for it.
func (r *run) broker(ctx context.Context, command string, brokers []int, embedded func(*lab.Process) error) error {
	if command == "" {
		if r.stage.Broker == nil {
			return errors.New("to kill a broker that is not ours needs -broker-kill and -broker-start")
		}
		return embedded(r.stage.Broker)
	}
	for _, n := range brokers {
		line := strings.ReplaceAll(command, "{n}", strconv.Itoa(n))
		out, err := exec.CommandContext(ctx, "bash", "-c", line).CombinedOutput() //nolint:gosec // the command line's own words
		if err != nil {
			return fmt.Errorf("%s: %w: %s", line, err, out)
		}
	}
	return nil
}
