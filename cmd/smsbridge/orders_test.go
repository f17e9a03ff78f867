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
		"only who":                {"cancel", "-by", "ann", "-yes"},
		"number as reason":        {"pause", "-reason", "13800000000 asked for it"},
		"two lines":               {"resume", "-by", "ann\nbob"},
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
	order := func(args ...string) string {
		t.Helper()
		p := start(t, args, kafka)
		if p.exit() != exitStopped {
			t.Fatalf("%v failed", args)
		}
		return p.out.String()
	}
	order("pause", "-class", "marketing", "-by", "ann", "-reason", "wrong price")
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
		body := p.admin("/api/status", 200)
		for _, want := range []string{`"class": "marketing"`, `"by": "ann"`, `"reason": "wrong price"`} {
			if !strings.Contains(body, want) {
				return fmt.Errorf("status %s", body)
			}
		}
		return nil
	})
	p.signal(syscall.SIGTERM)
	if code := p.exit(); code != exitStopped {
		t.Fatalf("exit code %d", code)
	}

	if stands := p.logged("an operator's order stands"); stands["by"] != "ann" || strings.Contains(p.out.String(), "order was taken") {
		t.Errorf("an order of before the start is told as %v", stands)
	}

	for args, want := range map[string]string{
		"-metadata campaign=spring":   "1 commands\n  marketing    1\n  the oldest of ",
		"-class marketing":            "2 commands\n  marketing    2\n",
		"-class otp":                  "0 commands\n", // it has its result
		"-before 1h -class marketing": "0 commands\n",
	} {
		told := order(append([]string{"cancel"}, strings.Fields(args)...)...)
		if !strings.Contains(told, want) || !strings.Contains(told, "nothing was ordered") {
			t.Errorf("cancel %s: %q", args, told)
		}
	}
	if n := count(t, broker, "sms.bridge.control"); n != 1 {
		t.Fatalf("%d orders after dry runs", n)
	}
	order("cancel", "-metadata", "campaign=spring", "-yes")
	p = start(t, []string{"run"}, kafka, "SMSBRIDGE_PROVIDER_URL="+provider.URL)
	results(p, map[string]string{"code": "accepted", "spring": "cancelled"})
	order("resume", "-by", "bob", "-reason", "price is right")
	results(p, map[string]string{"code": "accepted", "spring": "cancelled", "autumn": "accepted"})
	if taken := p.logged("an operator's order was taken"); taken["order"] != "resume" || taken["by"] != "bob" || taken["reason"] != "price is right" {
		t.Errorf("the order is told as %v", taken)
	}
	if n := len(provider.entered); n != 2 {
		t.Errorf("%d submits", n)
	}
}
