package connector

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func command(id, key, rest string) *kgo.Record {
	r := &kgo.Record{Value: []byte(fmt.Sprintf(`{"id":%q,"to":"13800000000","text":%q%s}`, id, "text of "+id, rest))}
	if key != "" {
		r.Key = []byte(key)
	}
	return r
}

func TestEveryCommandEndsInOneResultBesideItsCommand(t *testing.T) {
	l := newLab(t)
	const n = 200
	for i := range n {
		l.produce(command(fmt.Sprint("c", i), fmt.Sprint("k", i%17), ""))
	}
	_, stop := l.start(nil)
	l.read(testTopics.Results, n)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	commands := map[string]int32{}
	for _, r := range l.read(testTopics.Commands, n) {
		commands[string(r.Key)] = r.Partition
	}
	for _, r := range l.read(testTopics.Results, n) {
		if r.Partition != commands[string(r.Key)] {
			t.Errorf("result of key %s is in partition %d, its command in %d", r.Key, r.Partition, commands[string(r.Key)])
		}
	}
	for id, events := range l.results(n) {
		if len(events) != 1 || events[0].Status != "accepted" {
			t.Errorf("command %s: %+v", id, events)
		}
	}
	for text, times := range l.submits() {
		if times != 1 {
			t.Errorf("%q was submitted %d times", text, times)
		}
	}
}

func TestAnOrderlyStopAndStartRepeatsNothing(t *testing.T) {
	l := newLab(t)
	l.answer = func(url.Values) string {
		time.Sleep(2 * time.Millisecond) // under the lock: one after the other, so that stops come in the midst
		l.sendids++
		return fmt.Sprintf("0,20260101000000000%06d,0,1,0,ok", l.sendids)
	}
	const n = 600
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = command(fmt.Sprint("c", i), fmt.Sprint("k", i%50), "")
	}
	l.produce(records...)
	for _, until := range []int{50, 150, 250} {
		_, stop := l.start(nil)
		l.read(testTopics.Results, until)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
	l.start(nil)
	for id, events := range l.results(n) {
		if len(events) != 1 {
			t.Errorf("command %s has %d results", id, len(events))
		}
	}
	for text, times := range l.submits() {
		if times != 1 {
			t.Errorf("%q was submitted %d times", text, times)
		}
	}
}

func TestPartitionsMoveBetweenConnectorsWithoutLossOrRepeat(t *testing.T) {
	l := newLab(t)
	const n = 1200
	go func() {
		for i := range n {
			l.produce(command(fmt.Sprint("c", i), fmt.Sprint("k", i%50), ""))
		}
	}()
	_, stopFirst := l.start(nil)
	l.read(testTopics.Results, 100)
	_, stopSecond := l.start(nil)
	l.read(testTopics.Results, 500)
	if err := stopFirst(); err != nil {
		t.Fatal(err)
	}
	byCommand := l.results(n)
	if err := stopSecond(); err != nil {
		t.Fatal(err)
	}
	for id, events := range byCommand {
		if len(events) != 1 {
			t.Errorf("command %s has %d results", id, len(events))
		}
	}
	for text, times := range l.submits() {
		if times != 1 {
			t.Errorf("%q was submitted %d times", text, times)
		}
	}
}

func TestARecordThatIsNoCommandIsKeptAndAnsweredAndBlocksNobody(t *testing.T) {
	l := newLab(t)
	poison := &kgo.Record{Key: []byte("k"), Value: []byte("not json"), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("v")}}}
	l.produce(poison, command("after", "k", ""))
	l.start(nil)
	results := l.results(2)
	if got := results["after"]; len(got) != 1 || got[0].Status != "accepted" {
		t.Errorf("the command behind: %+v", got)
	}
	position := fmt.Sprintf("%s:%d:%d", testTopics.Commands, poison.Partition, poison.Offset)
	if got := results[position]; len(got) != 1 || got[0].Status != "invalid" {
		t.Errorf("the poison: %+v in %+v", got, results)
	}
	dead := l.read(testTopics.DeadLetter, 1)[0]
	if string(dead.Value) != "not json" || string(dead.Key) != "k" {
		t.Errorf("dead letter %q of key %q", dead.Value, dead.Key)
	}
	headers := map[string]string{}
	for _, h := range dead.Headers {
		headers[h.Key] = string(h.Value)
	}
	if headers["h"] != "v" || headers["smsbridge-topic"] != testTopics.Commands || headers["smsbridge-error"] == "" ||
		headers["smsbridge-partition"] != fmt.Sprint(poison.Partition) || headers["smsbridge-offset"] != fmt.Sprint(poison.Offset) {
		t.Errorf("headers %v", headers)
	}
}

func TestPushesComeOutOnTheirTopics(t *testing.T) {
	l := newLab(t)
	l.produce(command("c1", "k", `,"metadata":{"order":"7"}`))
	pushURL, _ := l.start(nil)
	accepted := l.results(1)["c1"][0]

	post := func(kind string, form url.Values, want int) {
		t.Helper()
		form.Set("name", "push")
		form.Set("pwd", "secret")
		res, err := http.PostForm(pushURL+kind, form)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode != want {
			t.Fatalf("%s: status %d, want %d", kind, res.StatusCode, want)
		}
	}
	report := url.Values{"sendid": {accepted.MessageID}, "mobile": {"13800000000"}, "state": {"DELIVRD"}, "time": {"2026-01-01 8:00:00"}}
	post("report", report, http.StatusOK)
	post("report", report, http.StatusOK)
	report.Set("sendid", "20260101000000000999999")
	post("report", report, http.StatusOK)
	post("inbound", url.Values{"args": {"13900000000#@#T#@#2026-01-01 08:00:00#@#008123"}}, http.StatusOK)
	post("inbound", url.Values{"args": {"nothing that can be read"}}, http.StatusOK)

	reports := l.read(testTopics.Reports, 3)
	var matched, orphans []event
	for _, r := range reports {
		switch e := decodeEvent(t, r); e.Correlation {
		case "matched":
			matched = append(matched, e)
			if string(r.Key) != "k" {
				t.Errorf("key %q, want the command's", r.Key)
			}
		default:
			orphans = append(orphans, e)
		}
	}
	if len(matched) != 2 || matched[0].EventID != matched[1].EventID || matched[0].CommandID != "c1" || matched[0].Status != "delivered" {
		t.Errorf("matched: %+v", matched)
	}
	if len(orphans) != 1 || orphans[0].CommandID != "" {
		t.Errorf("orphans: %+v", orphans)
	}
	mo := decodeEvent(t, l.read(testTopics.Inbound, 1)[0])
	if mo.From != "13900000000" || mo.Keyword != "opt_out" {
		t.Errorf("inbound: %+v", mo)
	}
	dead := l.read(testTopics.DeadLetter, 1)[0]
	if !strings.Contains(string(dead.Value), "nothing") {
		t.Errorf("dead letter %q", dead.Value)
	}
}

func TestTheAccountIsToldAtStart(t *testing.T) {
	l := newLab(t)
	l.start(nil)
	for n := 1; ; n++ { // first without the balance, then with it
		records := l.read(testTopics.Account, n)
		if e := decodeEvent(t, records[n-1]); e.Balance == "1000" && e.Line == "open" {
			return
		}
	}
}
