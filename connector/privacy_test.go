package connector

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"smsbridge/connector/kafkaio"
	"smsbridge/connector/push"
)

// Every secret of the test holds this word, and every number begins like one of
// these two. None of them may be seen by anybody who only watches.
var canaries = regexp.MustCompile(`(?i)canary|138[ -]?0000|139[ -]?0000`)

const canaryNumber = "13800001234"

// canaryFaults are what the provider answers to a submit by a word in its text.
var canaryFaults = map[string]func(http.ResponseWriter){
	"refused": func(w http.ResponseWriter) { _, _ = io.WriteString(w, "1,canary") },
	"strange": func(w http.ResponseWriter) { _, _ = io.WriteString(w, "canary 13800001234") },
	"code":    func(w http.ResponseWriter) { _, _ = io.WriteString(w, "77,canary") },
	"html":    func(w http.ResponseWriter) { _, _ = io.WriteString(w, "<html>canary 13800001234</html>") },
	"broken":  func(w http.ResponseWriter) { http.Error(w, "canary 13800001234", http.StatusInternalServerError) },
	"moved": func(w http.ResponseWriter) {
		w.Header().Set("Location", "/canary?mobile=13800001234")
		w.WriteHeader(http.StatusTemporaryRedirect)
	},
	"cut": func(w http.ResponseWriter) {
		w.Header().Set("Content-Length", "99")
		_, _ = io.WriteString(w, "0,canary")
	},
	"header": func(w http.ResponseWriter) {
		w.Header()["Canary"] = []string{"canary\x01"}
		w.WriteHeader(http.StatusOK)
	},
	"hangs up": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
}

// canaryProvider accepts all but the faults, and repeats what it was told.
func canaryProvider(t *testing.T) *httptest.Server {
	t.Helper()
	var sendids atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		form, _ := url.ParseQuery(string(body))
		if form.Get("type") == "balance" {
			_, _ = io.WriteString(w, "0,1000")
			return
		}
		for word, fault := range canaryFaults {
			if strings.HasSuffix(form.Get("content"), word) {
				fault(w)
				return
			}
		}
		_, _ = fmt.Fprintf(w, "0,20260101000000000%06d,0,1,0,canary", sendids.Add(1))
	}))
	t.Cleanup(server.Close)
	return server
}

func TestNobodyWhoWatchesSeesANumberATextOrASecret(t *testing.T) {
	l, w := newLab(t), newWatch(t)
	asText := &buffer{}
	debug := &slog.HandlerOptions{Level: slog.LevelDebug}
	w.logger = slog.New(slog.NewMultiHandler(w.logger.Handler(), slog.NewTextHandler(asText, debug)))
	var burst atomic.Bool
	pushURL, stop := l.start(func(cfg *Config) {
		w.over(cfg)
		cfg.Provider.URL = canaryProvider(t).URL + "/canary-path?key=canary-query"
		cfg.Provider.Name = func() string { return "canary-login" }
		cfg.Provider.Password = func() string {
			if burst.Swap(false) {
				panic("canary-panic " + canaryNumber)
			}
			return "canary-password"
		}
		cfg.Submit.Signature = "canary-sign"
		cfg.Push.Token = func() string { return "canary-token" }
		cfg.Push.Auth = push.Auth{
			Mode: push.Either, Name: func() string { return "canary-name" }, Password: func() string { return "canary-pwd" },
			AccessSecret: func() string { return "canary-secret" },
		}
		cfg.Push.Inbound = push.InboundAuth{Mode: push.Static, Name: cfg.Push.Auth.Name, Password: cfg.Push.Auth.Password}
	})
	l.follow(testTopics.Account, "balance", func(e event) bool { return e.Balance == "1000" })

	burst.Store(true) // the next call of the provider is the command's
	l.produce(canaryCommand("panics", ""))
	l.outcomes(1)
	n := l.produceCanaries()
	met := map[string]bool{}
	for _, e := range l.outcomes(1 + n) {
		met[e.Reason] = true
	}
	for _, reason := range []string{
		"", "interrupted", "validation_failed", "content_too_long", "signature_conflict", "invalid_recipient",
		"content_rejected", "unknown_provider_code", "protocol_error", "provider_error",
	} {
		if !met[reason] {
			t.Errorf("no command met %q, which may betray it: %v", reason, met)
		}
	}
	l.pushCanaries(pushURL + "canary-token/")
	w.seesNoCanary("while it runs", asText)
	if err := stop(); err != nil {
		t.Errorf("error of Run: %v", err)
	}
	w.seesNoCanary("at the end", asText)
	l.headersHoldNoCanary(1 + n)
}

func canaryCommand(word, rest string) *kgo.Record {
	return &kgo.Record{
		Key:     []byte("canary-key"),
		Value:   []byte(fmt.Sprintf(`{"to":["+86 138-0000-1234","138000099"],"text":"canary-text %s"%s}`, word, rest)),
		Headers: []kgo.RecordHeader{{Key: "canary", Value: []byte("canary")}, {Key: "traceparent", Value: []byte("canary")}},
	}
}

// produceCanaries puts commands of every fate on the topic and returns how many.
func (l *lab) produceCanaries() int {
	records := []*kgo.Record{
		{Key: []byte("canary-key"), Value: []byte("canary " + canaryNumber)},
		{Key: []byte("canary-key"), Value: nil},
		{Key: []byte("canary"), Value: []byte("{\"to\":\"" + canaryNumber + "\xff\"}")},
		canaryCommand("extension", `,"extension":"canary"`),
		canaryCommand("id", `,"id":"canary 13800001234"`),
		canaryCommand("class", `,"class":"canary"`),
		canaryCommand("metadata", `,"metadata":{"canary":13800001234}`),
		canaryCommand("unknown field", `,"canary":"canary 13800001234"`),
		canaryCommand("sign", `,"signature":"canary\n"`),
		{Value: []byte(`{"to":"13800001234","text":"canary"}`)},
		canaryCommand(strings.Repeat("long", 200), ""),
		{Value: []byte(`{"to":"canary","text":"canary"}`)},
		{Value: []byte(`{"to":"13800001234","text":"【canary】canary"}`)},
	}
	for word := range canaryFaults { // between them good ones, so that the line is not held for too many doubts
		records = append(records, canaryCommand("good", ""), canaryCommand(word, ""), canaryCommand("good", ""))
	}
	l.produce(records...)
	return len(records)
}

// pushCanaries pushes in every right and wrong way.
func (l *lab) pushCanaries(base string) {
	l.t.Helper()
	right := url.Values{"name": {"canary-name"}, "pwd": {"canary-pwd"}}
	with := func(pairs ...string) url.Values {
		form := url.Values{"name": right["name"], "pwd": right["pwd"]}
		for i := 0; i < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		return form
	}
	for _, p := range []struct {
		path string
		form url.Values
		want int
	}{
		{"report", with("sendid", "20260101000000000000001", "mobile", canaryNumber, "state", "canary", "time", "canary"), 200},
		{"report", with("sendid", "canary", "mobile", "canary", "state", "canary"), 200},
		{"report", with("mobile", "canary"), 200},
		{"inbound", with("args", "13900001234#@#canary#@#2026-01-01 08:00:00#@#008123"), 200},
		{"inbound", with("args", "canary 13900001234"), 200},
		{"report?sendid=canary&mobile=13800001234", with(), 200},
		{"report", with("pwd", "canary-wrong"), 401},
		{"report", with("name", "canary-wrong"), 401},
		{"report", with("name", "0bbbeef1171e800e6ce3225d46f4ce42", "pwd", "", "random", "canary", "timestamp", "canary"), 401},
		{"canary", nil, 404},
		{"../canary/13800001234", nil, 404},
		{"report", with("args", strings.Repeat("canary 13800001234", 20_000)), 413},
	} {
		if got := l.pushed(base+p.path, p.form); got != p.want {
			l.t.Errorf("%s is answered %d, want %d", p.path, got, p.want)
		}
	}
	u, err := url.Parse(base)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, request := range []string{ // that net/http itself refuses, or that ends too early
		"canary\r\n\r\n",
		"POST /canary?mobile=13800001234 HTTP/9.9\r\n\r\n",
		"POST /push/canary HTTP/1.1\r\nHost: a\r\ncanary 13800001234\r\n\r\n",
		"POST " + u.Path + "report HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\nname=canary-name&pwd=canary-pwd&mobile=" + canaryNumber,
	} {
		conn, err := net.Dial("tcp", u.Host)
		if err != nil {
			l.t.Fatal(err)
		}
		_, _ = io.WriteString(conn, request)
		_ = conn.(*net.TCPConn).CloseWrite()
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		_, _ = io.Copy(io.Discard, bufio.NewReader(conn)) // until it is answered or hung up on
		_ = conn.Close()
	}
}

// seesNoCanary looks at all that can be watched.
func (w *watch) seesNoCanary(when string, more *buffer) {
	w.t.Helper()
	seen := map[string]string{"the log as JSON": w.log.String(), "the log as text": more.String()}
	for _, path := range []string{"/metrics", "/api/status", "/", "/readyz", "/canary"} {
		if status, body := w.get(path); status != 0 && path != "/canary" {
			seen[path] = body
		}
	}
	families, err := w.telemetry.Gatherer.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, family := range families {
		seen["metric "+family.GetName()] = family.String()
	}
	for i, s := range w.spans.Ended() {
		seen[fmt.Sprintf("span %d", i)] = fmt.Sprint(s.Name(), s.Attributes(), s.Events(), s.Links(), s.Status(), s.SpanContext().TraceState())
	}
	for where, text := range seen {
		for line := range strings.Lines(text) {
			if at := canaries.FindStringIndex(line); at != nil {
				w.t.Errorf("%s, %s: %.300q", where, when, line[max(0, at[0]-150):])
			}
		}
	}
	if len(w.log.String()) == 0 || w.log.String() == more.String() || len(seen) < 20 {
		w.t.Errorf("%d places looked at: too few to prove anything", len(seen))
	}
}

// headersHoldNoCanary looks at what brokers and their tools see of the outputs
// beside keys, values and the query of a dead letter, at why dead letters are dead, and at the journal, which
// holds neither numbers nor texts (beside what a producer puts into keys and field names and
// the provider into its answer).
func (l *lab) headersHoldNoCanary(results int) {
	l.t.Helper()
	for topic, n := range map[string]int{testTopics.Results: results, testTopics.Reports: 1, testTopics.Inbound: 1, testTopics.DeadLetter: 3, testTopics.Account: 1} {
		for _, r := range l.read(topic, n) {
			for _, h := range r.Headers {
				if h.Key != "canary" && h.Key != "traceparent" && h.Key != "smsbridge-query" && canaries.Match(h.Value) {
					l.t.Errorf("%s: header %s holds %q", topic, h.Key, h.Value)
				}
			}
		}
	}
	for _, r := range l.read(testTopics.Journal, results) {
		// The signature is in results, which the journal keeps: it names a company.
		for _, secret := range []string{"1380000", "1390000", "canary-text", "canary-login", "canary-password"} {
			if strings.Contains(string(r.Value), secret) {
				l.t.Errorf("the journal holds %s in %q", secret, r.Value)
			}
		}
	}
}

func TestAFailedLoginDoesNotTellThePassword(t *testing.T) {
	l, w := newLab(t), newWatch(t)
	cfg := l.config(freeAddress(t))
	w.over(&cfg)
	cfg.Kafka.SASL = kafkaio.SASL{Mechanism: "plain", Username: "canary-user", Password: func() string { return "canary-password" }}
	err := Run(t.Context(), cfg) // ends by itself: the broker knows no logins at all
	if err == nil || !strings.Contains(err.Error(), "KAFKA_SASL") {
		t.Errorf("got %v", err)
	}
	if canaries.MatchString(fmt.Sprint(err)) || canaries.MatchString(w.log.String()) {
		t.Errorf("the password was told: %v", err)
	}
}
