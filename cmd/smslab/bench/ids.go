package bench

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"smsbridge/cmd/smslab/lab"
)

const (
	fewIDs  = 10_000
	manyIDs = 1_000_000

	warmGoal = 1.0 // seconds
	coldGoal = 5.0
)

// ids shows what it costs to remember many ids of one partition: a fresh command
// among them, the memory, and how long a process that starts needs to the first
// result, with the local store of the one before and without.
func (b *bench) ids(ctx context.Context) error {
	n := b.IDs
	if n == 0 {
		n = int(manyIDs * b.scale)
	}
	few, err := b.remembered(ctx, fewIDs)
	if err != nil {
		return err
	}
	many, err := b.remembered(ctx, n)
	if err != nil {
		return err
	}
	b.head("\nsmsbridge alone, ids remembered in a partition", fmt.Sprint(fewIDs), fmt.Sprint(n))
	b.row("a fresh command: CPU", few.cpu, many.cpu, "ms for 1,000", ratioText(many.cpu/few.cpu), "≤ 1.25", many.cpu/few.cpu <= 1.25)
	b.row("resident memory at full speed", few.resident, many.resident, "MB", "", "≤ 100 MB", many.resident <= 100)
	b.row("start to first result, with the store", few.warm, many.warm, "s", "", fmt.Sprintf("≤ %.0f", warmGoal), many.warm <= warmGoal)
	b.row("start to first result, without", few.cold, many.cold, "s", "", fmt.Sprintf("≤ %.0f", coldGoal), many.cold <= coldGoal)
	return nil
}

// rememberedIDs is what so many ids cost.
type rememberedIDs struct {
	cpu        float64 // ms for 1,000 commands, the last ones
	resident   float64 // MB
	warm, cold float64 // seconds
}

func (b *bench) remembered(ctx context.Context, n int) (r rememberedIDs, err error) {
	const last = 20_000 // commands that are measured, beyond the n
	setup := b.setup(1024, 0)
	setup.Partitions = 1
	stage, counter, strike, err := waiting(ctx, setup, n+last)
	if err != nil {
		return r, err
	}
	defer strike()
	connector := stage.Connectors[0]
	if err := connector.Start(); err != nil {
		return r, err
	}
	s, err := between(ctx, counter, stage.Topics.Results(), n, n+last*9/10, connector.Process)
	if err != nil {
		return r, err
	}
	r.cpu = s.cpu
	resident, err := connector.Process.Resident()
	if err != nil {
		return r, err
	}
	r.resident = float64(resident) / 1e6
	again := restarts{stage: stage, counter: counter, results: n + last}
	if err := again.stop(ctx); err != nil {
		return r, err
	}
	if r.warm, err = again.firstResult(ctx); err != nil {
		return r, err
	}
	if err := again.stop(ctx); err != nil {
		return r, err
	}
	if err := os.RemoveAll(connector.State); err != nil {
		return r, err
	}
	r.cold, err = again.firstResult(ctx)
	return r, err
}

// restarts has the connector of a stage go on after a stop.
type restarts struct {
	stage   *lab.Stage
	counter *kadm.Client
	results int // that are there when everything is answered
}

// stop stops the connector when it has answered everything.
func (r *restarts) stop(ctx context.Context) error {
	process := r.stage.Connectors[0].Process
	if _, err := reach(ctx, r.counter, r.stage.Topics.Results(), r.results, process); err != nil {
		return err
	}
	return process.Stop(time.Minute)
}

// firstResult returns how many seconds a new process needs from its start to the
// result of one more command.
func (r *restarts) firstResult(ctx context.Context) (float64, error) {
	connector := r.stage.Connectors[0]
	client, err := r.stage.Cluster.Client(kgo.DefaultProduceTopic(r.stage.Topics.Commands()))
	if err != nil {
		return 0, err
	}
	defer client.Close()
	if err := preload(ctx, client, r.results, r.results+1); err != nil {
		return 0, err
	}
	r.results++
	begun := time.Now()
	if err := connector.Start(); err != nil {
		return 0, err
	}
	m, err := reach(ctx, r.counter, r.stage.Topics.Results(), r.results, connector.Process)
	return m.at.Sub(begun).Seconds(), err
}
