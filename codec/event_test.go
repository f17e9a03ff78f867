package codec

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"smsbridge/codec/sms"
)

func TestSameFactHasTheSameEventID(t *testing.T) {
	later := acceptedResult()
	later.At, later.Detail = later.At.Add(time.Hour), "said again"
	later.Trace = sms.Trace{}
	if EncodeResult(acceptedResult()).ID != EncodeResult(later).ID {
		t.Error("a verdict told again is another event")
	}
	again := deliveredReport()
	again.ReceivedAt = again.ReceivedAt.Add(time.Hour)
	first, second := EncodeReport(numbers, deliveredReport()), EncodeReport(numbers, again)
	if first.ID != second.ID || !first.Time.Equal(second.Time) {
		t.Error("a report pushed again is another event")
	}
	resent := inboundMessage()
	resent.ReceivedAt = resent.ReceivedAt.Add(time.Hour)
	if EncodeInbound(numbers, inboundMessage()).ID != EncodeInbound(numbers, resent).ID {
		t.Error("a message pushed again is another event")
	}
	for range 50 { // Go walks a map in another order each time
		if !bytes.Equal(EncodeResult(acceptedResult()).Body, EncodeResult(acceptedResult()).Body) {
			t.Fatal("the same result has other bytes")
		}
	}
}

func TestDifferentFactsHaveDifferentEventIDs(t *testing.T) {
	ids := map[string]string{}
	note := func(name, id string) {
		if other, taken := ids[id]; taken {
			t.Errorf("%s and %s have the same id", name, other)
		}
		ids[id] = name
	}
	note("result", EncodeResult(acceptedResult()).ID)
	for name, change := range map[string]func(*sms.Result){
		"result: offset":    func(r *sms.Result) { r.Command.Offset++ },
		"result: partition": func(r *sms.Result) { r.Command.Partition++ },
		"result: topic":     func(r *sms.Result) { r.Command.Topic += "x" },
		"result: new topic": func(r *sms.Result) { r.CommandedAt = r.CommandedAt.Add(time.Millisecond) },
		"result: id":        func(r *sms.Result) { r.CommandID += "x" },
		"result: revision":  func(r *sms.Result) { r.Revision++ },
		"result: status":    func(r *sms.Result) { r.Status = sms.Unknown },
		"result: reason":    func(r *sms.Result) { r.Reason = sms.Timeout },
		"result: account":   func(r *sms.Result) { r.Account = "other" },
		"result: sendid":    func(r *sms.Result) { r.Submissions[0].ProviderMessageID += "1" },
		"result: part":      func(r *sms.Result) { r.Submissions[0].Status = sms.Rejected },
	} {
		r := acceptedResult()
		change(&r)
		note(name, EncodeResult(r).ID)
	}
	note("report", EncodeReport(numbers, deliveredReport()).ID)
	for name, change := range map[string]func(*sms.Report){
		"report: sendid":      func(r *sms.Report) { r.ProviderMessageID += "1" },
		"report: to":          func(r *sms.Report) { r.To = "13800000002" },
		"report: state":       func(r *sms.Report) { r.ProviderStatus = "DELIVRD2" },
		"report: done at":     func(r *sms.Report) { r.DoneAt = r.DoneAt.Add(time.Second) },
		"report: no time":     func(r *sms.Report) { r.DoneAt = time.Time{} },
		"report: exact":       func(r *sms.Report) { r.DoneAtExact = false },
		"report: correlation": func(r *sms.Report) { r.Correlation = sms.Inferred },
		"report: orphan":      func(r *sms.Report) { r.Correlation, r.Origin = sms.Orphan, nil },
		"report: revision":    func(r *sms.Report) { r.Revision++ },
		"report: missing":     func(r *sms.Report) { r.Missing++ },
		"report: account":     func(r *sms.Report) { r.Account = "other" },
		"report: command": func(r *sms.Report) {
			origin := *r.Origin
			origin.Command.Offset++
			r.Origin = &origin
		},
	} {
		r := deliveredReport()
		change(&r)
		note(name, EncodeReport(numbers, r).ID)
	}
	note("inbound", EncodeInbound(numbers, inboundMessage()).ID)
	for name, change := range map[string]func(*sms.Inbound){
		"inbound: from":      func(m *sms.Inbound) { m.From = "13800000002" },
		"inbound: text":      func(m *sms.Inbound) { m.Text += "x" },
		"inbound: extension": func(m *sms.Inbound) { m.Extension += "1" },
		"inbound: shifted":   func(m *sms.Inbound) { m.Text, m.Extension = m.Text+"0", m.Extension[1:] },
		"inbound: sent at":   func(m *sms.Inbound) { m.SentAt = m.SentAt.Add(time.Second) },
	} {
		m := inboundMessage()
		change(&m)
		note(name, EncodeInbound(numbers, m).ID)
	}
	note("account", EncodeAccount(heldLine()).ID)
	for name, change := range map[string]func(*sms.AccountEvent){
		"account: instance": func(a *sms.AccountEvent) { a.Instance = "host-2" },
		"account: line":     func(a *sms.AccountEvent) { a.Line = sms.LineOpen },
		"account: reason":   func(a *sms.AccountEvent) { a.Reason = sms.AuthFailed },
		"account: balance":  func(a *sms.AccountEvent) { a.Balance = "1" },
		"account: level":    func(a *sms.AccountEvent) { a.Level = sms.BalanceLow },
		"account: at":       func(a *sms.AccountEvent) { a.At = a.At.Add(time.Millisecond) },
	} {
		a := heldLine()
		change(&a)
		note(name, EncodeAccount(a).ID)
	}
}

func TestReportIDDoesNotKnowTheCommand(t *testing.T) {
	matched, orphan := deliveredReport(), deliveredReport()
	orphan.Origin, orphan.Correlation = nil, sms.Orphan
	matched.Revision = 2
	if ReportID(numbers, matched) != ReportID(numbers, orphan) {
		t.Error("a report matched later has another report_id")
	}
	if EncodeReport(numbers, matched).ID == EncodeReport(numbers, orphan).ID {
		t.Error("a report matched later is the same event")
	}
}

func TestKeysFollowTheCommandWhereItIsKnown(t *testing.T) {
	keyless := acceptedResult()
	keyless.CommandKey = nil
	emptyKey := acceptedResult()
	emptyKey.CommandKey = []byte{}
	keylessReport := deliveredReport()
	keylessReport.Origin.Key = nil
	for name, c := range map[string]struct {
		event        Event
		key, subject string
	}{
		"result":                 {EncodeResult(acceptedResult()), "key", "order-42"},
		"result of a keyless":    {EncodeResult(keyless), "order-42", "order-42"},
		"result of an empty key": {EncodeResult(emptyKey), "", "order-42"},
		"report":                 {EncodeReport(numbers, deliveredReport()), "key", "order-42"},
		"report of a keyless":    {EncodeReport(numbers, keylessReport), "order-42", "order-42"},
		"report of an unknown":   {EncodeReport(numbers, orphanReport()), "20260102110405026137876543", "20260102110405026137876543"},
		"inbound":                {EncodeInbound(numbers, inboundMessage()), numbers.Key.Hash("13800000001"), ""},
		"account":                {EncodeAccount(heldLine()), "default", ""},
	} {
		if string(c.event.Key) != c.key || c.event.Subject != c.subject || c.event.Key == nil {
			t.Errorf("%s: key %q, subject %q, want %q and %q", name, c.event.Key, c.event.Subject, c.key, c.subject)
		}
	}
}

// encoding/json is the second opinion on what a string is.
func FuzzQuote(f *testing.F) {
	for _, seed := range []string{"", "a\"\\\n\x00\x1f\x7f", "中😀\u2028\u2029", "\xff\xc0a\xed\xa0\x80", "<&>"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		standard, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var got, want string
		quoted := appendQuoted(nil, s)
		if err := json.Unmarshal(quoted, &got); err != nil {
			t.Fatalf("%v in %q", err, quoted)
		}
		if err := json.Unmarshal(standard, &want); err != nil || got != want {
			t.Errorf("got %q, want %q, %v", got, want, err)
		}
		if bytes.ContainsAny(quoted, "\u2028\u2029\n\r") {
			t.Errorf("a line ends in %q", quoted)
		}
	})
}

func BenchmarkEncodeResult(b *testing.B) {
	r := acceptedResult()
	b.ReportAllocs()
	for b.Loop() {
		EncodeResult(r)
	}
}
