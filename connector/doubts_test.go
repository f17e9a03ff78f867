package connector

import (
	"context"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"smsbridge/codec"
	"smsbridge/codec/wire"
	"smsbridge/connector/correlate"
	"smsbridge/connector/kafkaio"
)

const testDoubts = "t.doubts"

// events reads what stands on a topic of the theatre.
func (th *theatre) events(topic string) (all []event) {
	th.t.Helper()
	reader, err := kgo.NewClient(kgo.SeedBrokers(th.cluster.ListenAddrs()...), kgo.Dialer(th.network.DialContext),
		kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		th.t.Fatal(err)
	}
	defer reader.Close()
	for {
		ctx, cancel := context.WithTimeout(th.t.Context(), 10*time.Second)
		records := reader.PollFetches(ctx).Records()
		cancel()
		if len(records) == 0 {
			return all
		}
		for _, r := range records {
			all = append(all, decodeEvent(th.t, r))
		}
	}
}

// sendidOf is a sendid that the provider would give now.
func sendidOf(now time.Time) string {
	now = now.In(time.FixedZone("CST", 8*3600))
	return strings.Replace(now.Format("20060102150405.000"), ".", "", 1) + "000001"
}

func TestAReportRevisesTheUnknownThatAloneItCanBeAbout(t *testing.T) {
	for name, exclusive := range map[string]bool{"nobody else submits": true, "others may submit": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { explain(t, exclusive) })
		})
	}
}

func explain(t *testing.T, exclusive bool) {
	t.Helper()
	th := &theatre{t: t, rng: rand.New(rand.NewPCG(1, 1)), actors: map[string]*actor{}, struck: &tally{at: map[string]int{}}, stateDir: t.TempDir()}
	th.calm.Store(true)
	th.change = func(cfg *Config) {
		cfg.Roles = Roles{Intake: true, Correlate: true}
		cfg.OrphanAfter, cfg.Numbers.Key = 5*time.Minute, codec.HashKey("key of the tests")
		if exclusive {
			cfg.Topics.Doubts = testDoubts
		}
	}
	sendid := make(chan string, 1)
	th.swallow = func(form url.Values) bool {
		mine := strings.Contains(form.Get("content"), "#lost")
		if mine {
			sendid <- sendidOf(time.Now())
		}
		return mine
	}
	th.raise()
	th.enter("a", nil)
	write := func(r *kgo.Record) {
		t.Helper()
		if err := th.client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	write(&kgo.Record{Topic: testTopics.Commands, Key: []byte("k"), Value: []byte(`{"id":"lost","to":"13800000000","text":"text #lost"}`)})
	id := <-sendid
	push := correlate.PushRecord(testTopics.Pushes, wire.ReportPush{SendID: id, Mobiles: []string{"13800000000"}, State: "DELIVRD", Time: time.Now()}, time.Now())
	write(&kgo.Record{Topic: push.Topic, Partition: int32(kafkaio.Partition(push.Key, trialParts)), Key: push.Key, Value: push.Value})
	time.Sleep(10 * time.Minute)
	th.leave()

	results, reports := th.events(testTopics.Results), th.events(testTopics.Reports)
	last, report := results[len(results)-1], reports[len(reports)-1]
	if results[0].Status != "unknown" || report.MessageID != id {
		t.Fatalf("results %+v, reports %+v", results, reports)
	}
	if exclusive && (last.Status != "accepted" || last.Revision != 2 || last.MessageID != id || report.Correlation != "inferred" || report.CommandID != "lost") {
		t.Errorf("results %+v, reports %+v", results, reports)
	}
	if !exclusive && (len(results) != 1 || len(reports) != 1 || report.Correlation != "orphan") {
		t.Errorf("results %+v, reports %+v", results, reports)
	}
}
