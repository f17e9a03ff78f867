package lab

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"smsbridge/cmd/smslab/trial"
)

// Recorder produces commands to a stage and writes a history of what comes of it.
type Recorder struct {
	stage    *Stage
	watch    func(Output)
	producer *kgo.Client
	reader   *kgo.Client
	admin    *kadm.Client
	stop     context.CancelFunc
	work     sync.WaitGroup

	mu       sync.Mutex
	history  trial.History
	read     map[string]map[int32]int64 // next offset by topic and partition
	answered map[trial.Position]bool
	gone     []span
	dead     int
	progress time.Time // of the last new answer
	failed   error     // of a produce, which the lab cannot go on from
}

// largestBatch is the broker's own limit: what is just below it is what is hard to
// tell of.
const largestBatch = 1_048_588

// Record begins. watch, which may be nil, sees every output as it comes.
func Record(ctx context.Context, s *Stage, watch func(Output)) (*Recorder, error) {
	r := &Recorder{stage: s, watch: watch, read: map[string]map[int32]int64{}, answered: map[trial.Position]bool{}, progress: time.Now()}
	r.history.Connectors, r.history.MaxInFlight, r.history.Session = len(s.Connectors), s.InFlight, s.Session
	var err error
	if r.producer, err = s.Cluster.Client(kgo.DefaultProduceTopic(s.Topics.Commands()), kgo.ProducerLinger(0), kgo.MaxBufferedRecords(100_000),
		kgo.ProducerBatchMaxBytes(largestBatch)); err != nil {
		return nil, err
	}
	r.reader, err = s.Cluster.Client(kgo.ConsumeTopics(s.Topics.outputs()...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(250*time.Millisecond))
	if err != nil {
		r.producer.Close()
		return nil, err
	}
	r.admin = kadm.NewClient(r.producer)
	ctx, r.stop = context.WithCancel(ctx)
	r.work.Go(func() { r.follow(ctx) })
	r.work.Go(func() { r.sample(ctx) })
	return r, nil
}

// Close ends the recording.
func (r *Recorder) Close() {
	r.stop()
	r.work.Wait()
	r.reader.Close()
	r.producer.Close()
}

// Send produces a command. It blocks only when very many are waiting for Kafka.
func (r *Recorder) Send(ctx context.Context, c trial.Command, value []byte) {
	record := &kgo.Record{Value: value}
	if c.Key != "" {
		record.Key = []byte(c.Key)
	}
	r.producer.Produce(ctx, record, func(record *kgo.Record, err error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if err != nil {
			if ctx.Err() == nil {
				r.failed = fmt.Errorf("produce a command: %w", err)
			}
			return
		}
		c.Position, c.At = trial.Position{Partition: record.Partition, Offset: record.Offset}, time.Now()
		c.Gone = slices.ContainsFunc(r.gone, func(s span) bool { return s.holds(c.Position) })
		r.history.Commands = append(r.history.Commands, c)
	})
}

// Flush waits until every command was acknowledged.
func (r *Recorder) Flush(ctx context.Context) error {
	if err := r.producer.Flush(ctx); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// Note adds to what was done to the run.
func (r *Recorder) Note(e trial.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history.Events = append(r.history.Events, e)
}

// Progress counts the commands that were acknowledged and those of them that have
// a result, and says when there was a new one last.
func (r *Recorder) Progress() (commands, answers int, last time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.history.Commands), len(r.answered), r.progress
}

// DeadLetters counts the dead letters so far.
func (r *Recorder) DeadLetters() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dead
}

func (r *Recorder) follow(ctx context.Context) {
	for ctx.Err() == nil {
		r.reader.PollFetches(ctx).EachRecord(r.take)
	}
}

func (r *Recorder) take(record *kgo.Record) {
	t := r.stage.Topics
	o := t.read(record)
	r.mu.Lock()
	h := &r.history
	switch record.Topic {
	case t.Results():
		row := o.result(record.Value)
		h.Results = append(h.Results, row)
		if !r.answered[row.Command] {
			r.answered[row.Command] = true
			r.progress = time.Now()
		}
	case t.Reports():
		h.Reports = append(h.Reports, o.report())
	case t.deadLetter():
		r.dead++
	case t.inbound():
		h.Inbound = append(h.Inbound, trial.Inbound{Row: o.Row, EventID: o.EventID, Number: o.From, Text: o.Text, SentAt: o.SentAt})
	}
	if r.read[record.Topic] == nil {
		r.read[record.Topic] = map[int32]int64{}
	}
	r.read[record.Topic][record.Partition] = record.Offset + 1
	r.mu.Unlock()
	if r.watch != nil {
		r.watch(o)
	}
}

// History gathers what the other witnesses saw and returns everything, best when
// the connectors have been retired. The recorder must not be used for anything
// but Close afterwards.
func (r *Recorder) History(ctx context.Context) (*trial.History, error) {
	h := &r.history
	h.End = time.Now()
	if err := r.stage.Provider.witness(ctx, h); err != nil {
		return nil, err
	}
	ends, err := r.admin.ListEndOffsets(ctx, r.stage.Topics.journal())
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, err
	}
	h.JournalEnds = map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) { h.JournalEnds[o.Partition] = o.Offset })
	h.Leaks, err = findLeaks(r.stage.Dir)
	r.mu.Lock()
	defer r.mu.Unlock()
	return h, err
}
