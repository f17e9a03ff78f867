package correlate

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/connector/kafkaio"
)

var testRules = rules{orphanAfter: time.Minute, deadline: time.Hour}

// TestWhatIsToldFollowsFromTheOrderOfTheFacts takes in facts in an order and looks
// what an owner would have to publish.
func TestWhatIsToldFollowsFromTheOrderOfTheFacts(t *testing.T) {
	t.Parallel()
	facts := map[string]fact{
		"sent":        {Kind: kindSent, Sent: &sent{CommandID: "a", Recipients: 2, SubmittedAt: time.Now()}},
		"other":       {Kind: kindSent, Sent: &sent{CommandID: "b", Recipients: 9}},
		"seen 1":      {Kind: kindSeen, To: []hash{{1}}},
		"seen 2":      {Kind: kindSeen, To: []hash{{2}}},
		"parked":      {Kind: kindParked, Push: 7, Digest: hash{7}, At: time.Now()},
		"repeat":      {Kind: kindParked, Push: 8, Digest: hash{7}, At: time.Now()},
		"orphan":      {Kind: kindOrphan, Push: 7},
		"told":        {Kind: kindTold, Push: 7},
		"told orphan": {Kind: kindTold, Push: 7, Orphan: true},
		"overdue":     {Kind: kindOverdue},
		"closed":      {Kind: kindClosed},
		"whatever":    {Kind: "whatever"},
	}
	for order, want := range map[string]string{
		"sent":                                                "",
		"parked":                                              "",
		"parked, sent":                                        "7 matched 1",
		"sent, parked":                                        "7 matched 1", // by a process that did not know
		"parked, parked, sent":                                "7 matched 1",
		"parked, sent, told":                                  "",
		"parked, sent, told, parked":                          "", // late, by a zombie
		"parked, orphan":                                      "7 orphan",
		"parked, orphan, told orphan":                         "",
		"parked, orphan, told orphan, orphan":                 "",
		"parked, orphan, told orphan, sent":                   "7 matched 2",
		"parked, orphan, sent":                                "7 orphan 7 matched 2",
		"parked, orphan, sent, told, told orphan":             "",
		"parked, sent, orphan":                                "7 matched 1", // too late to count
		"parked, sent, told, orphan":                          "",
		"parked, orphan, told orphan, repeat, sent":           "7 matched 2 8 matched 2",
		"orphan, parked, sent":                                "7 matched 1",
		"sent, overdue":                                       "2 missing",
		"sent, seen 1, overdue":                               "1 missing",
		"sent, seen 1, seen 1, overdue":                       "1 missing",
		"sent, seen 1, seen 2, overdue":                       "",
		"sent, seen 1, overdue, seen 2":                       "1 missing", // counted where the decision stands
		"sent, seen 1, overdue, seen 2, overdue":              "1 missing",
		"sent, overdue, overdue, closed":                      "",
		"sent, overdue, closed, seen 1, overdue":              "",
		"overdue, sent":                                       "",
		"sent, other, overdue":                                "2 missing", // the first counts
		"seen 1, sent, overdue":                               "2 missing",
		"whatever, sent, whatever, overdue, whatever, closed": "",
	} {
		t.Run(order, func(t *testing.T) {
			t.Parallel()
			e := &entry{}
			for name := range strings.SplitSeq(order, ", ") {
				f, ok := facts[name]
				if !ok {
					t.Fatal(name)
				}
				was := e.untold()
				if work := e.apply(&f, testRules); !work && !was && e.untold() {
					t.Errorf("%s made something untold, and did not say so", name)
				}
			}
			if got := owed(e); got != want {
				t.Errorf("to be told: %q, want %q", got, want)
			}
			again, err := decodeEntry(e.encode())
			if err != nil || !reflect.DeepEqual(again, e) {
				t.Errorf("kept as\n%+v, %v, want\n%+v", again, err, e)
			}
		})
	}
}

func owed(e *entry) string {
	var list []string
	for i := range e.pushes {
		p := &e.pushes[i]
		if e.owesOrphan(p) {
			list = append(list, fmt.Sprint(p.offset, " orphan"))
		}
		if e.owesMatched(p) {
			list = append(list, fmt.Sprint(p.offset, " matched ", e.revision(p.digest)))
		}
	}
	if e.missing > 0 && !e.closed {
		list = append(list, fmt.Sprint(e.missing, " missing"))
	}
	if e.untold() != (len(list) > 0) {
		list = append(list, "and untold is wrong")
	}
	return strings.Join(list, " ")
}

func TestSentIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC()
	for name, want := range map[string]Sent{
		"all": {SendID: "s", Recipients: 3, SendAt: now, Inferred: true, Origin: sms.Origin{
			CommandID: "c", Command: sms.Position{Topic: "t", Partition: 2, Offset: 9}, Key: []byte{0, 255}, Class: sms.OTP,
			Metadata: map[string]string{"a": "\"<&>\"\n"}, SubmittedAt: now, Trace: sms.Trace{Parent: "p", State: "s"},
		}},
		"little":    {SendID: "s", Recipients: 1, Origin: sms.Origin{CommandID: "c"}},
		"empty key": {SendID: "s", Recipients: 1, Origin: sms.Origin{CommandID: "c", Key: []byte{}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := SentRecord("sendids", want)
			f, err := decodeFact(kafkaio.Record{Key: m.Key, Value: m.Value})
			if err != nil {
				t.Fatal(err)
			}
			got := Sent{SendID: string(m.Key), Origin: *f.Sent.origin(), Recipients: f.Sent.Recipients, SendAt: f.Sent.SendAt, Inferred: f.Sent.Inferred}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func FuzzDecodeEntry(f *testing.F) {
	e := &entry{sent: []byte("{}"), recipients: 2, due: 3, seen: []hash{{1}}, missing: 1, closed: true, pushes: []parked{{offset: 4, at: 5, orphan: true}}}
	f.Add(e.encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, value []byte) {
		e, err := decodeEntry(value)
		if err != nil {
			return
		}
		if again, err := decodeEntry(e.encode()); err != nil || !reflect.DeepEqual(again, e) {
			t.Errorf("%+v becomes %+v, %v", e, again, err)
		}
	})
}

func FuzzDecodeRecords(f *testing.F) {
	f.Add([]byte("s"), SentRecord("t", Sent{SendID: "s"}).Value)
	f.Add([]byte("s"), []byte(`{"v":1,"sendid":"s","mobile":"13800000000","state":"DELIVRD","received_at":"2026-01-02T03:04:05Z"}`))
	f.Add([]byte("s"), []byte(`{"v":1,"kind":"seen","to":["00"]}`))
	f.Fuzz(func(_ *testing.T, key, value []byte) {
		rec := kafkaio.Record{Key: key, Value: value}
		_, _ = decodePush(rec)
		e := &entry{}
		for range 2 {
			if fact, err := decodeFact(rec); err == nil {
				e.apply(&fact, testRules)
				e.next(testRules)
			}
		}
	})
}
