package correlate

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/metric/noop"

	"smsbridge/cmd/smslab/link"
	"smsbridge/codec"
	"smsbridge/codec/sms"
	"smsbridge/codec/wire"
	"smsbridge/connector/kafkaio"
)

const (
	pushesTopic  = "t.pushes"
	sendidsTopic = "t.sendids"
	reportsTopic = "t.reports"
	deadTopic    = "t.deadletter"

	testOrphanAfter = time.Minute
	testDeadline    = 5 * time.Minute
	testSession     = 6 * time.Second
)

// stage is a broker on a virtual network, in virtual time, and whatever correlators
// a test starts beside it.
type stage struct {
	t       *testing.T
	network kfake.VirtualNetwork
	cluster *kfake.Cluster
	client  *kgo.Client
	own     *kafkaio.Client // of the submit side and the listener
	out     *kafkaio.Producer
	running sync.WaitGroup
}

// perform raises a stage with so many partitions of each topic, inside a bubble.
func perform(t *testing.T, partitions int, play func(*stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := raise(t, partitions)
		play(s)
	})
}

func raise(t *testing.T, partitions int) *stage {
	t.Helper()
	s := &stage{t: t}
	var err error
	s.cluster, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(s.network.Listen),
		kfake.SeedTopics(int32(partitions), pushesTopic, sendidsTopic, reportsTopic, deadTopic))
	if err != nil {
		t.Fatal(err)
	}
	s.client, err = kgo.NewClient(kgo.SeedBrokers(s.cluster.ListenAddrs()...), kgo.Dialer(s.network.DialContext))
	if err != nil {
		t.Fatal(err)
	}
	l := &link.Link{Network: &s.network}
	s.own = s.connect("submit", l)
	s.out = s.own.NewProducer(kafkaio.ProducerConfig{})
	t.Cleanup(func() {
		s.running.Wait()
		_ = s.out.Close(context.Background())
		_ = s.own.Close()
		l.Cut()
		s.client.Close()
		s.cluster.Close()
	})
	return s
}

func (s *stage) connect(name string, l *link.Link) *kafkaio.Client {
	s.t.Helper()
	c, err := kafkaio.Open(kafkaio.Config{
		Brokers: s.cluster.ListenAddrs(), ClientID: name, SessionTimeout: testSession, Dial: l.Dial,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// actor is one correlator.
type actor struct {
	*Correlator
	s       *stage
	link    *link.Link
	stop    func() // in order, and waits
	dead    atomic.Bool
	end     context.CancelFunc
	logs    *logs
	crashed func() // called once it was killed at a point
}

// enter starts a correlator.
func (s *stage) enter(name string, change func(*Config)) *actor {
	s.t.Helper()
	a := &actor{s: s, link: &link.Link{Network: &s.network}, logs: &logs{}}
	client := s.connect(name, a.link)
	producer := client.NewProducer(kafkaio.ProducerConfig{})
	cfg := Config{
		Group: "g-correlate", Pushes: pushesTopic, Sendids: sendidsTopic, Account: "default",
		OrphanAfter: testOrphanAfter, ReportDeadline: testDeadline, NumberKeys: []codec.HashKey{codec.HashKey("key")}, Grace: 10 * time.Second,
		Kafka: client, Producer: producer, Report: reportMessage, DeadLetter: deadMessage,
		Log: slog.New(slog.NewTextHandler(a.logs, nil)), Meter: noop.Meter{},
	}
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	a.Correlator = c
	ctx, cancel := context.WithCancel(context.Background())
	a.end = cancel
	ended := make(chan struct{})
	s.running.Go(func() {
		defer close(ended)
		if err := c.Run(ctx); err != nil && !a.dead.Load() {
			s.t.Errorf("%s ended: %v", name, err)
		}
		closing, done := context.WithTimeout(context.Background(), time.Second)
		defer done()
		_ = producer.Close(closing)
		_ = client.Close()
		a.link.Cut()
	})
	a.stop = func() { cancel(); <-ended }
	s.t.Cleanup(func() { a.kill() })
	return a
}

// kill ends all effects of the correlator at once, as if its process had died.
func (a *actor) kill() {
	if a.dead.CompareAndSwap(false, true) {
		a.link.Cut()
		a.end()
	}
}

// reportMessage makes the record of a report as the connector does.
func reportMessage(r sms.Report, short bool) kafkaio.Message {
	encode := codec.EncodeReport
	if short {
		encode = codec.EncodeShortReport
	}
	e := encode(codec.Numbers{Key: codec.HashKey("key")}, r)
	m := kafkaio.Message{Topic: reportsTopic, Partition: kafkaio.AnyPartition, Key: e.Key, Value: e.Body}
	for _, h := range e.Headers() {
		m.Headers = append(m.Headers, kafkaio.Header{Key: h.Key, Value: h.Value})
	}
	return m
}

func deadMessage(rec kafkaio.Record, cause error) kafkaio.Message {
	return kafkaio.Message{Topic: deadTopic, Partition: kafkaio.AnyPartition, Value: rec.Value, Headers: []kafkaio.Header{{Key: "smsbridge-error", Value: []byte(cause.Error())}}}
}

// submitted writes what the submit side writes when it knows a sendid.
func (s *stage) submitted(sendid string, recipients int, change func(*Sent)) {
	s.t.Helper()
	sent := Sent{SendID: sendid, Recipients: recipients, Origin: sms.Origin{
		CommandID: "command-" + sendid, Command: sms.Position{Topic: "t.commands", Partition: 1, Offset: 7},
		Key: []byte("key"), Class: sms.OTP, Metadata: map[string]string{"tenant": "a"}, SubmittedAt: time.Now(),
		Trace: sms.Trace{Parent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
	}}
	if change != nil {
		change(&sent)
	}
	s.write(SentRecord(sendidsTopic, sent))
}

// pushed writes what the listener writes for a push.
func (s *stage) pushed(sendid, state string, mobiles ...string) {
	s.t.Helper()
	if len(mobiles) == 0 {
		mobiles = []string{"13800000000"}
	}
	s.write(PushRecord(pushesTopic, wire.ReportPush{SendID: sendid, State: state, Mobiles: mobiles, Time: stateTime}, time.Now()))
}

// stateTime is when every state was reached, so that a push can be repeated.
var stateTime = time.Date(2026, 1, 2, 3, 4, 5, 0, wire.Zone)

func (s *stage) write(m ...kafkaio.Message) {
	s.t.Helper()
	if _, err := s.out.Produce(s.t.Context(), m...); err != nil {
		s.t.Fatal(err)
	}
}

// event is what tests look at of a report.
type event struct {
	ID          string `json:"event_id"`
	ReportID    string `json:"report_id"`
	Revision    int    `json:"revision"`
	CommandID   string `json:"command_id"`
	SendID      string `json:"provider_message_id"`
	To          string `json:"to"`
	Missing     int    `json:"missing"`
	Status      string `json:"status"`
	Provider    string `json:"provider_status"`
	Final       bool   `json:"final"`
	Exact       bool   `json:"done_at_exact"`
	Correlation string `json:"correlation"`

	at    time.Time
	value string
}

// reports reads all that was published so far, in the order of their topic.
func (s *stage) reports() []event {
	s.t.Helper()
	return decodeEvents(s.t, s.records(reportsTopic))
}

func decodeEvents(tb testing.TB, records []*kgo.Record) (events []event) {
	tb.Helper()
	for _, r := range records {
		var e event
		if err := json.Unmarshal(r.Value, &e); err != nil {
			tb.Fatal(err)
		}
		e.at, e.value = r.Timestamp, string(r.Value)
		events = append(events, e)
	}
	return events
}

func (s *stage) records(topic string) []*kgo.Record {
	s.t.Helper()
	reader, err := kgo.NewClient(kgo.SeedBrokers(s.cluster.ListenAddrs()...), kgo.Dialer(s.network.DialContext),
		kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		s.t.Fatal(err)
	}
	defer reader.Close()
	var all []*kgo.Record
	for {
		ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Second)
		records := reader.PollFetches(ctx).Records()
		cancel()
		if len(records) == 0 {
			slices.SortStableFunc(all, func(a, b *kgo.Record) int { return a.Timestamp.Compare(b.Timestamp) })
			return all
		}
		all = append(all, records...)
	}
}

// told writes events shortly, once each, in order of the first of each.
func told(events []event) []string {
	seen := map[string]bool{}
	var short []string
	for _, e := range events {
		if seen[e.ID] {
			continue
		}
		seen[e.ID] = true
		short = append(short, strings.TrimSpace(strings.Join([]string{e.SendID, e.To, e.Status, e.Correlation, map[int]string{1: "", 2: "again"}[e.Revision]}, " ")))
	}
	return short
}

// want compares the reports of each sendid, in their order. Those of different
// sendids have none.
func (s *stage) want(want ...string) {
	s.t.Helper()
	bySendid := func(a, b string) int {
		first, _, _ := strings.Cut(a, " ")
		second, _, _ := strings.Cut(b, " ")
		return strings.Compare(first, second)
	}
	got := told(s.reports())
	slices.SortStableFunc(got, bySendid)
	slices.SortStableFunc(want, bySendid)
	if !slices.Equal(got, want) {
		s.t.Fatalf("published\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// settle lets the correlators come to rest. Time goes on by so much.
func settle() { time.Sleep(5 * time.Second) }

// logs keeps what is logged.
type logs struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
