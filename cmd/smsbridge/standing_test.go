package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// now runs smsbridge explain and returns its last line, behind the time.
func now(t *testing.T, broker string, args ...string) string {
	t.Helper()
	p := start(t, append([]string{"explain"}, args...), "SMSBRIDGE_KAFKA_BROKERS="+broker)
	if code := p.exit(); code != exitStopped {
		t.Fatalf("%v: exit code %d", args, code)
	}
	lines := strings.Split(strings.TrimSpace(p.out.String()), "\n")
	_, text, _ := strings.Cut(lines[len(lines)-1], "  now  ")
	return strings.TrimSpace(text)
}

func TestExplainEndsWithHowThingsStandNow(t *testing.T) {
	t.Parallel()
	broker := newBroker(t, kfake.SeedTopics(3, topics...))
	kafka := "SMSBRIDGE_KAFKA_BROKERS=" + broker
	provider := newProvider(t)
	close(provider.goOn)
	client := newClient(t, broker)
	for i, value := range []string{
		`{"id":"news","to":"13800000000","text":"a","class":"marketing"}`,
		`{"id":"more","to":"13800000000","text":"b","class":"marketing"}`,
		`{"id":"code","to":"13800000001","text":"c","class":"otp"}`,
		`{"id":"none","text":"d"}`,
	} {
		r := &kgo.Record{Topic: "sms.commands", Partition: int32(max(0, i-1)), Value: []byte(value)}
		if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	if got := now(t, broker, "news"); !strings.HasPrefix(got, "waiting since ") || !strings.Contains(got, "no instance of group smsbridge runs") {
		t.Errorf("without an instance: %q", got)
	}
	if code := start(t, []string{"pause", "-class", "marketing", "-by", "ann", "-reason", "wrong price"}, kafka).exit(); code != exitStopped {
		t.Fatalf("exit code %d", code)
	}
	p := start(t, []string{"run"}, kafka, "SMSBRIDGE_PROVIDER_URL="+provider.URL)
	p.eventually(func() error {
		if n := count(t, broker, "sms.results"); n < 2 {
			return fmt.Errorf("%d results", n)
		}
		return nil
	})
	for id, want := range map[string][]string{
		"news": {"waiting since ", "marketing is paused since ", " by ann: wrong price; it goes on by: smsbridge resume -class marketing"},
		"more": {"waiting since ", "up to 1 records before it"},
		"code": {"done: accepted at ", "recipients: 1 without a final report so far"},
		"none": {"done: invalid (validation_failed) at "},
	} {
		got := now(t, broker, id)
		for _, part := range want {
			if !strings.Contains(got, part) {
				t.Errorf("%s: %q is not in %q", id, part, got)
			}
		}
	}
	if got := now(t, broker, "-to", "13800000000"); !strings.Contains(got, "2 commands: 2 waiting") {
		t.Errorf("several: %q", got)
	}
	order := start(t, []string{"explain", "news"}, kafka)
	if order.exit(); !strings.Contains(order.out.String(), "by=ann class=marketing order=pause reason='wrong price'") {
		t.Error("the order is not among the events")
	}

	if code := start(t, []string{"cancel", "-id", "news", "-yes"}, kafka).exit(); code != exitStopped {
		t.Fatalf("exit code %d", code)
	}
	p.eventually(func() error {
		if got := now(t, broker, "news"); !strings.HasPrefix(got, "done: cancelled (cancelled) at ") {
			return fmt.Errorf("cancelled: %q", got)
		}
		return nil
	})
	p.signal(syscall.SIGTERM)
	p.exit()
}

func TestExplainSaysWhereTheOutcomeIsInDoubtAndWhatTheLineIsHeldFor(t *testing.T) {
	t.Parallel()
	broker := newBroker(t, kfake.SeedTopics(3, topics...))
	kafka := "SMSBRIDGE_KAFKA_BROKERS=" + broker
	provider := newProvider(t) // takes the text and never answers
	produce(t, broker, 1)
	p := start(t, []string{"run"}, kafka, "SMSBRIDGE_PROVIDER_URL="+provider.URL, "SMSBRIDGE_PROVIDER_TIMEOUT=1s")
	p.eventually(func() error {
		if n := count(t, broker, "sms.results"); n < 1 {
			return fmt.Errorf("%d results", n)
		}
		return nil
	})
	if got := now(t, broker, "c0"); !strings.HasPrefix(got, "in doubt: unknown (timeout) at ") {
		t.Errorf("got %q", got)
	}
	p.signal(syscall.SIGTERM)
	p.exit()

	refusing := answering(t, "11,suspended", 0)
	client := newClient(t, broker)
	if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "sms.commands", Value: []byte(`{"id":"held","to":"13800000000","text":"x"}`)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	p = start(t, []string{"run"}, kafka, refusing)
	p.logged("line held")
	p.eventually(func() error {
		got := now(t, broker, "held")
		if !strings.HasPrefix(got, "waiting since ") || !strings.Contains(got, "the line is held since ") || !strings.Contains(got, ": account_") {
			return fmt.Errorf("got %q", got)
		}
		return nil
	})
}

func TestTheLogNamesWhatTheLineIsHeldFor(t *testing.T) {
	t.Parallel()
	broker := newBroker(t, kfake.SeedTopics(3, topics...))
	notFound := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(notFound.Close)
	produce(t, broker, 1)
	p := start(t, []string{"run"}, "SMSBRIDGE_KAFKA_BROKERS="+broker, "SMSBRIDGE_PROVIDER_URL="+notFound.URL)
	if said, _ := p.logged("line held")["error"].(string); !strings.Contains(said, "HTTP 404") {
		t.Errorf("it says %q", said)
	}
}

func TestExplainShowsControlCharactersAsSuch(t *testing.T) {
	t.Parallel()
	broker := newBroker(t, kfake.SeedTopics(1, topics...))
	client := newClient(t, broker)
	r := &kgo.Record{Topic: "sms.commands", Key: []byte("k\x1b[2K\nanswer=accepted"), Value: []byte(`{"id":"c0","to":"13800000000","text":"x"}`)}
	if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
	p := start(t, []string{"explain", "c0"}, "SMSBRIDGE_KAFKA_BROKERS="+broker)
	if code := p.exit(); code != exitStopped || strings.ContainsRune(p.out.String(), '\x1b') || strings.Contains(p.out.String(), "\nanswer") {
		t.Errorf("exit code %d", code)
	}
}
