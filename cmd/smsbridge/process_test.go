package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// asProgram makes the test binary be smsbridge itself.
const asProgram = "TEST_AS_SMSBRIDGE"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main() // does not return
	}
	os.Exit(m.Run())
}

// patience is for slow machines; nothing takes it where all is well.
const patience = 40 * time.Second

// The secrets of every process here. No output may hold them.
const secret = "canary"

var topics = []string{"sms.commands", "sms.results", "sms.reports", "sms.inbound", "sms.deadletter", "sms.account", "sms.bridge.journal", "sms.bridge.sendids", "sms.bridge.pushes", "sms.bridge.suppressions", "sms.bridge.control"}

// process is a smsbridge of its own.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	out   output
	ended chan struct{}
}

// start runs smsbridge with a right configuration and whatever settings change
// in it.
func start(t *testing.T, args []string, settings ...string) *process {
	t.Helper()
	p := &process{t: t, ended: make(chan struct{})}
	p.cmd = exec.Command(os.Args[0], args...)
	p.cmd.Env = append([]string{
		asProgram + "=1", "PATH=" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir(),
		"SMSBRIDGE_PROVIDER_URL=http://127.0.0.1:1", "SMSBRIDGE_PROVIDER_NAME=" + secret + "-login", "SMSBRIDGE_PROVIDER_PASSWORD=" + secret + "-password",
		"SMSBRIDGE_PUSH_AUTH=static", "SMSBRIDGE_PUSH_NAME=" + secret + "-name", "SMSBRIDGE_PUSH_PASSWORD=" + secret + "-of-pushes",
		"SMSBRIDGE_PUSH_LISTEN=127.0.0.1:0", "SMSBRIDGE_ADMIN_LISTEN=127.0.0.1:0", "SMSBRIDGE_KAFKA_SESSION_TIMEOUT=6s",
		"SMSBRIDGE_KAFKA_BROKERS=127.0.0.1:1", "SMSBRIDGE_PROVIDER_SIGNATURE=Example",
		"SMSBRIDGE_SEND_AT_MAX=1h", "SMSBRIDGE_REPORT_DEADLINE=71h", // which the default retention of topics bears
	}, settings...) // of two that are the same, the last one counts
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
		if strings.Contains(p.out.String(), secret) {
			t.Error("the output holds a secret")
		}
		if t.Failed() {
			t.Logf("output:\n%s", p.out.String())
		}
	})
	return p
}

// exit waits for the end and returns the code; -1: a signal ended it.
func (p *process) exit() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatal("still running")
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// logged waits for a line of the log and returns it.
func (p *process) logged(msg string) (line map[string]any) {
	p.t.Helper()
	p.eventually(func() error {
		for text := range strings.Lines(p.out.String()) {
			line = nil
			if json.Unmarshal([]byte(text), &line) == nil && line["msg"] == msg {
				return nil
			}
		}
		return fmt.Errorf("nothing logged %q", msg)
	})
	return line
}

func (p *process) eventually(ask func() error) {
	p.t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-p.ended:
			p.t.Fatalf("it has ended, and %v", err)
		case <-tick.C:
		}
		if time.Now().After(deadline) {
			p.t.Fatal(err)
		}
	}
}

// admin waits until a path of the admin listener is answered with a status and
// returns the body.
func (p *process) admin(path string, want int) (body string) {
	p.t.Helper()
	address := p.logged("admin listener is open")["address"]
	p.eventually(func() error {
		res, err := http.Get(fmt.Sprintf("http://%s%s", address, path))
		if err != nil {
			return err
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err == nil && res.StatusCode != want {
			err = fmt.Errorf("%s is answered %s: %s", path, res.Status, text)
		}
		body = string(text)
		return err
	})
	return body
}

// push pushes a report and returns the status of the answer.
func (p *process) push() int {
	p.t.Helper()
	address := p.logged("push listener open")["address"]
	res, err := http.PostForm(fmt.Sprintf("http://%s/push/report", address), url.Values{
		"name": {secret + "-name"}, "pwd": {secret + "-of-pushes"}, "sendid": {"20260101000000000000001"},
		"mobile": {"13800000000"}, "state": {"DELIVRD"}, "time": {"2026-01-01 8:00:00"},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode
}

// output is what a process wrote.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// fakeProvider accepts every submit, those of the texts that it holds when it is
// told to go on.
type fakeProvider struct {
	*httptest.Server
	entered chan string   // the text of every submit, as it comes
	goOn    chan struct{} // closed when answers may be given
}

func newProvider(t *testing.T) *fakeProvider {
	t.Helper()
	p := &fakeProvider{entered: make(chan string, 1000), goOn: make(chan struct{})}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("type") == "balance" {
			_, _ = io.WriteString(w, "0,1000")
			return
		}
		p.entered <- r.FormValue("content")
		select {
		case <-p.goOn:
			_, _ = io.WriteString(w, "0,20260101000000000000001,0,1,0,ok")
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(p.Close)
	return p
}

// newBroker starts an embedded broker.
func newBroker(t *testing.T, options ...kfake.Opt) string {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster.ListenAddrs()[0]
}

func newClient(t *testing.T, broker string, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(strings.Split(broker, ",")...)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// produce puts n commands on their topic.
func produce(t *testing.T, broker string, n int) {
	t.Helper()
	client := newClient(t, broker)
	for i := range n {
		r := &kgo.Record{Topic: "sms.commands", Value: fmt.Appendf(nil, `{"id":"c%d","to":"13800000000","text":"text %d"}`, i, i)}
		if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}
