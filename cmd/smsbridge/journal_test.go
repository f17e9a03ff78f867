package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestJournalOrdersThatSayTooLittleAreUsageErrors(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"nothing":      {},
		"unknown":      {"burn"},
		"no group":     {"adopt"},
		"no partition": {"accept-loss"},
		"not a number": {"accept-loss", "-partition", "x"},
		"too much":     {"status", "now"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, append([]string{"journal"}, args...))
			if code := p.exit(); code != exitUsage || !strings.Contains(p.out.String(), "usage: smsbridge journal") {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

func TestALossIsShownThenAcceptedOnlyWithYes(t *testing.T) {
	t.Parallel()
	broker := newBroker(t, kfake.SeedTopics(2, topics...))
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	unreadable := &kgo.Record{Topic: "sms.bridge.journal", Partition: 1, Value: []byte{1, 200}}
	if err := client.ProduceSync(t.Context(), unreadable).FirstErr(); err != nil {
		t.Fatal(err)
	}
	run := func(want int, args ...string) string {
		t.Helper()
		p := start(t, append([]string{"journal"}, args...), "SMSBRIDGE_KAFKA_BROKERS="+broker)
		if code := p.exit(); code != want {
			t.Errorf("%v: exit code %d, want %d", args, code, want)
		}
		return p.out.String()
	}
	halts := func() (list []string) {
		t.Helper()
		var found []partitionStatus
		if err := json.Unmarshal([]byte(run(exitStopped, "status", "-json")), &found); err != nil || len(found) != 2 {
			t.Fatal(found, err)
		}
		return []string{found[0].Halt, found[1].Halt}
	}
	if h := halts(); h[0] != "" || h[1] != "journal_unreadable" {
		t.Errorf("halts %q", h)
	}
	if told := run(exitStopped, "status"); !strings.Contains(told, "1 of 2 partitions are halted:\nHALTED  partition 1, journal_unreadable") || !strings.HasPrefix(told, "1 of 2") ||
		!strings.Contains(told, "smsbridge journal accept-loss -partition 1") {
		t.Error("status does not tell the halt and its remedy")
	}
	run(exitFailed, "accept-loss", "-partition", "0")
	run(exitFailed, "accept-loss", "-partition", "2")
	if told := run(exitFailed, "accept-loss", "-partition", "1"); !strings.Contains(told, "SENT AGAIN") || !strings.Contains(told, "-yes") {
		t.Error("what it means is not told")
	}
	if h := halts(); h[1] == "" {
		t.Error("the loss was accepted without -yes")
	}
	run(exitStopped, "accept-loss", "-partition", "1", "-yes")
	if h := halts(); h[0] != "" || h[1] != "" {
		t.Errorf("halts %q after the loss was accepted", h)
	}
	if told := run(exitStopped, "status"); !strings.HasPrefix(told, "No partition is halted, of 2.\n") {
		t.Errorf("status begins %q", told)
	}
	if told := run(exitFailed, "adopt", "-from", "elsewhere"); !strings.Contains(told, "no offsets") {
		t.Error("a group that does not exist was adopted")
	}
}

func TestCheckTellsAJournalThatForgetsTooSoon(t *testing.T) {
	t.Parallel()
	broker := newBroker(t, kfake.SeedTopics(2, topics...))
	client, err := kgo.NewClient(kgo.SeedBrokers(broker))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	short := "60000"
	if _, err := kadm.NewClient(client).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "retention.ms", Value: &short}}, "sms.bridge.journal"); err != nil {
		t.Fatal(err)
	}
	lines := failed(t, "SMSBRIDGE_KAFKA_BROKERS="+broker)
	if len(lines) != 1 || !strings.Contains(lines[0], "--topic sms.bridge.journal --add-config retention.ms=345600000") {
		t.Errorf("got %q", lines)
	}
}
