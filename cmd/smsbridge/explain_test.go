package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"smsbridge/connector/trail"
)

// carried is a broker on which a connector carried commands and has stopped:
// "c0" to "c2", of two of which one was reported, a repeat of "c0", and one that
// cannot be used.
func carried(t *testing.T) (broker string) {
	t.Helper()
	broker = newBroker(t, kfake.SeedTopics(3, topics...))
	provider := newProvider(t)
	close(provider.goOn)
	client := newClient(t, broker)
	for i, value := range []string{
		`{"id":"c0","to":"13800000000","text":"hush 0","metadata":{"order":"7"}}`,
		`{"id":"c1","to":["+86 138 0000 0001","13800000002"],"text":"hush 1","class":"otp"}`,
		`{"id":"c2","to":"13800000003","text":"hush 2"}`,
		`{"id":"c0","to":"13800000000","text":"hush 0","metadata":{"order":"7"}}`,
		`{"id":"c3","text":"hush 3"}`,
	} {
		r := &kgo.Record{Topic: "sms.commands", Key: fmt.Appendf(nil, "k%d", i%3), Value: []byte(value)}
		if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	p := start(t, []string{"run"}, "SMSBRIDGE_KAFKA_BROKERS="+broker, "SMSBRIDGE_PROVIDER_URL="+provider.URL)
	p.eventually(func() error {
		if n := count(t, broker, "sms.results"); n < 5 {
			return fmt.Errorf("%d results", n)
		}
		return nil
	})
	p.signal(syscall.SIGTERM)
	if code := p.exit(); code != exitStopped {
		t.Fatalf("exit code %d", code)
	}
	return broker
}

// explained runs smsbridge explain -json and returns what it told.
func explained(t *testing.T, broker string, args ...string) (events []trail.Event) {
	t.Helper()
	p := start(t, append([]string{"explain", "-json"}, args...), "SMSBRIDGE_KAFKA_BROKERS="+broker)
	if code := p.exit(); code != exitStopped {
		t.Fatalf("%v: exit code %d", args, code)
	}
	for line := range strings.Lines(p.out.String()) {
		var e trail.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

func kinds(events []trail.Event) string {
	var list []string
	for _, e := range events {
		list = append(list, e.CommandID+" "+string(e.Kind))
	}
	return strings.Join(list, ", ")
}

func TestExplainTellsTheWholeStoryInOrder(t *testing.T) {
	t.Parallel()
	broker := carried(t)
	// Produced, hence written, in the order of the commands; submits go beside
	// each other.
	const told = "c0 command, c0 command, c0 intent, c0 final, c0 result, c0 final, c0 result"
	sums := func(s string) string {
		return fmt.Sprint(len(strings.Split(s, ", ")), strings.Count(s, "final"), strings.Count(s, "result"))
	}
	for name, args := range map[string][]string{
		"id":                 {"c0"},
		"id, and key":        {"c0", "-key", "k0"},
		"number":             {"-to", "+86 138-0000-0000"},
		"metadata":           {"-metadata", "order=7"},
		"times, words first": {"c0", "-since", time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), "-until", "0s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			events := explained(t, broker, args...)
			now := events[len(events)-1]
			events = events[:len(events)-1]
			if now.Kind != trail.NowEvent || now.Facts["state"] != "done" || !strings.HasPrefix(now.Facts["text"], "done: accepted at ") {
				t.Errorf("it ends with %v", now)
			}
			got := kinds(events)
			if sums(got) != sums(told) || !strings.HasPrefix(got, "c0 command, c0 command, c0 intent") {
				t.Errorf("got %s", got)
			}
			for i := range events[1:] {
				if events[i+1].At.Before(events[i].At) {
					t.Error("not in order of time")
				}
			}
			last := events[len(events)-1].Facts
			if last["status"] != "accepted" && last["status"] != "duplicate" {
				t.Errorf("last %v", last)
			}
		})
	}
	if got := explained(t, broker, "c3"); !strings.Contains(kinds(got), "c3 dead_letter") {
		t.Error(kinds(got))
	}
	for _, args := range [][]string{{"c9"}, {"c0", "-since", "2001-01-01", "-until", "2002-01-01"}} {
		p := start(t, append([]string{"explain"}, args...), "SMSBRIDGE_KAFKA_BROKERS="+broker)
		if code := p.exit(); code != exitFailed || !strings.Contains(p.out.String(), "nothing was found") {
			t.Errorf("%v: exit code %d", args, code)
		}
	}
}

func TestExplainShowsNumbersAndTextsOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	broker := carried(t)
	for name, c := range map[string]struct {
		args []string
		show bool
	}{
		"people":          {[]string{"c1"}, false},
		"programs":        {[]string{"c1", "-json"}, false},
		"shown":           {[]string{"c1", "-show-numbers"}, true},
		"shown, programs": {[]string{"c1", "-show-numbers", "-json"}, true},
	} {
		p := start(t, append([]string{"explain"}, c.args...), "SMSBRIDGE_KAFKA_BROKERS="+broker)
		if code := p.exit(); code != exitStopped {
			t.Errorf("exit code %d", code)
		}
		out := p.out.String()
		if strings.Contains(out, "13800000001") != c.show || strings.Contains(out, "hush") != c.show || !strings.Contains(out, "otp") {
			t.Errorf("%s: %s", name, out)
		}
	}
}

func TestExplainAsksForWhatItNeeds(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"a", "b"}, {"-metadata", "x"}, {"a", "-since", "yesterday"}, {"-x"}} {
		p := start(t, append([]string{"explain"}, args...))
		if code := p.exit(); code != exitUsage || !strings.Contains(p.out.String(), "usage: smsbridge explain") {
			t.Errorf("%v: exit code %d", args, code)
		}
	}
}
