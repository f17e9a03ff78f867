package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"smsbridge/connector/trail"
)

// audited runs smsbridge audit -json.
func audited(t *testing.T, broker string, want int, args ...string) (a trail.Audit) {
	t.Helper()
	p := start(t, append([]string{"audit", "-json"}, args...), "SMSBRIDGE_KAFKA_BROKERS="+broker)
	if code := p.exit(); code != want {
		t.Errorf("exit code %d, want %d", code, want)
	}
	if err := json.NewDecoder(&p.out.text).Decode(&a); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAuditBelievesTheHighestRevision(t *testing.T) {
	t.Parallel()
	broker := carried(t)
	client := newClient(t, broker, kgo.ConsumeTopics("sms.results"))
	for seen := false; !seen; {
		client.PollFetches(t.Context()).EachRecord(func(first *kgo.Record) {
			if !bytes.Contains(first.Value, []byte(`"command_id":"c2"`)) {
				return
			}
			seen = true
			second := *first
			second.Value = bytes.Replace(first.Value, []byte(`"revision":1,"status":"accepted"`), []byte(`"revision":2,"status":"rejected"`), 1)
			if err := client.ProduceSync(t.Context(), &second, first).FirstErr(); err != nil { // the first once more, as after a crash
				t.Fatal(err)
			}
		})
	}
	if a := audited(t, broker, exitStopped); a.Statuses["rejected"] != 1 || a.Statuses["accepted"] != 1 {
		t.Errorf("got %+v", a)
	}
}

func TestAuditCountsWhatBecameOfCommandsAndFailsOnABrokenPromise(t *testing.T) {
	t.Parallel()
	broker := carried(t)
	a := audited(t, broker, exitStopped)
	want := map[string]int{"accepted": 2, "partially_accepted": 1, "duplicate": 1, "invalid": 1}
	if a.Commands != 5 || !maps.Equal(a.Statuses, want) || a.Waiting != 0 || a.Billable != 3 || a.Reasons["duplicate repeated_id"] != 1 {
		t.Errorf("got %+v", a)
	}

	// Nobody runs, so this one waits.
	client := newClient(t, broker)
	added, err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "sms.commands", Value: []byte(`{}`)}).First()
	if err != nil {
		t.Fatal(err)
	}
	if a := audited(t, broker, exitStopped); a.Commands != 6 || a.Waiting != 1 {
		t.Errorf("got %+v", a)
	}

	// Somebody commits past it: no connector will ever look at it.
	offsets := kadm.Offsets{}
	offsets.AddOffset(added.Topic, added.Partition, added.Offset+1, -1)
	if err := kadm.NewClient(client).CommitAllOffsets(t.Context(), "smsbridge", offsets); err != nil {
		t.Fatal(err)
	}
	a = audited(t, broker, exitFailed)
	if a.Missing.Count != 1 || len(a.Missing.First) != 1 || a.Twice.Count != 0 {
		t.Errorf("got %+v", a)
	}
	before := added.Timestamp.Add(-time.Millisecond).UTC().Format(time.RFC3339Nano)
	if a := audited(t, broker, exitStopped, "-until", before); a.Commands != 5 {
		t.Errorf("got %+v", a)
	}
	p := start(t, []string{"audit", "now"})
	if code := p.exit(); code != exitUsage {
		t.Errorf("exit code %d", code)
	}
}
