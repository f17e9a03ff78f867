package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestOrdersAreExplainedWhereTheyAreWrong(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"class that is none":      {"pause", "-class", "spam"},
		"something more":          {"resume", "otp"},
		"cancel without anything": {"cancel"},
		"no pair":                 {"cancel", "-metadata", "campaign"},
		"time that is none":       {"cancel", "-before", "yesterday"},
		"time to come":            {"cancel", "-before", "2999-01-01T00:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, args)
			if code := p.exit(); code != exitUsage || !strings.Contains(p.out.String(), "usage: smsbridge "+args[0]) {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

func TestPausedCommandsWaitThroughARestartAndCancelledOnesAreNeverSubmitted(t *testing.T) {
	t.Parallel()
	broker := newBroker(t, kfake.SeedTopics(3, topics...))
	provider := newProvider(t)
	close(provider.goOn)
	kafka := "SMSBRIDGE_KAFKA_BROKERS=" + broker
	order := func(args ...string) {
		t.Helper()
		if p := start(t, args, kafka); p.exit() != exitStopped {
			t.Fatalf("%v failed", args)
		}
	}
	order("pause", "-class", "marketing")
	client := newClient(t, broker)
	for i, value := range []string{
		`{"id":"spring","to":"13800000000","text":"a","class":"marketing","metadata":{"campaign":"spring"}}`,
		`{"id":"autumn","to":"13800000000","text":"b","class":"marketing","metadata":{"campaign":"autumn"}}`,
		`{"id":"code","to":"13800000000","text":"c","class":"otp"}`,
	} {
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "sms.commands", Partition: int32(i), Value: []byte(value)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	results := func(p *process, want map[string]string) {
		t.Helper()
		p.eventually(func() error {
			if n := count(t, broker, "sms.results"); n < len(want) {
				return fmt.Errorf("%d results", n)
			}
			return nil
		})
		for _, r := range records(t, broker, "sms.results") {
			var result struct {
				ID     string `json:"command_id"`
				Status string
			}
			if err := json.Unmarshal(r.Value, &result); err != nil {
				t.Fatal(err)
			}
			if want[result.ID] != result.Status {
				t.Errorf("%s is %s, want %q", result.ID, result.Status, want[result.ID])
			}
		}
	}

	p := start(t, []string{"run"}, kafka, "SMSBRIDGE_PROVIDER_URL="+provider.URL)
	results(p, map[string]string{"code": "accepted"})
	p.eventually(func() error {
		if body := p.admin("/api/status", 200); !strings.Contains(body, `"class": "marketing"`) {
			return fmt.Errorf("status %s", body)
		}
		return nil
	})
	p.signal(syscall.SIGTERM)
	if code := p.exit(); code != exitStopped {
		t.Fatalf("exit code %d", code)
	}

	order("cancel", "-metadata", "campaign=spring")
	p = start(t, []string{"run"}, kafka, "SMSBRIDGE_PROVIDER_URL="+provider.URL)
	results(p, map[string]string{"code": "accepted", "spring": "cancelled"})
	order("resume")
	results(p, map[string]string{"code": "accepted", "spring": "cancelled", "autumn": "accepted"})
	if n := len(provider.entered); n != 2 {
		t.Errorf("%d submits", n)
	}
}
