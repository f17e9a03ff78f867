package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// admin is a listener of a process that works, changed as a test wishes.
func admin(change func(*Admin)) *Admin {
	a := &Admin{
		Listen:   "127.0.0.1:0",
		Status:   func() Status { return Status{Line: &Line{State: "open"}, Balance: &Balance{Level: "unknown"}} },
		Ready:    func() error { return nil },
		Gatherer: prometheus.NewRegistry(),
		Log:      quiet(),
	}
	if change != nil {
		change(a)
	}
	return a
}

func ask(a *Admin, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	a.Handler().ServeHTTP(w, httptest.NewRequest(method, path, http.NoBody))
	return w
}

func TestAdminAnswersToReadsOfItsPathsAlone(t *testing.T) {
	for name, c := range map[string]struct {
		method, path string
		code         int
	}{
		"alive":                  {http.MethodGet, "/healthz", 200},
		"head":                   {http.MethodHead, "/healthz", 200},
		"ready":                  {http.MethodGet, "/readyz", 200},
		"metrics":                {http.MethodGet, "/metrics", 200},
		"status":                 {http.MethodGet, "/api/status", 200},
		"page":                   {http.MethodGet, "/", 200},
		"nothing is written":     {http.MethodPost, "/healthz", 405},
		"nothing is deleted":     {http.MethodDelete, "/api/status", 405},
		"metrics are not posted": {http.MethodPost, "/metrics", 405},
		"the page is not posted": {http.MethodPost, "/", 405},
		"unknown path":           {http.MethodGet, "/debug/pprof/", 404},
		"no push here":           {http.MethodPost, "/push/report", 404},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ask(admin(nil), c.method, c.path).Code; got != c.code {
				t.Errorf("%s %s: %d, want %d", c.method, c.path, got, c.code)
			}
		})
	}
}

func TestReadinessTellsWhyNot(t *testing.T) {
	a := admin(func(a *Admin) { a.Ready = func() error { return errors.New("Kafka was not reached yet") } })
	w := ask(a, http.MethodGet, "/readyz")
	if w.Code != 503 || w.Body.String() != "Kafka was not reached yet\n" {
		t.Errorf("got %d %q", w.Code, w.Body)
	}
	if w := ask(a, http.MethodGet, "/healthz"); w.Code != 200 {
		t.Errorf("a process that is not ready is still alive, got %d", w.Code)
	}
}

func TestStatusWritesNullForWhatIsNotKnown(t *testing.T) {
	w := ask(admin(nil), http.MethodGet, "/api/status")
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	line, balance := got["line"].(map[string]any), got["balance"].(map[string]any)
	for name, value := range map[string]any{
		"line.reason": line["reason"], "line.since": line["since"],
		"balance.amount": balance["amount"], "balance.at": balance["at"], "not_ready": got["not_ready"],
	} {
		if value != nil {
			t.Errorf("%s is %v, want null", name, value)
		}
	}
	if partitions, ok := got["partitions"].([]any); !ok || len(partitions) != 0 {
		t.Errorf("partitions are %v, want []", got["partitions"])
	}
	if got["ready"] != true {
		t.Errorf("ready is %v", got["ready"])
	}
}

func TestStatusTellsLineBalanceSpoolAndPartitions(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 89e6, time.FixedZone("", 8*3600))
	a := admin(func(a *Admin) {
		a.Status = func() Status {
			return Status{
				Version: "1.2.3", Instance: "i-1", Account: "shop", StartedAt: Time(at),
				Line:     &Line{State: "held", Reason: "insufficient_balance", Since: Time(at)},
				Balance:  &Balance{Amount: "0.50", Unit: "messages", Level: "exhausted", At: Time(at)},
				Caps:     []Cap{{Per: "day", Limit: 1000, Used: 12}},
				InFlight: 7, Waiting: []Waiting{{"paused", 80}},
				Held: []Held{{Class: "marketing", Since: Time(at), By: "ann", Reason: "wrong price"}},
				Reports: &Reports{
					Published:  &Delay{Reports: 3, P50: 4, P99: 2300},
					Partitions: []ReportPartition{{Partition: 1, Lag: 5, Parked: 2, Restoring: 9, Halted: "newer"}},
				},
				Spool:      &Spool{Bytes: 700, MaxBytes: 1000, Waiting: 2, OldestAt: Time(at), Failing: "the spool is full"},
				Partitions: []Partition{{Partition: 3, Lag: 12, Deleted: 9, InFlight: 4, Watermark: 1000, Halted: true, Oldest: Time(at), Reason: "journal_end_lost", Detail: "it ends at 7", Remedy: "look"}},
				Outcomes:   []Outcome{{Status: "accepted", Count: 5}, {Status: "expired", Reason: "rate_limited", Count: 1}},
			}
		}
	})
	var got, want any
	if err := json.Unmarshal(ask(a, http.MethodGet, "/api/status").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	delete(got.(map[string]any), "at")
	const text = `{"version":"1.2.3","instance":"i-1","account":"shop","started_at":"2026-03-03T21:06:07.089Z","in_flight":7,"waiting":[{"for":"paused","count":80}],
		"line":{"state":"held","reason":"insufficient_balance","since":"2026-03-03T21:06:07.089Z"},
		"balance":{"amount":"0.50","unit":"messages","level":"exhausted","at":"2026-03-03T21:06:07.089Z"},
		"caps":[{"per":"day","limit":1000,"used":12}],
		"spool":{"bytes":700,"max_bytes":1000,"waiting":2,"oldest_at":"2026-03-03T21:06:07.089Z","set_aside":0,"failing":"the spool is full","blocked":null},
		"held":[{"by":"ann","reason":"wrong price","class":"marketing","since":"2026-03-03T21:06:07.089Z"}],
		"reports":{"halted":null,"published":{"reports":3,"p50_ms":4,"p99_ms":2300},"final":null,"partitions":[{"partition":1,"lag":5,"parked":2,"restoring":9,"halted":"newer"}]},
		"partitions":[{"partition":3,"lag":12,"deleted":9,"in_flight":4,"watermark":1000,"halted":true,"oldest":"2026-03-03T21:06:07.089Z",
			"reason":"journal_end_lost","detail":"it ends at 7","remedy":"look"}],
		"outcomes":[{"status":"accepted","reason":null,"count":5},{"status":"expired","reason":"rate_limited","count":1}],"problems":[],
		"ready":true,"not_ready":null}`
	if err := json.Unmarshal([]byte(text), &want); err != nil {
		t.Fatal(err)
	}
	gotText, _ := json.Marshal(got)
	wantText, _ := json.Marshal(want)
	if string(gotText) != string(wantText) {
		t.Errorf("got  %s\nwant %s", gotText, wantText)
	}
}

func TestPageEscapesEverythingAndLoadsNothing(t *testing.T) {
	const hostile = `<script>alert("x")</script>`
	a := admin(func(a *Admin) {
		a.Status = func() Status {
			return Status{
				Version: hostile, Instance: hostile, Account: hostile,
				Line:       &Line{State: hostile, Reason: hostile},
				Balance:    &Balance{Amount: hostile, Unit: hostile, Level: hostile},
				Partitions: []Partition{{Halted: true, Reason: hostile, Detail: hostile, Remedy: hostile}},
				Outcomes:   []Outcome{{Status: hostile, Reason: hostile}},
				Reports:    &Reports{Halted: hostile, Partitions: []ReportPartition{{Halted: hostile}}},
			}
		}
		a.Ready = func() error { return errors.New(hostile) }
	})
	a.Problems = &Problems{}
	a.Problems.add(Problem{Level: hostile, Text: hostile})
	w := ask(a, http.MethodGet, "/")
	body := w.Body.String()
	if strings.Contains(body, "<script") {
		t.Error("a value reached the page unescaped")
	}
	if n := strings.Count(body, "&lt;script&gt;"); n != 23 { // every value that is a text, some also in the title and the alarms
		t.Errorf("%d values on the page", n)
	}
	for _, outside := range []string{"src=", "http://", "https://", "@import", "url("} {
		if strings.Contains(body, outside) {
			t.Errorf("the page holds %s", outside)
		}
	}
	if policy := w.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("policy %q", policy)
	}
}

func TestRunServesUntilItsContextEnds(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- admin(nil).serve(ctx, listener) }()
	url := "http://" + listener.Addr().String() + "/healthz"
	client := &http.Client{Transport: &http.Transport{}}
	answer, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(answer.Body)
	answer.Body.Close()
	if string(body) != "ok\n" {
		t.Errorf("got %q", body)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("a stop is no error, got %v", err)
	}
	if _, err := client.Get(url); err == nil {
		t.Error("still listening after the stop")
	}
}

// closing tells when a listener is closed.
type closing struct {
	net.Listener
	closed chan struct{}
	once   sync.Once
}

func (c *closing) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Listener.Close()
}

func TestAnswerUnderWayIsFinishedAfterTheStop(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener := &closing{Listener: plain, closed: make(chan struct{})}
	asked, release := make(chan struct{}), make(chan struct{})
	a := admin(func(a *Admin) {
		a.Ready = func() error { close(asked); <-release; return nil }
	})
	ended := make(chan error, 1)
	go func() { ended <- a.serve(ctx, listener) }()
	answered := make(chan string, 1)
	go func() {
		answer, err := (&http.Client{Transport: &http.Transport{}}).Get("http://" + listener.Addr().String() + "/readyz")
		if err != nil {
			answered <- err.Error()
			return
		}
		defer answer.Body.Close()
		body, _ := io.ReadAll(answer.Body)
		answered <- string(body)
	}()
	<-asked
	stop()
	<-listener.closed
	close(release)
	if got := <-answered; got != "ready\n" {
		t.Errorf("got %q", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestRunTellsThatItsAddressIsTaken(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	a := admin(func(a *Admin) { a.Listen = listener.Addr().String() })
	if err := a.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "SMSBRIDGE_ADMIN_LISTEN") {
		t.Errorf("got %v", err)
	}
}
