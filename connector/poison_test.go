package connector

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"smsbridge/codec"
)

// big writes records of up to 100 MiB where it is told to.
func (l *lab) big() *kgo.Client {
	l.t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(l.brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.ZstdCompression()), kgo.ProducerBatchMaxBytes(90<<20), kgo.MaxBufferedBytes(200<<20), kgo.BrokerMaxWriteBytes(200<<20))
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(c.Close)
	return c
}

// put writes a record into a partition of the command topic.
func (l *lab) put(c *kgo.Client, partition int32, r *kgo.Record) {
	l.t.Helper()
	r.Topic, r.Partition = testTopics.Commands, partition
	if err := c.ProduceSync(l.t.Context(), r).FirstErr(); err != nil {
		l.t.Fatal(err)
	}
}

// limit sets the largest record that a topic takes.
func (l *lab) limit(topic string, bytes int) {
	l.t.Helper()
	value := fmt.Sprint(bytes)
	_, err := l.admin().AlterTopicConfigs(l.t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: &value}}, topic)
	if err != nil {
		l.t.Fatal(err)
	}
}

func TestAHugeKeyIsInvalidUnderItsIDAndHoldsNobody(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"a command":        `{"id":"poison","to":"13800000000","text":"text of poison"}`,
		"nothing readable": "?",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			l.limit(testTopics.Commands, 2<<20)
			c := l.big()
			for i, size := range []int{5000, 1_047_000, 1_048_300} {
				l.put(c, 0, &kgo.Record{Key: bytes.Repeat([]byte{'k', byte('0' + i)}, size/2), Value: []byte(value)})
			}
			for i := range 20 {
				l.put(c, int32(i%partitions), command(fmt.Sprint("other", i), fmt.Sprint("k", i), ""))
			}
			l.start(nil)
			results := l.results(23)
			told := 0
			for id, events := range results {
				if strings.HasPrefix(id, "other") {
					if len(events) != 1 || events[0].Status != "accepted" {
						t.Errorf("%s: %+v", id, events)
					}
					continue
				}
				for _, e := range events {
					told++
					if e.Status != "invalid" {
						t.Errorf("%s: %+v", id, e)
					}
				}
			}
			if told != 3 || l.submits()["text of poison"] > 0 {
				t.Errorf("%d of 3 told; submitted: %v", told, l.submits())
			}
			for _, r := range l.read(testTopics.Results, 23) {
				if len(r.Key) > 100 {
					t.Errorf("a result has a key of %d bytes", len(r.Key))
				}
			}
			for _, r := range l.read(testTopics.DeadLetter, 3) {
				if len(r.Key) != codec.MaxKey || string(r.Value) != value {
					t.Errorf("dead letter: key of %d bytes, value of %d", len(r.Key), len(r.Value))
				}
			}
		})
	}
}

// manyParts is a command whose result has as many submissions as it has recipients,
// where each part holds one.
func manyParts(id string, n int) *kgo.Record {
	to := make([]string, n)
	for i := range to {
		to[i] = fmt.Sprintf(`"138%08d"`, i)
	}
	return &kgo.Record{Key: []byte("many"), Value: fmt.Appendf(nil, `{"id":%q,"text":"text of %s","to":[%s,"1"],"metadata":{"order":"7"}}`, id, id, strings.Join(to, ","))}
}

func TestWhatItsTopicDoesNotTakeWholeIsToldShortened(t *testing.T) {
	t.Parallel()
	for _, topic := range []string{testTopics.Results, testTopics.Journal, testTopics.Sendids} {
		t.Run(topic, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			limit := map[string]int{testTopics.Results: 4000, testTopics.Journal: 4000, testTopics.Sendids: 600}[topic]
			l.limit(topic, limit)
			l.produce(manyParts("many", 20))
			l.orders(0, 20)
			_, stop := l.start(func(c *Config) { c.Submit.MaxRecipients = 1 })
			results := l.results(21)
			if len(results) != 21 || results["many"][0].Status != "partially_accepted" {
				t.Errorf("results of %d commands: %+v", len(results), results["many"])
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
			if sendids := l.read(testTopics.Sendids, 40); len(sendids) < 40 {
				t.Errorf("%d sendids", len(sendids))
			}
			for text, times := range l.submits() {
				if want := map[bool]int{true: 20, false: 1}[strings.HasSuffix(text, "text of many")]; times != want {
					t.Errorf("%q was submitted %d times", text, times)
				}
			}
			for _, r := range l.read(testTopics.Results, 21) {
				var told struct {
					CommandID   string `json:"command_id"`
					Accepted    int
					Submissions []any
					Warnings    []string
				}
				if err := json.Unmarshal(r.Value, &told); err != nil {
					t.Fatal(err)
				}
				short := told.CommandID == "many" && topic != testTopics.Sendids
				if short != (len(told.Warnings) > 0) || told.CommandID == "many" && told.Accepted != 20 {
					t.Errorf("%s", r.Value)
				}
			}
		})
	}
}

func TestADeadLetterThatDoesNotFitIsKeptShortened(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.limit(testTopics.DeadLetter, 1000)
	l.produce(&kgo.Record{Key: []byte("k"), Value: bytes.Repeat([]byte("?"), 5000), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("v")}}})
	l.produce(&kgo.Record{Key: []byte("k"), Value: []byte("short"), Headers: []kgo.RecordHeader{{Key: "h", Value: make([]byte, 5000)}}})
	l.orders(0, 10)
	l.start(nil)
	l.results(12)
	kept := map[string]bool{}
	for _, r := range l.read(testTopics.DeadLetter, 2) {
		kept[string(r.Value)] = true
	}
	if !kept[""] || !kept["short"] {
		t.Errorf("kept %v: without its value where that is too large, else with it", kept)
	}
}
