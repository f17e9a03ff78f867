package connector

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/metric/noop"
	nooptrace "go.opentelemetry.io/otel/trace/noop"

	"smsbridge/codec"
	"smsbridge/codec/sms"
	"smsbridge/codec/wire"
	"smsbridge/connector/intake"
	"smsbridge/connector/kafkaio"
	"smsbridge/connector/provider"
	"smsbridge/connector/push"
	"smsbridge/connector/submit"
	"smsbridge/connector/telemetry"
)

var testTopics = Topics{
	Commands: "t.commands", Results: "t.results", Reports: "t.reports",
	Inbound: "t.inbound", DeadLetter: "t.deadletter", Account: "t.account",
	Journal: "t.journal", Sendids: "t.sendids", Pushes: "t.pushes", Control: "t.control",
	Suppressions: "t.suppressions",
}

// lab is a broker, a provider and whatever connectors a test starts between them.
type lab struct {
	t        *testing.T
	brokers  []string
	client   *kgo.Client
	provider *httptest.Server

	mu       sync.Mutex
	answer   func(form url.Values) string               // nil: accept
	refuse   func(url.Values, http.ResponseWriter) bool // reports that it has answered by HTTP; nil: never
	received []url.Values                               // complete submits, in order
	sendids  int
}

const partitions = 4

func newLab(t *testing.T) *lab {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions,
		testTopics.used(Roles{true, true, true})...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	l := &lab{t: t, brokers: cluster.ListenAddrs()}
	l.client, err = kgo.NewClient(kgo.SeedBrokers(l.brokers...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.client.Close)
	l.provider = httptest.NewServer(http.HandlerFunc(l.serve))
	t.Cleanup(l.provider.Close)
	return l
}

func (l *lab) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	if form.Get("type") == "balance" {
		_, _ = io.WriteString(w, "0,1000")
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse != nil && l.refuse(form, w) {
		return
	}
	l.received = append(l.received, form)
	if l.answer != nil {
		_, _ = io.WriteString(w, l.answer(form))
		return
	}
	_, _ = io.WriteString(w, l.accept(form))
}

// accept is the provider's answer to a submit that it accepts. mu is held.
func (l *lab) accept(form url.Values) string {
	l.sendids++
	n := len(strings.Split(form.Get("mobile"), ","))
	return fmt.Sprintf("0,20260101000000000%06d,0,%d,0,ok", l.sendids, n)
}

// submits counts what the provider received for each text.
func (l *lab) submits() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	counts := map[string]int{}
	for _, form := range l.received {
		counts[form.Get("content")]++
	}
	return counts
}

// start runs a connector; stop ends it in order and returns what Run returned.
func (l *lab) start(change func(*Config)) (pushURL string, stop func() error) {
	l.t.Helper()
	addr := freeAddress(l.t)
	cfg := l.config(addr)
	if change != nil {
		change(&cfg)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, cfg) }()
	var once sync.Once
	var result error
	stop = func() error {
		once.Do(func() {
			cancel()
			result = <-ended
		})
		return result
	}
	l.t.Cleanup(func() { _ = stop() })
	return "http://" + addr + "/push/", stop
}

// config is that of a connector between this lab's broker and provider.
func (l *lab) config(addr string) Config {
	log := slog.New(slog.NewTextHandler(testWriter{l.t}, nil))
	return Config{
		Account: "default", Instance: addr, Version: "test", Group: "g", Topics: testTopics, Ordering: intake.ByKey,
		Kept: Kept{DedupeWindow: time.Hour, ReportDeadline: time.Hour}, Roles: Roles{true, true, true}, OrphanAfter: 100 * time.Millisecond, Numbers: codec.Numbers{Key: codec.HashKey("key of the tests")}, StateDir: l.t.TempDir(), BalanceInterval: time.Minute, Grace: 10 * time.Second,
		Kafka: kafkaio.Config{Brokers: l.brokers, ClientID: "test", SessionTimeout: 6 * time.Second, Log: log},
		Provider: provider.Config{
			URL: l.provider.URL, Timeout: 5 * time.Second, MaxInFlight: 16,
			Name: func() string { return "n" }, Password: func() string { return "p" },
			Meter: noop.Meter{}, Tracer: nooptrace.Tracer{},
		},
		Submit: submit.Config{
			Account: "default", Signature: "Test", MaxRecipients: 500, MaxInFlight: 16,
			Retry:     submit.Retry{Initial: 10 * time.Millisecond, Max: time.Second, Multiplier: 2},
			OnUnknown: sms.ReportUnknown, Validity: submit.Validity{OTP: time.Minute, Notice: time.Hour, Marketing: time.Hour},
			Log: log, Meter: noop.Meter{}, Tracer: nooptrace.Tracer{},
		},
		Push: push.Config{
			Listen: addr, Auth: push.Auth{Mode: push.Static, Name: func() string { return "push" }, Password: func() string { return "secret" }},
			Inbound: push.InboundAuth{Mode: push.Static, Name: func() string { return "push" }, Password: func() string { return "secret" }},
			Ack:     "OK", Account: "default", Grace: time.Second, Log: log, Meter: noop.Meter{},
			SystemExtensionLength: new(3), Keywords: wire.NewKeywords([]string{"T"}, []string{"START"}, nil),
		},
		Admin: telemetry.Admin{Listen: "127.0.0.1:0", Gatherer: prometheus.NewRegistry(), Log: log},
		Log:   log, Meter: noop.Meter{},
	}
}

func (l *lab) produce(records ...*kgo.Record) {
	l.t.Helper()
	for _, r := range records {
		r.Topic = testTopics.Commands
	}
	if err := l.client.ProduceSync(l.t.Context(), records...).FirstErr(); err != nil {
		l.t.Fatal(err)
	}
}

// read returns the first n records of a topic, waiting for them.
func (l *lab) read(topic string, n int) []*kgo.Record {
	l.t.Helper()
	reader, err := kgo.NewClient(kgo.SeedBrokers(l.brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		l.t.Fatal(err)
	}
	defer reader.Close()
	ctx, cancel := context.WithTimeout(l.t.Context(), 30*time.Second)
	defer cancel()
	var records []*kgo.Record
	for len(records) < n && ctx.Err() == nil {
		records = append(records, reader.PollFetches(ctx).Records()...)
	}
	if len(records) < n {
		l.t.Fatalf("%s has %d records, waiting for %d", topic, len(records), n)
	}
	return records
}

// event is the part of every output that tests look at.
type event struct {
	EventID   string `json:"event_id"`
	CommandID string `json:"command_id"`
	Status    string `json:"status"`
	Reason    string `json:"reason"`
	MessageID string `json:"provider_message_id"`

	Revision    int    `json:"revision"`
	Correlation string `json:"correlation"`
	From        string `json:"from"`
	Keyword     string `json:"keyword"`
	Line        string `json:"line"`
	Instance    string `json:"instance"`
	Balance     string `json:"balance"`
}

func decodeEvent(t *testing.T, r *kgo.Record) event {
	t.Helper()
	var e event
	if err := json.Unmarshal(r.Value, &e); err != nil {
		t.Fatalf("%s: %v in %s", r.Topic, err, r.Value)
	}
	return e
}

// results reads n results by their command.
func (l *lab) results(n int) map[string][]event {
	l.t.Helper()
	byCommand := map[string][]event{}
	for _, r := range l.read(testTopics.Results, n) {
		e := decodeEvent(l.t, r)
		byCommand[e.CommandID] = append(byCommand[e.CommandID], e)
	}
	return byCommand
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// testWriter puts the connector's log into the test's, where it shows when the
// test fails.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}
