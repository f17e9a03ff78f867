package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metricnoop "go.opentelemetry.io/otel/metric/noop"

	"smsbridge/codec/sms"
	"smsbridge/connector/kafkaio"
	"smsbridge/connector/submit"
)

const (
	commandsTopic = "sms.commands"
	journalTopic  = "sms.bridge.journal"
	session       = 10 * time.Second
)

// cluster is as much of Kafka as the journal sees: logs, a coordinator that
// refuses commits of older generations, and a provider beside it.
type cluster struct {
	mu        sync.Mutex
	logs      map[int][]kafkaio.Record
	starts    map[int]int64
	committed map[int]kafkaio.Committed
	gen       int32
	short     int   // how many journal partitions there are; 0: enough
	broken    int64 // position of a batch that nobody can read; 0: none
	posts     []post
	results   []published
}

type post struct {
	ref     Ref
	part    int
	flagged bool
}

type published struct {
	ref   Ref
	value string
}

func newCluster() *cluster {
	return &cluster{logs: map[int][]kafkaio.Record{}, starts: map[int]int64{}, committed: map[int]kafkaio.Committed{}}
}

func (c *cluster) StartOffset(_ context.Context, topic string, partition int) (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if topic == journalTopic {
		return c.starts[partition], nil
	}
	return 0, nil
}

func (c *cluster) EndOffset(_ context.Context, _ string, partition int) (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int64(len(c.logs[partition])), nil
}

type logSource struct {
	c         *cluster
	partition int
	at        int64
}

func (s *logSource) Position() int64 { return s.at }

func (s *logSource) Skip(next int64) { s.at = next }

func (s *logSource) Next(ctx context.Context) ([]kafkaio.Record, error) {
	for {
		s.c.mu.Lock()
		all := s.c.logs[s.partition]
		if b := s.c.broken; b > 0 && s.partition == 0 && s.at <= b && b < int64(len(all)) {
			s.at = b
			s.c.mu.Unlock()
			return nil, &kafkaio.BatchError{Topic: journalTopic, Offset: b, Next: b + 1, Err: kafkaio.ErrCorrupt}
		}
		if s.at < int64(len(all)) {
			records := append([]kafkaio.Record(nil), all[s.at:]...)
			s.at = int64(len(all))
			s.c.mu.Unlock()
			return records, nil
		}
		s.c.mu.Unlock()
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (c *cluster) append(partition int, value []byte) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := int64(len(c.logs[partition]))
	c.logs[partition] = append(c.logs[partition], kafkaio.Record{
		Topic: journalTopic, Partition: partition, Offset: at, Time: time.Now(), Value: value,
	})
	return at
}

// process is one connector with a journal. Once dead it has no effect any more.
type process struct {
	*cluster
	t       *testing.T
	journal *Journal
	tenure  *Tenure // the last one
	tenures []*Tenure
	gen     int32
	dead    atomic.Bool
	frozen  atomic.Pointer[chan struct{}] // nil: runs
	crashAt point
	times   atomic.Int32    // the how manieth time that it is reached
	ctx     context.Context //nolint:containedctx // the life of the process
	kill    context.CancelFunc
	queue   chan func()

	commitFault func(apply func() error) error // nil: none
	slow        time.Duration                  // of an append
	full        atomic.Int32                   // so many sends find the producer's buffer full
	placeless   atomic.Int32                   // so many acks come without an offset
}

func (c *cluster) process(t *testing.T, change func(*Config)) *process {
	t.Helper()
	p := &process{cluster: c, t: t, queue: make(chan func(), 1000)}
	p.times.Store(1)
	p.ctx, p.kill = context.WithCancel(t.Context())
	cfg := Config{
		Group: "smsbridge", Topic: journalTopic, Commands: commandsTopic, SessionTimeout: session, Window: 48 * time.Hour,
		Producer: p, Offsets: c, Log: slog.New(slog.DiscardHandler), Meter: metricnoop.NewMeterProvider().Meter(""),
		Fetch: func(f kafkaio.FetchConfig) Source { return &logSource{c, f.Partition, f.Offset} },
		Partitions: func(context.Context) (int, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			return cmp.Or(c.short, 100), nil
		},
	}
	cfg.Reached = func(at string) {
		if point(at) == p.crashAt {
			if p.times.Add(-1) == 0 {
				p.die()
			}
		}
	}
	if change != nil {
		change(&cfg)
	}
	var err error
	if p.journal, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // inside the bubble: nothing of a dead process stays behind
		p.kill()
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, tenure := range p.tenures {
			tenure.end(ErrClosed)
			tenure.stop()
		}
	})
	go func() {
		for {
			select {
			case f := <-p.queue:
				f()
			case <-t.Context().Done():
				return
			}
		}
	}()
	return p
}

// freeze stops everything that the process does to others, until it wakes.
func (p *process) freeze() (wake func()) {
	stop := make(chan struct{})
	p.frozen.Store(&stop)
	return func() { p.frozen.Store(nil); close(stop) }
}

func (p *process) rest() {
	if stop := p.frozen.Load(); stop != nil {
		<-*stop
	}
}

func (p *process) die() { p.dead.Store(true); p.kill() }

// Send implements Producer: in order, one after the other.
func (p *process) Send(messages []kafkaio.Message, done func([]kafkaio.Ack, error)) {
	if p.dead.Load() {
		return
	}
	p.queue <- func() {
		p.rest()
		time.Sleep(p.slow)
		if p.full.Add(-1) >= 0 {
			done(nil, kafkaio.ErrOverloaded)
			return
		}
		at := p.append(messages[0].Partition, messages[0].Value)
		if p.placeless.Add(-1) >= 0 {
			at = -1
		}
		if !p.dead.Load() {
			done([]kafkaio.Ack{{Partition: messages[0].Partition, Offset: at}}, nil)
		}
	}
}

// membership implements Generation.
type membership struct {
	p   *process
	gen int32
}

func (m membership) ID() int32 { return m.gen }

func (m membership) Offsets(_ context.Context, partitions []kafkaio.TopicPartition) (map[kafkaio.TopicPartition]kafkaio.Committed, error) {
	m.p.mu.Lock()
	defer m.p.mu.Unlock()
	all := make(map[kafkaio.TopicPartition]kafkaio.Committed)
	for _, tp := range partitions {
		c, ok := m.p.committed[tp.Partition]
		if !ok {
			c = kafkaio.Committed{Offset: -1}
		}
		all[tp] = c
	}
	return all, nil
}

func (m membership) Commit(_ context.Context, commits map[kafkaio.TopicPartition]kafkaio.Commit) error {
	m.p.rest()
	if m.p.dead.Load() {
		return kafkaio.ErrFenced
	}
	apply := func() error {
		m.p.mu.Lock()
		defer m.p.mu.Unlock()
		if m.gen != m.p.cluster.gen {
			return kafkaio.ErrFenced
		}
		for tp, c := range commits {
			m.p.committed[tp.Partition] = kafkaio.Committed{Offset: c.Offset, Metadata: c.Metadata}
		}
		return nil
	}
	if m.p.commitFault != nil {
		return m.p.commitFault(apply)
	}
	return apply()
}

// join begins a generation and takes over.
func (p *process) join(partitions ...int) error { return p.joinAs(p.generation(), partitions...) }

// generation begins a new one.
func (c *cluster) generation() int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gen++
	return c.gen
}

func (p *process) joinAs(gen int32, partitions ...int) error {
	tenure, err := p.journal.TakeOver(p.ctx, membership{p, gen}, partitions)
	if err == nil {
		p.mu.Lock()
		p.tenure, p.tenures = tenure, append(p.tenures, tenure)
		p.mu.Unlock()
	}
	return err
}

func (p *process) mustJoin(partitions ...int) *Ledger {
	p.t.Helper()
	if err := p.join(partitions...); err != nil {
		p.t.Fatal(err)
	}
	return p.tenure.Ledger(partitions[0])
}

// provider's answer; nil: none came.
type answer func(r Ref, flagged bool) *sms.Submission

func always(r Ref, _ bool) *sms.Submission { return yes(r) }

func yes(r Ref) *sms.Submission {
	return &sms.Submission{Status: sms.Accepted, ProviderMessageID: "id-" + r.ID, Accepted: 1, Recipients: 1, Attempts: 1}
}

// work is the connector in small: judge, submit what is open, finish, publish.
func (p *process) work(l *Ledger, ref Ref, policy sms.OnUnknown, provider answer) error {
	return p.carry(l, ref, l.Judge(ref), policy, provider, func(offset int64) { l.Advance(offset + 1) })
}

var errNotValid = errors.New("permit not valid")

func (p *process) carry(l *Ledger, ref Ref, v Verdict, policy sms.OnUnknown, provider answer, finished func(int64)) error {
	err := p.decide(l, ref, v, policy, provider)
	if err == nil {
		finished(ref.Offset)
	}
	return err
}

func (p *process) decide(l *Ledger, ref Ref, v Verdict, policy sms.OnUnknown, provider answer) error {
	switch v.Kind {
	case Answered:
		m, err := l.Answer(p.ctx, v)
		if err != nil {
			return err
		}
		return p.publish(ref, m)
	case Repeat:
		return p.finish(l, ref, nil, sms.Duplicate, 0, nil)
	case Settled:
		return nil
	case Lost:
		return p.finish(l, ref, nil, sms.Unknown, 1, nil)
	case Fresh, Begun:
	}
	var part submit.Part
	if len(v.History.Parts) > 0 {
		part = v.History.Parts[0]
	}
	if part.Done != nil {
		return p.finish(l, ref, nil, part.Done.Status, 1, []sms.Submission{*part.Done})
	}
	if part.Doubts > 0 && (policy != sms.ResendUnknown || part.Doubts >= 2) {
		return p.finish(l, ref, nil, sms.Unknown, 1, []sms.Submission{{Status: sms.Unknown, Reason: sms.Interrupted}})
	}
	g := l.Guard(ref, true)
	permit, err := g.Begin(p.ctx, submit.Attempt{Number: part.Attempts + 1, Expires: time.Now().Add(time.Hour), PossibleDuplicate: part.Doubts > 0})
	if err != nil {
		return err
	}
	if !permit.Valid() {
		return errors.Join(errNotValid, permit.Release(p.ctx))
	}
	if p.dead.Load() {
		return errors.New("dead")
	}
	p.mu.Lock()
	p.posts = append(p.posts, post{ref: ref, flagged: part.Doubts > 0})
	p.mu.Unlock()
	s := provider(ref, part.Doubts > 0)
	if s == nil {
		s = &sms.Submission{Status: sms.Unknown, Reason: sms.Timeout, Attempts: 1}
	}
	if part.Doubts > 0 && s.Status != sms.Accepted { // a no does not undo the doubt
		s = &sms.Submission{Status: sms.Unknown, Reason: sms.Interrupted, Attempts: 2}
	}
	if err := permit.Done(p.ctx, *s); err != nil {
		return err
	}
	return p.finish(l, ref, g, s.Status, 1, []sms.Submission{*s})
}

func (p *process) finish(l *Ledger, ref Ref, g *Guard, status sms.Status, revision int, parts []sms.Submission) error {
	m := kafkaio.Message{Topic: "sms.results", Key: []byte("k"), Value: fmt.Appendf(nil, "%s %s %d", ref.ID, status, revision)}
	if err := l.Finish(p.ctx, ref, g, Final{Status: status, Revision: revision, Submissions: parts, Message: m}); err != nil {
		return err
	}
	return p.publish(ref, m)
}

func (p *process) publish(ref Ref, m kafkaio.Message) error {
	p.rest()
	if p.dead.Load() {
		return errors.New("dead")
	}
	p.mu.Lock()
	p.results = append(p.results, published{ref, string(m.Value)})
	p.mu.Unlock()
	return nil
}

func command(offset int64) Ref {
	id := fmt.Sprintf("c%d", offset)
	return Ref{Offset: offset, ID: id, Fingerprint: FingerprintOf(nil, []byte(id))}
}
