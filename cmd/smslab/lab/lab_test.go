package lab

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"smsbridge/cmd/smslab/simulator"
	"smsbridge/cmd/smslab/trial"
)

func TestTextNamesItsCommand(t *testing.T) {
	t.Parallel()
	if id := idOf(Text("Call #1 now", "c-7")); id != "c-7" {
		t.Error(id)
	}
	if id := idOf("a text of somebody else"); id != "" {
		t.Error(id)
	}
}

func TestResultIsReadAsTheCheckerNeedsIt(t *testing.T) {
	t.Parallel()
	topics := Topics{"x."}
	value := `{"event_id":"e","command_id":"c","revision":0,"status":"duplicate","reason":"repeated_id","command":{"topic":"x.commands","partition":3,"offset":9},
		"duplicate_of":{"topic":"x.commands","partition":3,"offset":7,"status":null},
		"submissions":[{"status":"accepted","provider_message_id":"s","accepted":1,"attempts":2,"possible_duplicate":true}]}`
	o := topics.read(&kgo.Record{Topic: "x.results", Partition: 3, Offset: 5, Value: []byte(value)})
	r := o.result([]byte(value))
	first := trial.Position{Partition: 3, Offset: 7}
	if o.Topic != "results" || r.Command != (trial.Position{Partition: 3, Offset: 9}) || r.Row != (trial.Position{Partition: 3, Offset: 5}) ||
		*r.DuplicateOf != first || r.FirstStatus != "" || r.Parts[0] != (trial.Part{Status: "accepted", SendID: "s", Accepted: 1, Attempts: 2, PossibleDuplicate: true}) {
		t.Errorf("%+v", r)
	}
	broken := topics.read(&kgo.Record{Topic: "x.results", Value: []byte("not JSON")})
	if at := broken.result(nil).Command; at.Partition != -1 {
		t.Errorf("an unreadable result counts as one of %v", at)
	}
}

func TestFencedPositionIsReadFromTheCommit(t *testing.T) {
	t.Parallel()
	if n := fenced(`{"v":1,"owner":3,"base":2,"fenced":7,"replay":1}`); n != 7 {
		t.Error(n)
	}
	if n := fenced("of somebody else"); n != 0 {
		t.Error(n)
	}
}

func TestProvidersSideIsWrittenIntoTheHistory(t *testing.T) {
	t.Parallel()
	pushes := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer pushes.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	played, err := simulator.Start(simulator.Config{Listener: listener, Push: pushes.URL, Reports: simulator.Reports{Share: 1, Group: 2}})
	if err != nil {
		t.Fatal(err)
	}
	defer played.Close()
	for _, body := range []string{"type=pt&mobile=13800000001,13800000002&content=" + strings.ReplaceAll(Text("Hi", "c-1"), "#", "%23"), "type=balance"} {
		resp, err := http.Post(played.URL(), "application/x-www-form-urlencoded", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	p := &Provider{base: strings.TrimSuffix(played.URL(), "/sms")}
	if err := p.Say(t.Context(), simulator.Message{Mobile: "13900000001", Content: "a#@#b", ExtNo: "008"}); err != nil {
		t.Fatal(err)
	}
	if err := p.Quiet(t.Context(), 10*time.Second); err != nil {
		t.Fatal(err)
	}
	var h trial.History
	if err := p.witness(t.Context(), &h); err != nil {
		t.Fatal(err)
	}
	if len(h.Submissions) != 1 || h.Submissions[0].ID != "c-1" || h.Submissions[0].Count != 2 || h.Submissions[0].Code != "0" || len(h.Probes) != 1 {
		t.Errorf("%+v", h)
	}
	if len(h.ReportPush) != 2 || h.ReportPush[1].Number != "13800000002" || h.ReportPush[1].Status != 200 ||
		len(h.InboundPush) != 1 || h.InboundPush[0].Text != "a#@#b" {
		t.Errorf("%+v", h)
	}
}

func TestBalancerPassesByADeadBackend(t *testing.T) {
	t.Parallel()
	dead, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	alive := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "alive") }))
	defer alive.Close()
	b, err := balance(t.Context(), []string{dead, strings.TrimPrefix(alive.URL, "http://")})
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for range 4 {
		resp, err := client.Get("http://" + b.addr())
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := io.ReadAll(resp.Body); string(body) != "alive" {
			t.Errorf("%q", body)
		}
		resp.Body.Close()
	}
}

func TestProcessThatEndsUnaskedIsToldWithItsLastLine(t *testing.T) {
	t.Parallel()
	p, err := Run(Program{Name: "child", Path: "/bin/sh", Args: []string{"-c", "echo first; echo last words; exit 3"}, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if err := p.Unasked(); err == nil || !strings.Contains(err.Error(), "exit status 3: last words") {
		t.Error(err)
	}
}

func TestServerThatDoesNotListenIsAnError(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, _, err := Serve(ctx, Program{Name: "child", Path: "/bin/sh", Args: []string{"-c", "echo no port left >&2; exit 1"}, Dir: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "no port left") {
		t.Error(err)
	}
}

func TestPrivateLinesAreFoundInTheConnectorsLogsAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"connector-1.log": "fine\nto 13800001234\nfine\n" + AccountPassword + "\n", "connector-2.log": "fine 1380000123\n", "provider.log": "13800001234\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	leaks, err := findLeaks(dir)
	if err != nil || len(leaks) != 2 || leaks[0] != (trial.Leak{File: "connector-1.log", Line: 2}) || leaks[1].Line != 4 {
		t.Errorf("%v, %v", leaks, err)
	}
}
