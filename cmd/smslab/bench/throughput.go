package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"smsbridge/cmd/smslab/lab"
)

// load is one setting of the throughput measurement with its goals.
type load struct {
	latency    time.Duration // of the provider
	commands   int
	throughput float64 // at least so many of the lean loop's
	cpu        float64 // at most so much of the lean loop's
}

var loads = []load{
	{0, 80_000, 0.85, 1.15},
	{20 * time.Millisecond, 60_000, 0.90, 1.15},
	{100 * time.Millisecond, 20_000, 0.97, 1.35},
}

const inFlight = 256

// speed is what one round measured.
type speed struct {
	perSecond float64 // commands
	cpu       float64 // ms of processor time for 1,000 commands
}

// throughput has each contender work off a backlog, in turns.
func (b *bench) throughput(ctx context.Context) error {
	for _, l := range loads {
		n := int(float64(l.commands) * b.scale)
		perSecond, cpu := map[contender][]float64{}, map[contender][]float64{}
		for range b.Rounds {
			for _, c := range []contender{lean, bridge} {
				s, err := b.round(ctx, c, l.latency, n)
				if err != nil {
					return err
				}
				perSecond[c], cpu[c] = append(perSecond[c], s.perSecond), append(cpu[c], s.cpu)
			}
		}
		what := fmt.Sprintf("%3d ms: ", l.latency.Milliseconds())
		a, z := median(perSecond[lean]), median(perSecond[bridge])
		b.row(what+"throughput", a, z, "commands/s", ratioText(z/a), fmt.Sprintf("≥ %.2f", l.throughput), z/a >= l.throughput)
		a, z = median(cpu[lean]), median(cpu[bridge])
		b.row(what+"CPU", a, z, "ms for 1,000", ratioText(z/a), fmt.Sprintf("≤ %.2f", l.cpu), z/a <= l.cpu)
	}
	return nil
}

// round measures between a fifth and nine tenths of the backlog: begun and not yet
// running dry.
func (b *bench) round(ctx context.Context, c contender, latency time.Duration, n int) (speed, error) {
	stage, results, strike, err := waiting(ctx, b.setup(inFlight, latency), n)
	if err != nil {
		return speed{}, err
	}
	defer strike()
	process, err := b.start(stage, c)
	if err != nil {
		return speed{}, err
	}
	return between(ctx, results, stage.Topics.Results(), n/5, n*9/10, process)
}

// waiting sets a stage with so many commands on it and nothing that works, and
// gives what counts the records of its topics.
func waiting(ctx context.Context, setup lab.Setup, n int) (stage *lab.Stage, counter *kadm.Client, strike func(), err error) {
	if stage, err = lab.Raise(ctx, setup); err != nil {
		return nil, nil, nil, err
	}
	client, err := stage.Cluster.Client(kgo.DefaultProduceTopic(stage.Topics.Commands()), kgo.MaxBufferedRecords(200_000))
	if err != nil {
		stage.Strike()
		return nil, nil, nil, err
	}
	strike = func() { client.Close(); stage.Strike() }
	if err := preload(ctx, client, 0, n); err != nil {
		strike()
		return nil, nil, nil, err
	}
	return stage, kadm.NewClient(client), strike, nil
}

// between is the speed from one count of a topic's records to another.
func between(ctx context.Context, counter *kadm.Client, topic string, first, last int, process *lab.Process) (speed, error) {
	from, err := reach(ctx, counter, topic, first, process)
	if err != nil {
		return speed{}, err
	}
	to, err := reach(ctx, counter, topic, last, process)
	if err != nil {
		return speed{}, err
	}
	done := float64(to.count - from.count)
	return speed{
		perSecond: done / to.at.Sub(from.at).Seconds(),
		cpu:       milliseconds(to.cpu-from.cpu) / done * 1000,
	}, nil
}

// preload writes the commands of these numbers.
func preload(ctx context.Context, client *kgo.Client, from, to int) error {
	failed := make(chan error, 1) // of the first that fails
	for i := from; i < to; i++ {
		_, key, value := command(i)
		client.Produce(ctx, &kgo.Record{Key: []byte(key), Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				select {
				case failed <- err:
				default:
				}
			}
		})
	}
	if err := client.Flush(ctx); err != nil {
		return err
	}
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// mark is where a contender was at a time.
type mark struct {
	at    time.Time
	count int64
	cpu   time.Duration
}

// reach waits until so many results are there. process may be nil when they are.
func reach(ctx context.Context, admin *kadm.Client, topic string, count int, process *lab.Process) (mark, error) {
	const patience = 2 * time.Minute // without a new one
	var last mark
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		ends, err := admin.ListEndOffsets(ctx, topic)
		if err == nil {
			err = ends.Error()
		}
		if err == nil {
			var m mark
			m.at = time.Now()
			ends.Each(func(o kadm.ListedOffset) { m.count += o.Offset })
			if m.count >= int64(count) {
				if process != nil {
					m.cpu, err = process.CPU()
				}
				return m, err
			}
			if m.count > last.count || last.at.IsZero() {
				last = m
			}
			if m.at.Sub(last.at) > patience {
				return mark{}, fmt.Errorf("%s has %d records of %d, and none was added for %v", topic, m.count, count, patience)
			}
		}
		if process != nil && process.Unasked() != nil {
			return mark{}, process.Unasked()
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return mark{}, context.Cause(ctx)
		}
	}
}
