package connector

import (
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"smsbridge/codec/sms"
	"smsbridge/connector/control"
)

// backlog produces n commands of a class into one partition, each with a key of
// its own, whose texts begin with name.
func (l *lab) backlog(partition int32, class sms.Class, name string, n int) {
	l.t.Helper()
	to, err := kgo.NewClient(kgo.SeedBrokers(l.brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		l.t.Fatal(err)
	}
	defer to.Close()
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = &kgo.Record{
			Topic: testTopics.Commands, Partition: partition, Key: fmt.Appendf(nil, "%s-%d", name, i),
			Value: fmt.Appendf(nil, `{"id":"%s-%d","to":["13800000000"],"text":"%s %d","class":"%s"}`, name, i, name, i, class),
		}
	}
	if err := to.ProduceSync(l.t.Context(), records...).FirstErr(); err != nil {
		l.t.Fatal(err)
	}
}

// hold pauses a class, or resumes it, and returns when that is durable.
func (l *lab) hold(class sms.Class, hold bool) {
	l.t.Helper()
	m := control.HoldRecord(testTopics.Control, class, hold, control.Author{By: "test"}, time.Now())
	if err := l.client.ProduceSync(l.t.Context(), &kgo.Record{Topic: m.Topic, Key: m.Key, Value: m.Value}).FirstErr(); err != nil {
		l.t.Fatal(err)
	}
}

// texts counts the submits whose text begins with name.
func (l *lab) texts(name string) int {
	n := 0
	for text, times := range l.submits() {
		if strings.HasPrefix(text, name+" ") {
			n += times
		}
	}
	return n
}

func (l *lab) await(what string, ok func() bool) {
	l.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			l.t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestAPausedBacklogLetsOtherClassesOfItsPartitionAndOthersPass(t *testing.T) {
	l := newLab(t)
	l.hold(sms.Marketing, true)
	// Far more than there are places: 32 with 16 in flight.
	const paused = 3000
	l.backlog(0, sms.Marketing, "winter", paused)
	l.backlog(0, sms.OTP, "same", 60)
	l.backlog(1, sms.OTP, "other", 60)
	l.start(nil)
	l.await("the codes of both partitions", func() bool { return l.texts("same") == 60 && l.texts("other") == 60 })
	if n := l.texts("winter"); n != 0 {
		t.Errorf("%d paused texts were submitted", n)
	}
	l.hold(sms.Marketing, false)
	l.await("the backlog", func() bool { return l.texts("winter") == paused })
	l.once(paused + 120)
}

func TestThrottledCommandsHoldBackNobodyElse(t *testing.T) {
	l := newLab(t)
	l.refuse = func(form url.Values, w http.ResponseWriter) bool {
		if !strings.HasPrefix(form.Get("content"), "slow ") {
			return false
		}
		w.Header().Set("Retry-After", "1800")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	l.backlog(0, sms.Notice, "slow", 60)
	l.backlog(1, sms.OTP, "other", 60)
	l.backlog(0, sms.OTP, "same", 60)
	l.start(nil)
	l.await("the codes", func() bool { return l.texts("same") == 60 && l.texts("other") == 60 })
}

// What a command that waits costs bounds how many may: see intake's waitingCost.
func TestAPausedCommandCostsNoMoreMemoryThanItsWindowReckons(t *testing.T) {
	l := newLab(t)
	l.hold(sms.Marketing, true)
	l.start(func(c *Config) { c.Roles = Roles{Intake: true} })
	l.backlog(0, sms.OTP, "warm", 20)
	l.await("the first codes", func() bool { return l.texts("warm") == 20 })
	before := liveHeap()
	const paused = 2000
	l.backlog(0, sms.Marketing, "winter", paused)
	l.backlog(0, sms.OTP, "last", 1)
	l.await("the code behind", func() bool { return l.texts("last") == 1 })
	cost := (liveHeap() - before) / paused
	t.Logf("%d bytes for each", cost)
	// The broker of the test keeps its records in the same heap, and the window
	// reckons their bytes beside.
	if cost > 4<<10+1<<10 {
		t.Errorf("a paused command costs %d bytes", cost)
	}
}

func liveHeap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
