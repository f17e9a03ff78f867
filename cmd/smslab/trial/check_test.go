package trial

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time { return noon.Add(time.Duration(seconds * float64(time.Second))) }

const (
	someNumber  = "13800000001"
	otherNumber = "13800000002"
	someText    = "a text that is nobody's business"
)

// honest is a run in which every promise was kept: a kill, two parts, an unknown
// that was revised, a repeat, an invalid command, a held account, an early freeze.
func honest() *History {
	return &History{
		Commands: []Command{
			{Position: Position{0, 0}, ID: "a", Key: "k", Numbers: []string{someNumber, otherNumber}, At: at(1)},
			{Position: Position{0, 1}, ID: "b", Key: "k", Numbers: []string{someNumber}, At: at(1.1)},
			{Position: Position{0, 2}, ID: "a", Key: "k", Numbers: []string{someNumber, otherNumber}, At: at(1.2)},
			{Position: Position{1, 0}, At: at(1.3)},
			{Position: Position{1, 1}, ID: "late", Expires: at(2), Numbers: []string{someNumber}, At: at(1.4)},
			{Position: Position{1, 2}, ID: "again", Resend: true, Numbers: []string{someNumber}, At: at(1.5)},
		},
		Submissions: []Submission{
			{ID: "a", Number: someNumber, Count: 1, Code: "0", SendID: "s1", At: at(2)},
			{ID: "a", Number: otherNumber, Count: 1, Code: "0", SendID: "s2", At: at(2.1)},
			{ID: "b", Number: someNumber, Count: 1, Code: "", Fault: "throttle", At: at(2.2)},
			{ID: "b", Number: someNumber, Count: 1, Code: "0", Fault: "drop", SendID: "s3", At: at(2.3)},
			{ID: "again", Number: someNumber, Count: 1, Code: "0", Fault: "reset", SendID: "s4", At: at(2.4)},
			{ID: "again", Number: someNumber, Count: 1, Code: "0", SendID: "s5", At: at(2.5)},
		},
		Probes: []time.Time{at(2.05)},
		Results: []Result{
			{Command: Position{0, 0}, Row: Position{0, 0}, At: at(3), EventID: "ea", ID: "a", Key: "k", Revision: 1, Status: "accepted", Digest: 1, Parts: []Part{{Status: "accepted", SendID: "s1"}, {Status: "accepted", SendID: "s2"}}},
			{Command: Position{0, 0}, Row: Position{0, 1}, At: at(3), EventID: "ea", ID: "a", Key: "k", Revision: 1, Status: "accepted", Digest: 1, Parts: []Part{{Status: "accepted", SendID: "s1"}, {Status: "accepted", SendID: "s2"}}},
			{Command: Position{0, 1}, Row: Position{0, 2}, At: at(3.1), EventID: "eb", ID: "b", Revision: 1, Status: "unknown", Reason: "network_error", Digest: 2, Parts: []Part{{Status: "unknown"}}},
			{Command: Position{0, 1}, Row: Position{0, 3}, At: at(3.2), EventID: "eb2", ID: "b", Revision: 2, Status: "accepted", Digest: 3, Parts: []Part{{Status: "accepted", SendID: "s3"}}},
			{Command: Position{0, 2}, Row: Position{0, 4}, At: at(3.3), EventID: "ed", ID: "a", Status: "duplicate", Reason: "repeated_id", DuplicateOf: &Position{0, 0}, FirstStatus: "accepted", Digest: 4},
			{Command: Position{1, 0}, Row: Position{1, 0}, At: at(3.4), EventID: "ei", ID: "sms.commands:1:0", Revision: 1, Status: "invalid", Digest: 5},
			{Command: Position{1, 1}, Row: Position{1, 1}, At: at(3.5), EventID: "el", ID: "late", Revision: 1, Status: "expired", Reason: "validity_expired", Digest: 6},
			{Command: Position{1, 2}, Row: Position{1, 2}, At: at(3.6), EventID: "er", ID: "again", Revision: 1, Status: "accepted", Digest: 7, Parts: []Part{{Status: "accepted", SendID: "s5", PossibleDuplicate: true}}},
		},
		ReportPush: []Push{
			{SendID: "s1", Number: someNumber, State: "DELIVRD", Status: 503, At: at(4)},
			{SendID: "s1", Number: someNumber, State: "DELIVRD", Status: 200, At: at(5)},
			{SendID: "s5", Number: someNumber, State: "UNKNOWN", Status: 200, At: at(5)},
		},
		Reports: []Report{
			{Row: Position{0, 0}, EventID: "r1", ID: "a", Command: Position{0, 0}, Key: "k", Revision: 1, SendID: "s1", Number: someNumber, Status: "delivered", State: "DELIVRD", Final: true, Correlation: "matched", DoneAt: "x"},
			{Row: Position{1, 0}, EventID: "r2", Command: Position{-1, -1}, Key: "s5", Revision: 1, SendID: "s5", Number: someNumber, Status: "unknown", State: "UNKNOWN", Correlation: "orphan", DoneAt: "x"},
			{Row: Position{1, 1}, EventID: "r3", ID: "again", Command: Position{1, 2}, Revision: 2, SendID: "s5", Number: someNumber, Status: "unknown", State: "UNKNOWN", Correlation: "matched", DoneAt: "x"},
			{Row: Position{1, 2}, EventID: "r4", ID: "again", Command: Position{1, 2}, Revision: 1, SendID: "s5", Status: "no_report", Missing: 1, Correlation: "matched"},
			{Row: Position{1, 3}, EventID: "r4", ID: "again", Command: Position{1, 2}, Revision: 1, SendID: "s5", Status: "no_report", Missing: 1, Correlation: "matched"},
		},
		InboundPush: []Push{{Number: someNumber, Text: someText, Status: 200, At: at(4)}},
		Inbound:     []Inbound{{EventID: "m1", Number: someNumber, Text: someText}},
		Samples: []Sample{
			{Partition: 0, Offset: 0, At: at(1)}, {Partition: 0, Offset: 3, Fenced: 7, At: at(3.4)}, {Partition: 1, Offset: 3, At: at(3.7)},
		},
		JournalEnds: map[int32]int64{0: 9, 1: 9},
		Events:      []Event{{Kind: Kill, Instance: "one", At: at(2.6), Until: at(2.7)}, {Kind: Freeze, Instance: "two", At: at(-9), Until: at(-8)}},
		Connectors:  2, MaxInFlight: 2, Session: 10 * time.Second, Ordered: true, End: at(10),
	}
}

// doctored are runs in which one promise was broken.
var doctored = map[string]struct {
	breaks string
	doctor func(*History)
}{
	"a command without a result": {"I1", func(h *History) { h.Results = h.Results[:len(h.Results)-1] }},
	"a part carried out twice": {"I2", func(h *History) {
		h.Submissions = append(h.Submissions, Submission{ID: "a", Number: otherNumber, Count: 1, Code: "0", SendID: "s9", At: at(2.6)})
	}},
	"a part submitted again after an answer that left it open": {"I2", func(h *History) {
		h.Submissions = append(h.Submissions, Submission{ID: "b", Number: someNumber, Count: 1, Code: "-1", Fault: "system", At: at(2.6)})
	}},
	"a part resent twice": {"I2", func(h *History) {
		h.Submissions = append(h.Submissions, Submission{ID: "again", Number: someNumber, Count: 1, Code: "0", SendID: "s9", At: at(2.6)})
	}},
	"a resent part that is not flagged": {"I2", func(h *History) { h.Results[7].Parts[0].PossibleDuplicate = false }},
	"accepted by a sendid of nobody":    {"I4", func(h *History) { h.Results[0].Parts[0].SendID = "s7" }},
	"accepted by the sendid of another": {"I4", func(h *History) { h.Results[7].Parts[0].SendID = "s1" }},
	"expired although it was sent": {"I4", func(h *History) {
		h.Submissions = append(h.Submissions, Submission{ID: "late", Number: someNumber, Count: 1, Code: "0", SendID: "s9", At: at(1.9)})
	}},
	"more unknown than there were reasons for": {"I5", func(h *History) { h.Events, h.Submissions[3].Fault, h.Submissions[4].Fault = nil, "", "" }},
	"a repeated result with other bytes":       {"I6", func(h *History) { h.Results[1].Digest = 9 }},
	"a repeated result as another event":       {"I6", func(h *History) { h.Results[1].EventID = "other" }},
	"an accepted one revised":                  {"I7", func(h *History) { h.Results[2].Status = "accepted" }},
	"accepted and rejected":                    {"I7", func(h *History) { h.Results[1].Status = "rejected" }},
	"a key out of order": {"I8", func(h *History) {
		h.Submissions[0], h.Submissions[2] = h.Submissions[2], h.Submissions[0]
		h.Submissions[1], h.Submissions[3] = h.Submissions[3], h.Submissions[1]
	}},
	"a commit before its result": {"I9", func(h *History) { h.Samples[1].At = at(3.05) }},
	"a commit without a result":  {"I9", func(h *History) { h.Results = h.Results[:len(h.Results)-1] }},
	"a commit that goes back":    {"I9", func(h *History) { h.Samples = append(h.Samples, Sample{Partition: 0, Offset: 2, At: at(4)}) }},
	"a repeat that is not a duplicate": {"I10", func(h *History) {
		h.Results[4].Status, h.Results[4].Revision = "accepted", 1
	}},
	"a duplicate of another one": {"I10", func(h *History) { h.Results[4].DuplicateOf = &Position{0, 1} }},
	"a duplicate of nothing":     {"I10", func(h *History) { h.Results[4].DuplicateOf = nil }},
	"a duplicate of nothing that was sent": {"I10", func(h *History) {
		h.Results[0].Status, h.Results[1].Status = "failed", "failed"
	}},
	"a submission after its validity": {"I11", func(h *History) {
		h.Submissions = append(h.Submissions, Submission{ID: "late", Number: someNumber, Count: 1, Code: "1", At: at(3.2)})
	}},
	"a refused account asked again and again": {"I12", func(h *History) {
		for range 5 {
			h.Submissions = append(h.Submissions, Submission{ID: "b", Number: someNumber, Code: "12", At: at(3)})
		}
	}},
	"a command burnt by a refused account": {"I12", func(h *History) {
		h.Results[7].Status, h.Results[7].Reason = "rejected", "account_suspended"
	}},
	"a report that was answered 200 and is nowhere":  {"I13", func(h *History) { h.Reports = nil }},
	"a message that was answered 200 and is nowhere": {"I13", func(h *History) { h.Inbound = nil }},
	"a report that nobody pushed": {"I14", func(h *History) {
		h.Reports = append(h.Reports, Report{EventID: "r9", SendID: "s2", Number: otherNumber, State: "UNDELIV", Correlation: "matched"})
	}},
	"a message that nobody pushed": {"I14", func(h *History) {
		h.Inbound = append(h.Inbound, Inbound{EventID: "m2", Number: otherNumber, Text: someText})
	}},
	"one report as two events": {"I15", func(h *History) {
		h.Reports = append(h.Reports, h.Reports[0])
		h.Reports[5].EventID = "r9"
	}},
	"two reports as one event": {"I15", func(h *History) {
		h.Reports = append(h.Reports, h.Reports[0])
		h.Reports[5].DoneAt = "y"
	}},
	"a report of a known sendid left alone": {"I16", func(h *History) { h.Reports[0].Correlation = "orphan" }},
	"a report matched to another command":   {"I16", func(h *History) { h.Reports[0].ID = "b" }},
	"a report with another key":             {"I16", func(h *History) { h.Reports[0].Key = "other" }},
	"a report in another partition":         {"I16", func(h *History) { h.Reports[0].Row.Partition = 1 }},
	"a report with other metadata":          {"I16", func(h *History) { h.Reports[0].Metadata = `{"n":"b"}` }},
	"a report matched to nobody's sendid":   {"I16", func(h *History) { h.Reports[0].SendID = "s7" }},
	"missing reports told twice":            {"I16", func(h *History) { h.Reports[4].EventID = "r5" }},
	"a report told missing after it came": {"I16", func(h *History) {
		h.Reports[2].State, h.Reports[2].Final = "DELIVRD", true
	}},
	"a journal that ends before a fence": {"I20", func(h *History) { h.JournalEnds[0] = 6 }},
	"a partition that stands still":      {"I17", func(h *History) { h.Results[7].At = at(70) }},
	"a partition that never ends":        {"I17", func(h *History) { h.Results, h.End = h.Results[:len(h.Results)-1], at(70) }},
	"a number in a log":                  {"I19", func(h *History) { h.Leaks = []Leak{{File: "connector-1.log", Line: 7}} }},
	"a stop that left something undone":  {"I21", func(h *History) { h.Events = append(h.Events, Event{Kind: Unclean, Instance: "one", At: at(3)}) }},
	"an interruption by nobody": {"I5", func(h *History) {
		h.Results[2].Reason, h.Events[0].At, h.Events[0].Until = "interrupted", at(0), at(0.5)
	}},
	"a poisoned record that was sent": {"I4", func(h *History) {
		h.Commands[0].Mark, h.Commands[0].Ends = Poison, "invalid"
	}},
	"a forbidden text refused for another reason": {"I4", func(h *History) {
		h.Commands[4].Mark, h.Commands[4].Ends = Forbidden, "expired"
	}},
	"a bystander that is held": {"I22", func(h *History) {
		besideAThrottledKey(h)
		h.Results[len(h.Results)-1].At = at(30)
	}},
	"a bystander that is never answered": {"I22", func(h *History) {
		besideAThrottledKey(h)
		h.Results, h.End = h.Results[:len(h.Results)-1], at(30)
	}},
	"a bystander that a halted partition holds": {"I22", func(h *History) {
		besideAThrottledKey(h)
		h.Events[len(h.Events)-1] = Event{Kind: Unreadable, At: at(15), Until: at(28), Scope: &Scope{Partitions: []int32{0}}}
		h.Results[len(h.Results)-1].At = at(27)
	}},
	"a process that ended": {"I21", func(h *History) { h.Events = append(h.Events, Event{Kind: Exit, Instance: "one", At: at(3)}) }},
}

func TestHonestRunBreaksNothing(t *testing.T) {
	t.Parallel()
	v := Check(honest())
	var out bytes.Buffer
	if v.Print(&out); !v.OK() {
		t.Error(out.String())
	}
	f := v.Figures
	if f.ReportPushes != 2 || f.Reports != 2 || f.Matched != 2 || f.NoReports != 1 || f.RepeatedReports != 1 {
		t.Errorf("%+v", f)
	}
	if f.Commands != 6 || f.Answered != 6 || f.Lost != 0 || f.Twice != 0 || f.Resent != 1 || f.Unknown != 1 || f.RepeatedResults != 1 || f.Revisions != 1 || f.Texts != 5 {
		t.Errorf("%+v", f)
	}
}

func TestEachBrokenPromiseIsFound(t *testing.T) {
	t.Parallel()
	tried := map[string]bool{}
	for name, tt := range doctored {
		tried[tt.breaks] = true
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := honest()
			tt.doctor(h)
			v := Check(h)
			n, smallest := v.Smallest(tt.breaks)
			if n == 0 || len(smallest.Facts) == 0 {
				t.Fatalf("%s held", tt.breaks)
			}
			var out bytes.Buffer
			v.Print(&out)
			v.Figures.Print(&out)
			for _, private := range []string{someNumber, otherNumber, someText} {
				if strings.Contains(out.String(), private) {
					t.Errorf("the verdict shows a number or a text:\n%s", out.String())
				}
			}
			if !strings.Contains(out.String(), "BROKEN  "+tt.breaks) {
				t.Errorf("not told:\n%s", out.String())
			}
		})
	}
	for _, inv := range Invariants() {
		if !tried[inv.Name] {
			t.Errorf("nothing shows that %s can fail", inv.Name)
		}
	}
}

func TestSmallestCounterexampleHasTheFewestFacts(t *testing.T) {
	t.Parallel()
	v := Verdict{Violations: []Violation{
		{Invariant: "I1", Facts: []string{"a", "b"}}, {Invariant: "I2", Facts: []string{"z"}}, {Invariant: "I1", Facts: []string{"c"}},
	}}
	n, smallest := v.Smallest("I1")
	if n != 2 || !slices.Equal(smallest.Facts, []string{"c"}) {
		t.Errorf("%d, %v", n, smallest)
	}
}

func TestWhatLooksBrokenAndIsNotIsExcused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		invariant string
		doctor    func(*History)
	}{
		"what a woken process submits last is out of order": {"I8", func(h *History) {
			doctored["a key out of order"].doctor(h)
			h.Events = append(h.Events, Event{Kind: Freeze, At: at(1), Until: at(2)})
		}},
		"time under a fault is not standing still": {"I17", func(h *History) {
			h.Results[7].At = at(70)
			h.Events = append(h.Events, Event{Kind: BrokerKill, At: at(10), Until: at(40)})
		}},
		"a repeat of one under way is a duplicate whatever its end": {"I10", func(h *History) {
			h.Results[0].Status, h.Results[1].Status, h.Results[4].FirstStatus = "failed", "failed", ""
		}},
		"a stop waited for Kafka in vain": {"I21", func(h *History) {
			h.Events = append(h.Events, Event{Kind: Unclean, At: at(60)}, Event{Kind: BrokerKill, At: at(20), Until: at(30)})
		}},
		"who is no bystander may wait": {"I22", func(h *History) {
			besideAThrottledKey(h)
			h.Commands[len(h.Commands)-1].Mark = Throttled
			h.Results[len(h.Results)-1].At = at(30)
		}},
		"who waits behind one that is concerned": {"I22", func(h *History) {
			besideAThrottledKey(h)
			h.Commands[len(h.Commands)-1].Key = "slow"
			h.Commands[len(h.Commands)-1].Partition = 0
			h.Commands[len(h.Commands)-1].Offset = 9
			h.Results[len(h.Results)-1].Command = Position{0, 9}
			h.Results[len(h.Results)-1].At = at(30)
		}},
		"whose own submit was refused": {"I22", func(h *History) {
			besideAThrottledKey(h)
			h.Submissions = append(h.Submissions, Submission{ID: "free", Number: someNumber, Fault: "throttle", At: at(13)})
			h.Results[len(h.Results)-1].At = at(30)
		}},
		"a rebalance aside": {"I22", func(h *History) {
			besideAThrottledKey(h)
			h.Events = append(h.Events, Event{Kind: Restart, At: at(15), Until: at(16)})
			h.Results[len(h.Results)-1].At = at(31)
		}},
		"long before a fault": {"I22", func(h *History) {
			besideAThrottledKey(h)
			h.Commands[len(h.Commands)-1].At = at(1)
			h.Results[len(h.Results)-1].At = at(9)
		}},
		"who was deleted has no result": {"I1", func(h *History) {
			besideAThrottledKey(h)
			h.Results = h.Results[:len(h.Results)-1]
			h.Commands[len(h.Commands)-1].Gone = true
		}},
		"an id that ended unsent comes again": {"I4", againAfterItExpired},
		"and in the order of its repeat":      {"I8", againAfterItExpired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := honest()
			tt.doctor(h)
			verdict := Check(h)
			if n, smallest := verdict.Smallest(tt.invariant); n > 0 {
				t.Error(smallest)
			}
		})
	}
}

// besideAThrottledKey has a command of one key throttled from 11 to 25 s, and one of
// another key come meanwhile and have its result at once: the last of each list.
func besideAThrottledKey(h *History) {
	h.End = at(40)
	h.Commands = append(h.Commands,
		Command{Position: Position{0, 3}, ID: "held", Key: "slow", Numbers: []string{someNumber}, At: at(11), Mark: Throttled},
		Command{Position: Position{1, 3}, ID: "free", Key: "other", Numbers: []string{someNumber}, At: at(15)})
	h.Submissions = append(h.Submissions, Submission{ID: "held", Number: someNumber, Fault: "throttled", At: at(11.5)},
		Submission{ID: "held", Number: someNumber, Count: 1, Code: "0", SendID: "s7", At: at(25)})
	h.Results = append(h.Results,
		Result{Command: Position{0, 3}, Row: Position{0, 5}, At: at(25), EventID: "e7", ID: "held", Revision: 1, Status: "accepted", Digest: 7, Parts: []Part{{Status: "accepted", SendID: "s7"}}},
		Result{Command: Position{1, 3}, Row: Position{1, 3}, At: at(15.5), EventID: "e8", ID: "free", Revision: 1, Status: "expired", Digest: 8})
	h.Events = append(h.Events, Event{Kind: Throttled, At: at(11), Until: at(20), Scope: &Scope{Mark: Throttled}})
}

func TestBystandersAreCountedWithWhatTheyWaited(t *testing.T) {
	t.Parallel()
	h := honest()
	besideAThrottledKey(h)
	verdict := Check(h)
	if f := verdict.Figures; !verdict.OK() || f.Bystanders != 1 || f.Slowest != 500*time.Millisecond || f.P99 != f.Slowest {
		t.Errorf("%+v", verdict)
	}
}

func againAfterItExpired(h *History) {
	h.Commands = append(h.Commands, Command{Position: Position{1, 3}, ID: "late", Numbers: []string{someNumber}, At: at(4)})
	h.Submissions = append(h.Submissions, Submission{ID: "late", Number: someNumber, Count: 1, Code: "0", SendID: "s9", At: at(5)})
	h.Results = append(h.Results, Result{
		Command: Position{1, 3}, Row: Position{1, 3}, At: at(6), EventID: "e9", ID: "late", Revision: 1, Status: "accepted", Digest: 9,
		Parts: []Part{{Status: "accepted", SendID: "s9"}},
	})
	for i := range h.Commands[3:] {
		h.Commands[3+i].Key = "k"
	}
}

func TestFaultsAtTheSameTimeExcuseItOnce(t *testing.T) {
	t.Parallel()
	h := honest()
	h.Results[7].At = at(70)
	for range 9 {
		h.Events = append(h.Events, Event{Kind: Kill, At: at(5), Until: at(6)})
	}
	verdict := Check(h)
	if n, _ := verdict.Smallest("I17"); n == 0 {
		t.Error("excused more than once")
	}
}
