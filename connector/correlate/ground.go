package correlate

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"smsbridge/connector/kafkaio"
)

// ground is what a generation stands on.
type ground struct {
	identity  string
	count     int // partitions of both topics
	committed map[int]kafkaio.Committed
	starts    map[int]int64
}

// start is the first push to be read.
func (g *ground) start(partition int) int64 {
	if at := g.committed[partition].Offset; at >= 0 {
		return at
	}
	return g.starts[partition]
}

// errHalted is in the errors that say that nothing can be correlated until an
// operator has decided.
var errHalted = errors.New("no report is correlated")

// survey looks at topics and offsets. Where the topics do not fit together it
// waits: to work on would tell reports as orphans whose sendid lies elsewhere.
func (c *Correlator) survey(ctx context.Context, gen *kafkaio.Generation) (*ground, error) {
	defer c.halted.Store(nil)
	for {
		g, err := c.surveyOnce(ctx, gen)
		if !errors.Is(err, errHalted) {
			return g, err
		}
		reason := err.Error()
		if last := c.halted.Swap(&reason); last == nil || *last != reason {
			c.cfg.Log.Error("partitions do not fit together", "error", err)
		}
		select {
		case <-time.After(checkPause):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (c *Correlator) surveyOnce(ctx context.Context, gen *kafkaio.Generation) (*ground, error) {
	cluster, err := c.cfg.Kafka.ClusterID(ctx)
	if err != nil {
		return nil, err
	}
	topics, err := c.cfg.Kafka.WaitTopics(ctx, c.cfg.Pushes, c.cfg.Sendids)
	if err != nil {
		return nil, err
	}
	pushes, sendids := topics[c.cfg.Pushes], topics[c.cfg.Sendids]
	if pushes.Partitions != sendids.Partitions {
		return nil, fmt.Errorf("%w: topic %s has %d partitions and topic %s has %d, and a report and its sendid must be in the partition of the same number: "+
			"make both with as many as the one that was used first", errHalted, pushes.Name, pushes.Partitions, sendids.Name, sendids.Partitions)
	}
	g := &ground{count: pushes.Partitions, committed: map[int]kafkaio.Committed{}, starts: map[int]int64{}}
	g.identity = fmt.Sprintf("cluster %q, pushes %q %x, sendids %q %x, %d partitions, orphans after %s, deadline %s, version %d",
		cluster, pushes.Name, pushes.ID, sendids.Name, sendids.ID, g.count, c.rules.orphanAfter, c.rules.deadline, version)
	var all []kafkaio.TopicPartition
	for id := range g.count {
		all = append(all, kafkaio.TopicPartition{Topic: c.cfg.Pushes, Partition: id})
	}
	committed, err := gen.Offsets(ctx, all)
	if err != nil {
		return nil, err
	}
	for tp, c := range committed {
		if first, ok := countOf(c.Metadata); ok && first != g.count {
			return nil, fmt.Errorf("%w: topic %s had %d partitions when it was first used and has %d now, so that sendids and reports lie elsewhere than they are looked for: "+
				"make the topics of pushes and sendids anew; what they hold is lost", errHalted, tp.Topic, first, g.count)
		}
		g.committed[tp.Partition] = c
	}
	return g, c.locate(ctx, gen, g)
}

// endPatience is how long a partition may end below what was committed: after an
// election its end is told too low for a while.
const endPatience = 30 * time.Second

// locate finds where to begin with the pushes of which nothing is committed, or
// that end below what is committed: the topic was made anew, or lost its end.
func (c *Correlator) locate(ctx context.Context, gen *kafkaio.Generation, g *ground) error {
	patience := time.Now().Add(endPatience)
	for _, id := range gen.Partitions(c.cfg.Pushes) {
		for at := g.committed[id].Offset; at >= 0; {
			end, err := c.cfg.Kafka.EndOffset(ctx, c.cfg.Pushes, id)
			if err != nil {
				return err
			}
			if at <= end {
				break
			}
			if time.Now().After(patience) {
				c.cfg.Log.Error("pushes end below what was read of them, reading all that there are", "partition", id, "read", at, "end", end)
				g.committed[id] = kafkaio.Committed{Offset: -1}
				break
			}
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if g.committed[id].Offset >= 0 {
			continue
		}
		var err error
		if g.starts[id], err = c.cfg.Kafka.StartOffset(ctx, c.cfg.Pushes, id); err != nil {
			return err
		}
	}
	return nil
}

// The metadata of a commit holds the number of partitions, which is fixed for
// life: keys lie by it.
const countPrefix = "partitions="

func metadataOf(count int) string { return countPrefix + strconv.Itoa(count) }

func countOf(metadata string) (int, bool) {
	text, ok := strings.CutPrefix(metadata, countPrefix)
	n, err := strconv.Atoi(text)
	return n, ok && err == nil
}
