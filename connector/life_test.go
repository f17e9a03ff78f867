package connector

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// follow reads a topic from its beginning until found says that it is enough.
func (l *lab) follow(topic, what string, found func(event) bool) {
	l.t.Helper()
	reader, err := kgo.NewClient(kgo.SeedBrokers(l.brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		l.t.Fatal(err)
	}
	defer reader.Close()
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	for ctx.Err() == nil {
		for _, r := range reader.PollFetches(ctx).Records() {
			if found(decodeEvent(l.t, r)) {
				return
			}
		}
	}
	l.t.Fatalf("%s: no %s", topic, what)
}

// outcomes waits until every one of n commands has a result, and fails where one
// has two different ones.
func (l *lab) outcomes(n int) map[string]event {
	l.t.Helper()
	first := map[string]event{}
	l.follow(testTopics.Results, "result for every command", func(e event) bool {
		if before, ok := first[e.CommandID]; ok && before != e {
			l.t.Errorf("command %s has the results %+v and %+v", e.CommandID, before, e)
		}
		first[e.CommandID] = e
		return len(first) == n
	})
	return first
}

func TestNothingIsLostOrSentTwiceWhileKafkaIsAway(t *testing.T) {
	l, w := newLab(t), newWatch(t)
	const n = 300
	entered, leave := make(chan struct{}, n), make(chan struct{})
	answer := l.accept
	l.answer = func(form url.Values) string {
		if strings.HasSuffix(form.Get("content"), "text of c150") { // the cable is pulled while it is being answered
			entered <- struct{}{}
			<-leave
		}
		return answer(form)
	}
	for i := range n {
		l.produce(command(fmt.Sprint("c", i), fmt.Sprint("k", i%50), ""))
	}
	var kafka cable
	pushURL, stop := l.start(func(cfg *Config) {
		w.over(cfg)
		cfg.Kafka.Dial = kafka.dial
	})
	<-entered
	kafka.pull()
	close(leave)
	report := url.Values{"sendid": {"20260101000000000000001"}, "mobile": {"13800000000"}, "state": {"DELIVRD"}, "time": {"2026-01-01 8:00:00"}}
	l.push(pushURL+"report", report, http.StatusServiceUnavailable)
	w.answers("/readyz", http.StatusServiceUnavailable)
	if got, _ := w.get("/healthz"); got != http.StatusOK {
		t.Errorf("/healthz is %d while Kafka is away", got)
	}
	kafka.plug()

	for id, e := range l.outcomes(n) {
		if e.Status != "accepted" {
			t.Errorf("command %s: %+v", id, e)
		}
	}
	w.answers("/readyz", http.StatusOK)
	l.push(pushURL+"report", report, http.StatusOK)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	for text, times := range l.submits() {
		if times != 1 {
			t.Errorf("%q was submitted %d times", text, times)
		}
	}
	if told := strings.Count(w.log.String(), "kafka is not usable"); told != 1 {
		t.Errorf("the absence was told %d times", told)
	}
}

func TestAStopWhileKafkaIsAwayIsNoFailureAndTellsWhatIsOpen(t *testing.T) {
	l, w := newLab(t), newWatch(t)
	entered, leave := make(chan struct{}), make(chan struct{})
	l.answer = func(url.Values) string {
		close(entered)
		<-leave
		return l.accept(url.Values{"mobile": {"13800000000"}})
	}
	l.produce(command("c1", "", ""))
	var kafka cable
	_, stop := l.start(func(cfg *Config) {
		w.over(cfg)
		cfg.Kafka.Dial = kafka.dial
		cfg.Grace = time.Second
	})
	<-entered
	kafka.pull()
	close(leave)
	if err := stop(); err != nil {
		t.Error(err)
	}
	if told := strings.Count(w.log.String(), "stopped before kafka confirmed everything"); told != 1 {
		t.Errorf("what is open was told %d times", told)
	}
}

func TestConnectionsThatAreCutAtTheStartAreMadeAnew(t *testing.T) {
	l := newLab(t)
	l.produce(command("c1", "", ""))
	var dialed atomic.Int32
	_, stop := l.start(func(cfg *Config) {
		cfg.Kafka.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err == nil && dialed.Add(1) < 10 {
				return closing{conn}, nil
			}
			return conn, err
		}
	})
	l.outcomes(1)
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// closing is a connection that this end closes instead of reading.
type closing struct{ net.Conn }

func (c closing) Read(b []byte) (int, error) {
	_ = c.Close()
	return c.Conn.Read(b)
}

func TestALineWithoutProviderIsHeldAndOpensByItselfAndBurnsNoCommand(t *testing.T) {
	l, w := newLab(t), newWatch(t)
	const n = 20
	for i := range n {
		l.produce(command(fmt.Sprint("c", i), "", ""))
	}
	var line cable
	line.pull()
	l.start(func(cfg *Config) {
		w.over(cfg)
		cfg.Provider.Dial = line.dial
	})
	w.line("held", "network_error")
	l.follow(testTopics.Account, "held line", func(e event) bool { return e.Line == "held" && e.Reason == "network_error" })
	w.answers("/readyz", http.StatusOK) // pushes must still reach us
	line.plug()
	for id, e := range l.outcomes(n) {
		if e.Status != "accepted" {
			t.Errorf("command %s: %+v", id, e)
		}
	}
	w.line("open", "")
	held := false
	l.follow(testTopics.Account, "line that opened again", func(e event) bool {
		held = held || e.Line == "held"
		return held && e.Line == "open"
	})
}

// line waits until /api/status tells a state of the line.
func (w *watch) line(state, reason string) {
	w.t.Helper()
	eventually(w.t, func() error {
		_, body := w.get("/api/status")
		var told struct {
			Line struct{ State, Reason string }
		}
		if err := json.Unmarshal([]byte(body), &told); err != nil {
			return fmt.Errorf("%w in %s", err, body)
		}
		if told.Line.State != state || told.Line.Reason != reason {
			return fmt.Errorf("the line is %+v, not %s", told.Line, state)
		}
		return nil
	})
}

func TestNoGoroutineOutlivesRun(t *testing.T) {
	l, w := newLab(t), newWatch(t)
	l.produce(command("c1", "k", ""))
	before := goroutines()
	pushURL, stop := l.start(w.over)
	l.read(testTopics.Results, 1)
	l.push(pushURL+"inbound", url.Values{"args": {"13900000000#@#T#@#2026-01-01 08:00:00#@#008123"}}, http.StatusOK)
	w.answers("/metrics", http.StatusOK)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error { // connections that were closed take a moment to be noticed
		for id, stack := range goroutines() {
			// The broker and the reader of this test live in the same process.
			if _, old := before[id]; !old && !strings.Contains(stack, "twmb/franz-go") {
				return fmt.Errorf("left behind:\n%s", stack)
			}
		}
		return nil
	})
}

// goroutines returns the stacks of all goroutines by their names.
func goroutines() map[string]string {
	text := make([]byte, 4<<20)
	all := map[string]string{}
	for stack := range strings.SplitSeq(string(text[:runtime.Stack(text, true)]), "\n\n") {
		name, _, _ := strings.Cut(stack, " [")
		all[name] = stack
	}
	return all
}
