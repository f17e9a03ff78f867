package connector

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/connector/kafkaio"
	"smsbridge/connector/suppress"
)

func TestWhoOptsOutGetsNoMoreTextsOfTheClassUntilOptingInAgain(t *testing.T) {
	l := newLab(t)
	base, _ := l.start(func(c *Config) { c.OptOutSuppress = []sms.Class{sms.Marketing} })
	inbound := func(text string) {
		t.Helper()
		args := "13800000000#@#" + text + "#@#2026-01-01 12:00:00#@#008"
		l.push(base+"inbound", url.Values{"name": {"push"}, "pwd": {"secret"}, "args": {args}}, http.StatusOK)
	}
	l.backlog(0, sms.Marketing, "first", 1)
	l.await("the first text", func() bool { return l.texts("first") == 1 })

	inbound("T")
	time.Sleep(time.Second) // it is in force within 5 s
	l.backlog(0, sms.Marketing, "second", 1)
	l.backlog(0, sms.OTP, "code", 1)
	l.await("the code", func() bool { return l.texts("code") == 1 })
	l.await("the result of the second text", func() bool { return len(l.results(3)["second-0"]) == 1 })
	if r := l.results(3)["second-0"][0]; r.Status != "suppressed" || r.Reason != "suppressed" || l.texts("second") != 0 {
		t.Errorf("%s, %s, submitted %d times", r.Status, r.Reason, l.texts("second"))
	}
	for _, rec := range l.read(testTopics.Suppressions, 1) {
		if strings.Contains(string(rec.Key)+string(rec.Value), "13800000000") {
			t.Error("the topic holds the number")
		}
	}

	inbound("START")
	time.Sleep(time.Second)
	l.backlog(0, sms.Marketing, "third", 1)
	l.await("the third text", func() bool { return l.texts("third") == 1 })
}

func TestASuppressionCountsForWhatWaitsAlready(t *testing.T) {
	l := newLab(t)
	l.hold(sms.Marketing, true)
	l.start(nil)
	l.backlog(0, sms.Marketing, "winter", 3)
	l.backlog(0, sms.OTP, "code", 1)
	l.await("the code behind", func() bool { return l.texts("code") == 1 })
	operator := l.operator("g")
	key := l.config("").Numbers.Key
	list := []suppress.Suppression{{Class: sms.Marketing, Person: suppress.PersonOf(key, "13800000000"), At: time.Now(), By: "test"}}
	if err := operator.Suppress(t.Context(), key, list); err != nil {
		t.Fatal(err)
	}
	if err := operator.KnowsSuppressions(t.Context(), []byte("another key, long enough")); err == nil {
		t.Error("another key is taken for the right one")
	}
	time.Sleep(time.Second)
	l.hold(sms.Marketing, false)
	results := l.results(4)
	for _, id := range []string{"winter-0", "winter-1", "winter-2"} {
		if r := results[id]; len(r) != 1 || r[0].Status != "suppressed" {
			t.Errorf("%s: %+v", id, r)
		}
	}
	if n := l.texts("winter"); n != 0 {
		t.Errorf("%d texts to somebody suppressed", n)
	}
}

func TestAProcessWithAnotherKeyDoesNotStartBesideSuppressions(t *testing.T) {
	l := newLab(t)
	key := l.config("").Numbers.Key
	m := suppress.AddRecord(testTopics.Suppressions, key, suppress.Suppression{Class: sms.Marketing, Person: suppress.PersonOf(key, "13800000000"), By: "test"})
	if _, err := l.producerOf(t).Produce(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	_, stop := l.start(func(c *Config) { c.Numbers.Key = []byte("another key, long enough"); c.PreviousKey = nil })
	l.backlog(0, sms.Notice, "never", 1)
	time.Sleep(2 * time.Second)
	if n := l.texts("never"); n != 0 {
		t.Errorf("%d texts were submitted", n)
	}
	if err := stop(); err == nil || !strings.Contains(err.Error(), "NUMBER_HASH_KEY") {
		t.Errorf("ended with %v", err)
	}
}

func (l *lab) producerOf(t *testing.T) *kafkaio.Producer {
	t.Helper()
	client, err := kafkaio.Open(l.config("").Kafka)
	if err != nil {
		t.Fatal(err)
	}
	p := client.NewProducer(kafkaio.ProducerConfig{})
	t.Cleanup(func() { _ = p.Close(t.Context()); _ = client.Close() })
	return p
}
