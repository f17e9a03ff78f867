package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
)

func TestARedriveIsCountedThenSentAndNeverTwice(t *testing.T) {
	t.Parallel()
	broker := newBroker(t, kfake.SeedTopics(3, topics...))
	var willing atomic.Bool
	var accepted atomic.Int32
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.FormValue("type") == "balance":
			_, _ = io.WriteString(w, "0,1000")
		case willing.Load():
			_, _ = fmt.Fprintf(w, "0,2026010100000000000%04d,0,1,0,ok", accepted.Add(1))
		default:
			_, _ = io.WriteString(w, "1,sensitive")
		}
	}))
	t.Cleanup(provider.Close)
	carry := func(results int) {
		t.Helper()
		p := start(t, []string{"run"}, "SMSBRIDGE_KAFKA_BROKERS="+broker, "SMSBRIDGE_PROVIDER_URL="+provider.URL)
		p.eventually(func() error {
			if n := count(t, broker, "sms.results"); n < results {
				return fmt.Errorf("%d results", n)
			}
			return nil
		})
		p.signal(syscall.SIGTERM)
		if code := p.exit(); code != exitStopped {
			t.Fatalf("exit code %d", code)
		}
	}
	redrive := func(want int, told string, args ...string) {
		t.Helper()
		p := start(t, append([]string{"redrive", "-status", "rejected,failed"}, args...), "SMSBRIDGE_KAFKA_BROKERS="+broker)
		if code := p.exit(); code != want || !strings.Contains(p.out.String(), told) {
			t.Errorf("exit code %d, want %d and %q", code, want, told)
		}
	}
	const commands = 5
	produce(t, broker, commands)
	carry(commands)

	redrive(exitStopped, "to be sent again: 5 commands, 5 recipients, 5 segments\n  rejected content_rejected")
	if n := count(t, broker, "sms.commands"); n != commands {
		t.Fatalf("%d commands after a dry run", n)
	}
	redrive(exitStopped, "to be sent again: 1 commands", "-id", "c3", "-reason", "content_rejected")
	redrive(exitStopped, "Nothing to send again", "-reason", "timeout")
	redrive(exitStopped, "5 of 5 commands are on their topic again", "-yes", "-valid-for", "1h")
	redrive(exitStopped, "5 of 5 commands are on their topic again", "-yes", "-valid-for", "1h") // nobody carried the first run yet

	willing.Store(true)
	carry(3 * commands)
	if n := accepted.Load(); n != commands {
		t.Errorf("%d texts were sent, want %d", n, commands)
	}
	redrive(exitStopped, "left as they are: 5, was accepted", "-yes")
}

func TestARedriveOfWhatWasAcceptedIsAnErrorOfUsage(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"no status":               {},
		"accepted":                {"-status", "accepted"},
		"accepted, unknown taken": {"-status", "partially_accepted", "-include-unknown"},
		"unknown":                 {"-status", "failed,unknown"},
		"no rate":                 {"-status", "failed", "-rate", "0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, append([]string{"redrive"}, args...))
			if code := p.exit(); code != exitUsage || !strings.Contains(p.out.String(), "usage: smsbridge redrive") {
				t.Errorf("exit code %d", code)
			}
		})
	}
}
