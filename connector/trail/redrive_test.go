package trail

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"smsbridge/codec"
	"smsbridge/codec/sms"
	"smsbridge/connector/kafkaio"
)

var testTopics = Topics{Commands: "t.commands", Results: "t.results", Reports: "t.reports", DeadLetter: "t.deadletter", Journal: "t.journal"}

// lab is a broker that holds what a test wrote there.
type lab struct {
	t      *testing.T
	client *kgo.Client
	reader Reader
}

func newLab(t *testing.T) *lab {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, testTopics.Commands, testTopics.Results))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	l := &lab{t: t}
	if l.client, err = kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.client.Close)
	kafka, err := kafkaio.Open(kafkaio.Config{Brokers: cluster.ListenAddrs()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kafka.Close() })
	l.reader = Reader{Kafka: kafka}
	return l
}

func (l *lab) produceAt(topic string, value []byte, at time.Time) *kgo.Record {
	l.t.Helper()
	r, err := l.client.ProduceSync(l.t.Context(), &kgo.Record{Topic: topic, Partition: 1, Key: []byte("k"), Value: value, Timestamp: at}).First()
	if err != nil {
		l.t.Fatal(err)
	}
	return r
}

// command writes a command, and gives results of it to be written.
func (l *lab) command(id, more string) sms.Result {
	l.t.Helper()
	value := fmt.Appendf(nil, `{"id":%q,"to":["13800000001","13800000002"],"text":"hush"%s}`, id, more)
	r := l.produceAt(testTopics.Commands, value, time.Now())
	return sms.Result{
		CommandID: id, Revision: 1, CommandedAt: r.Timestamp, At: time.Now(), Account: "default",
		Command: sms.Position{Topic: r.Topic, Partition: int(r.Partition), Offset: r.Offset},
	}
}

func (l *lab) result(r sms.Result, revision int, status sms.Status, reason sms.Reason) {
	l.t.Helper()
	r.Revision, r.Status, r.Reason = revision, status, reason
	l.produceAt(testTopics.Results, codec.EncodeResult(r).Body, r.At)
}

// redrive returns the ids under which commands would be sent again.
func (l *lab) redrive(s Selection, n Renewal) (again []Again, left Left) {
	l.t.Helper()
	s.Span.Since = time.Now().Add(-time.Hour)
	chosen, left, err := Choose(l.t.Context(), l.reader, testTopics, s)
	if err != nil {
		l.t.Fatal(err)
	}
	gone, err := Fetch(l.t.Context(), l.reader, chosen, n, func(a Again) error {
		again = append(again, a)
		return nil
	})
	if err != nil {
		l.t.Fatal(err)
	}
	maps.Copy(left, gone)
	return again, left
}

func TestOnlyWhatWasCertainlyNotAcceptedIsChosen(t *testing.T) {
	t.Parallel()
	failed := Selection{Statuses: []sms.Status{sms.Failed, sms.Unknown}}
	withUnknown := failed
	withUnknown.IncludeUnknown = true
	for name, c := range map[string]struct {
		selection Selection
		write     func(*lab)
		again     string // ids, in order
		left      string
	}{
		"failed": {failed, func(l *lab) {
			r := l.command("a", "")
			l.result(r, 1, sms.Failed, sms.NetworkError)
		}, "a.redrive-1", ""},
		"in their order": {failed, func(l *lab) {
			b, a := l.command("b", ""), l.command("a", "")
			l.result(a, 1, sms.Failed, "")
			l.result(b, 1, sms.Failed, "")
		}, "b.redrive-1 a.redrive-1", ""},
		"of another status": {failed, func(l *lab) { l.result(l.command("a", ""), 1, sms.Expired, "") }, "", ""},
		"of another reason": {
			Selection{Statuses: failed.Statuses, Reasons: []sms.Reason{sms.Timeout}},
			func(l *lab) { l.result(l.command("a", ""), 1, sms.Failed, sms.NetworkError) },
			"", "",
		},
		"of another id": {
			Selection{Statuses: failed.Statuses, IDs: []string{"b"}},
			func(l *lab) {
				l.result(l.command("a", ""), 1, sms.Failed, "")
				l.result(l.command("b", ""), 1, sms.Failed, "")
			}, "b.redrive-1", "",
		},
		"unknown":            {failed, func(l *lab) { l.result(l.command("a", ""), 1, sms.Unknown, "") }, "", LeftUnknown},
		"unknown, wanted":    {withUnknown, func(l *lab) { l.result(l.command("a", ""), 1, sms.Unknown, "") }, "a.redrive-1", ""},
		"accepted after all": {withUnknown, revised(sms.Accepted), "", LeftAccepted},
		"rejected after all": {withUnknown, revised(sms.Rejected), "", LeftLater},
		"an older row later": {failed, func(l *lab) {
			r := l.command("a", "")
			l.result(r, 2, sms.Expired, "")
			l.result(r, 1, sms.Failed, "")
		}, "", LeftLater},
		"accepted under the same id": {failed, func(l *lab) {
			l.result(l.command("a", ""), 1, sms.Failed, "")
			l.result(l.command("a", ""), 1, sms.Accepted, "")
		}, "", LeftAccepted},
		"accepted in part": {withUnknown, func(l *lab) {
			r := l.command("a", "")
			r.Accepted = 1
			l.result(r, 1, sms.Unknown, "")
		}, "", LeftAccepted},
		"a repeat is no round": {failed, func(l *lab) {
			l.result(l.command("a", ""), 1, sms.Failed, "")
			l.result(l.command("a", ""), 0, sms.Duplicate, sms.RepeatedID)
		}, "a.redrive-1", ""},
		"a second round": {failed, func(l *lab) {
			l.result(l.command("a", ""), 1, sms.Failed, "")
			l.result(l.command("a.redrive-1", ""), 1, sms.Failed, "")
		}, "a.redrive-2", ""},
		"a second round was accepted": {failed, func(l *lab) {
			l.result(l.command("a", ""), 1, sms.Failed, "")
			l.result(l.command("a.redrive-1", ""), 1, sms.Accepted, "")
		}, "", LeftAccepted},
		"a first round of long ago may have been accepted": {failed, func(l *lab) {
			r := l.command("a", "")
			r.At = time.Now().Add(-24 * time.Hour)
			l.result(r, 1, sms.Unknown, "")
			l.result(l.command("a.redrive-1", ""), 1, sms.Failed, "")
		}, "", LeftUnknown},
		"a second round waits": {failed, func(l *lab) {
			l.result(l.command("a", ""), 1, sms.Failed, "")
			l.command("a.redrive-1", "")
		}, "a.redrive-1", ""}, // and is answered duplicate
		"expired since": {failed, func(l *lab) { l.result(l.command("a", `,"expires_at":"2026-01-02T03:04:05Z"`), 1, sms.Failed, "") }, "", LeftExpired},
		"its record is gone": {failed, func(l *lab) {
			r := l.command("a", "")
			r.Command.Offset += 7
			l.result(r, 1, sms.Failed, "")
		}, "", LeftGone},
		"another record stands there": {failed, func(l *lab) {
			r := l.command("a", "")
			r.CommandID = "b"
			l.result(r, 1, sms.Failed, "")
		}, "", LeftOther},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			c.write(l)
			again, left := l.redrive(c.selection, Renewal{})
			var ids []string
			for _, a := range again {
				ids = append(ids, a.NewID)
			}
			if strings.Join(ids, " ") != c.again || c.left == "" && len(left) > 0 || c.left != "" && left[c.left] != 1 {
				t.Errorf("got %q, left %v; want %q, %q", ids, left, c.again, c.left)
			}
		})
	}
}

// revised is a command that was unknown at first.
func revised(status sms.Status) func(*lab) {
	return func(l *lab) {
		r := l.command("a", "")
		l.result(r, 1, sms.Unknown, sms.Timeout)
		l.result(r, 2, status, "")
	}
}

func TestARecordIsSentAgainAsItWasButForIdAndValidity(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.result(l.command("a", `,"expires_at":"2026-01-02T03:04:05Z","more":{"x":[1,2.50]}`), 1, sms.Failed, "")
	again, _ := l.redrive(Selection{Statuses: []sms.Status{sms.Failed}}, Renewal{ValidFor: time.Hour, Signature: "Test"})
	if len(again) != 1 {
		t.Fatal("not chosen")
	}
	m := again[0].Message
	if m.Topic != testTopics.Commands || m.Partition != 1 || string(m.Key) != "k" || again[0].Recipients != 2 || again[0].Segments != 2 {
		t.Errorf("got %+v", again[0])
	}
	var value struct {
		ID, Text  string
		To        []string
		ExpiresAt time.Time `json:"expires_at"`
		More      json.RawMessage
	}
	if err := json.Unmarshal(m.Value, &value); err != nil {
		t.Fatal(err)
	}
	if value.ID != "a.redrive-1" || value.Text != "hush" || len(value.To) != 2 || string(value.More) != `{"x":[1,2.50]}` || time.Until(value.ExpiresAt).Round(time.Minute) != time.Hour {
		t.Errorf("got %s", m.Value)
	}
}

func TestRoundsOfAnIdShareItsStemAndFitTheLimit(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 64)
	for _, id := range []string{"a", "a.redrive-x", "a.redrive-0", "a.redrive-01", ".redrive-1", "t.commands:3:17", long, long[:51], long[:53]} {
		stem, round := roundOf(id)
		if round != 0 {
			t.Errorf("%q: round %d", id, round)
		}
		for want := range mostRound {
			id = nextRound(stem, want)
			again, got := roundOf(id)
			if again != stem || got != want+1 || len(id) > codec.MaxID {
				t.Fatalf("%q: stem %q, round %d; want %q, %d", id, again, got, stem, want+1)
			}
		}
	}
	if a, _ := roundOf(long); a == stemOf(long[:63]+"y") {
		t.Error("two long ids share a stem")
	}
}

func stemOf(id string) string {
	stem, _ := roundOf(id)
	return stem
}
