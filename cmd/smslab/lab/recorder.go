package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
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
	dead     int
	progress time.Time // of the last new answer
	failed   error     // of a produce, which the lab cannot go on from
}

// Record begins. watch, which may be nil, sees every output as it comes.
func Record(ctx context.Context, s *Stage, watch func(Output)) (*Recorder, error) {
	r := &Recorder{stage: s, watch: watch, read: map[string]map[int32]int64{}, answered: map[trial.Position]bool{}, progress: time.Now()}
	r.history.Connectors, r.history.MaxInFlight, r.history.Session = len(s.Connectors), s.InFlight, s.Session
	var err error
	if r.producer, err = s.Cluster.Client(kgo.DefaultProduceTopic(s.Topics.Commands()), kgo.ProducerLinger(0), kgo.MaxBufferedRecords(100_000)); err != nil {
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
		h.Reports = append(h.Reports, trial.Report{
			Row: o.Row, EventID: o.EventID, ID: o.CommandID, SendID: o.SendID, Number: o.To,
			State: o.State, Correlation: o.Correlation, DoneAt: o.DoneAt,
		})
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

// sample notes committed offsets ten times a second.
func (r *Recorder) sample(ctx context.Context) {
	last := map[int32]int64{}
	for pause(ctx, 100*time.Millisecond) == nil {
		committed, err := r.committed(ctx)
		if err != nil {
			continue // Kafka is away, which may be what is being tried
		}
		now := time.Now()
		r.mu.Lock()
		for partition, offset := range committed {
			if before, ok := last[partition]; !ok || before != offset {
				last[partition] = offset
				r.history.Samples = append(r.history.Samples, trial.Sample{Partition: partition, Offset: offset, At: now})
			}
		}
		r.mu.Unlock()
	}
}

func (r *Recorder) committed(ctx context.Context) (map[int32]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	offsets, err := r.admin.FetchOffsets(ctx, r.stage.Group)
	if err != nil {
		return nil, err
	}
	committed := map[int32]int64{}
	offsets.Each(func(o kadm.OffsetResponse) {
		if o.Topic == r.stage.Topics.Commands() && o.Err == nil && o.At >= 0 {
			committed[o.Partition] = o.At
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
	ends.Each(func(o kadm.ListedOffset) { lag += o.Offset - committed[o.Partition] })
	return lag, nil
}

// errStill is why a Settle ends without everything answered.
var errStill = errors.New("nothing new")

// Settle waits until every command has a result and is committed and every push
// was taken. It gives up when nothing new comes for so long as patience; what is
// missing then is the checker's to tell.
func (r *Recorder) Settle(ctx context.Context, patience time.Duration) error {
	since := time.Now()
	for {
		commands, answers, last := r.Progress()
		lag, err := r.Lag(ctx)
		if err == nil && answers >= commands && lag == 0 {
			break
		}
		if last.Before(since) {
			last = since
		}
		if time.Since(last) > patience {
			return errors.Join(fmt.Errorf("%w for %v: %d of %d commands answered, lag %d", errStill, patience, answers, commands, lag), err)
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	if err := r.stage.Provider.Quiet(ctx, patience); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return r.catchUp(ctx)
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
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("%d partitions are not read to their end: %w", behind, err)
		}
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
	leaks, err := findLeaks(r.stage.Dir)
	h.Leaks = leaks
	r.mu.Lock()
	defer r.mu.Unlock()
	return h, err
}

// keep saves what an admin page shows, for findLeaks. A connector that is down
// shows nothing.
func keep(ctx context.Context, url, path string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	if page, err := io.ReadAll(resp.Body); err == nil {
		os.WriteFile(path, page, 0o600) //nolint:errcheck // then it is not looked at
	}
}

// private finds what no log may hold: the lab's numbers, texts and credentials.
func private() (*regexp.Regexp, error) {
	hidden := []string{`13[89]0000[0-9]{4}`}
	for _, secret := range []string{canary, AccountName, AccountPassword, pushName, pushPassword, setting("SASL_PASSWORD")} {
		if secret != "" {
			hidden = append(hidden, regexp.QuoteMeta(secret))
		}
	}
	return regexp.Compile(strings.Join(hidden, "|"))
}

func findLeaks(dir string) ([]trial.Leak, error) {
	secrets, err := private()
	if err != nil {
		return nil, err
	}
	logs, err := filepath.Glob(filepath.Join(dir, "connector-*.log"))
	if err != nil {
		return nil, err
	}
	var leaks []trial.Leak
	for _, path := range logs {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		scanner := bufio.NewScanner(f)
		scanner.Buffer(nil, 1<<20)
		for n := 1; scanner.Scan(); n++ {
			if secrets.Match(scanner.Bytes()) {
				leaks = append(leaks, trial.Leak{File: filepath.Base(path), Line: n})
			}
		}
		f.Close() //nolint:errcheck // only read
		if err := scanner.Err(); err != nil {
			return nil, err
		}
	}
	return leaks, nil
}
