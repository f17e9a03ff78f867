package codec

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"smsbridge/codec/sms"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	commanded = time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)
	submitted = commanded.Add(20 * time.Millisecond)
	answered  = commanded.Add(120 * time.Millisecond).In(time.FixedZone("CST", 8*60*60))
	trace     = sms.Trace{Parent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", State: "a=b"}
	position  = sms.Position{Topic: "sms.commands", Partition: 3, Offset: 42}
)

var numbers = Numbers{Key: HashKey("key of the tests")}

func acceptedResult() sms.Result {
	return sms.Result{
		CommandID: "order-42", Revision: 1, Status: sms.Accepted,
		Recipients: 1, Accepted: 1, Segments: 2, BillableSegments: 2, Encoding: sms.UCS2,
		Submissions: []sms.Submission{{
			Status: sms.Accepted, ProviderMessageID: "20260102110405026137876543", ProviderCode: "0", ProviderText: "提交成功",
			Recipients: 1, Accepted: 1, Attempts: 1, SubmittedAt: submitted, Latency: 98765 * time.Microsecond,
		}},
		Signature: "公司", Extension: "123", ExpiresAt: commanded.Add(5 * time.Minute),
		TextHash: numbers.Key.Hash("code 1"), ToHash: numbers.Key.Hash("13800000001"),
		Class: sms.OTP, Account: "default", Metadata: map[string]string{"tenant": "a", "b": "\"<&>\"\n", "a": ""},
		Command: position, CommandKey: []byte("key"), CommandedAt: commanded, SubmittedAt: submitted, At: answered, Trace: trace,
	}
}

func manyPartsResult() sms.Result {
	r := acceptedResult()
	r.CommandKey, r.Trace = nil, sms.Trace{}
	r.Status, r.Reason, r.Detail = sms.Unknown, sms.Timeout, "part 1 was not answered within 15s"
	r.Recipients, r.Accepted, r.Invalid, r.Blocked = 1000, 498, 1, 1
	r.Submissions[0].Last, r.Submissions[0].Recipients = 499, 500
	r.Submissions = append(r.Submissions, sms.Submission{
		Part: 1, First: 500, Last: 999, Status: sms.Unknown, Reason: sms.Timeout, Recipients: 500, Attempts: 2, SubmittedAt: submitted, PossibleDuplicate: true,
	})
	r.Refused = []sms.Refusal{{Index: 7, Reason: sms.InvalidRecipient}, {Index: 9, Reason: sms.NumberNotAllowed}}
	r.Warnings = []string{"priority", "To"}
	r.SendAt, r.ToHash = commanded.Add(time.Hour), ""
	return r
}

func deliveredReport() sms.Report {
	return sms.Report{
		Revision: 1, ProviderMessageID: "20260102110405026137876543", To: "13800000001", Foreign: new(bool),
		Status: sms.Delivered, ProviderStatus: "DELIVRD", Final: true,
		DoneAt: commanded.Add(3 * time.Second), DoneAtExact: true, ReceivedAt: commanded.Add(4 * time.Second),
		Correlation: sms.Matched, Account: "default",
		Origin: &sms.Origin{
			CommandID: "order-42", Command: position, Key: []byte("key"), Class: sms.OTP,
			Metadata: map[string]string{"tenant": "a"}, SubmittedAt: submitted, Trace: trace,
		},
	}
}

func orphanReport() sms.Report {
	r := deliveredReport()
	r.Origin, r.Correlation, r.Foreign = nil, sms.Orphan, nil
	r.Status, r.ProviderStatus, r.Reason = sms.DeliveryFailed, "ID:0141", sms.ByGateway
	r.DoneAt, r.DoneAtExact = time.Time{}, false
	return r
}

func inboundMessage() sms.Inbound {
	return sms.Inbound{
		From: "13800000001", Text: "退订", Extension: "008123", SystemExtension: "008", CommandExtension: "123",
		SentAt: commanded, ReceivedAt: answered, Keyword: sms.OptOut, Confidence: sms.High, Records: 1, Account: "default",
	}
}

func heldLine() sms.AccountEvent {
	return sms.AccountEvent{
		Account: "default", Instance: "host-1", Line: sms.LineHeld, Reason: sms.InsufficientBalance,
		Balance: "0", Unit: "messages", Level: sms.BalanceExhausted, At: answered,
	}
}

func goldenEvents() map[string]Event {
	return map[string]Event{
		"result-accepted": EncodeResult(acceptedResult()),
		"result-parts":    EncodeResult(manyPartsResult()),
		"result-invalid": EncodeResult(sms.Result{
			CommandID: "sms.commands:3:42", Revision: 1, Status: sms.Invalid, Reason: sms.ValidationFailed, Detail: "text: is missing or empty",
			Class: sms.Notice, Account: "default", Command: position, CommandedAt: commanded, At: answered,
		}),
		"result-duplicate": EncodeResult(sms.Result{
			CommandID: "order-42", Status: sms.Duplicate, Reason: sms.RepeatedID, Class: sms.OTP, Account: "default",
			DuplicateOf: &sms.First{Position: position}, Recipients: 1,
			Command: sms.Position{Topic: "sms.commands", Partition: 3, Offset: 43}, CommandedAt: commanded, At: answered,
		}),
		"report-delivered": EncodeReport(numbers, deliveredReport()),
		"report-orphan":    EncodeReport(numbers, orphanReport()),
		"report-none": EncodeReport(numbers, sms.Report{
			Revision: 1, ProviderMessageID: "20260102110405026137876543", Missing: 3, Status: sms.DeliveryUnreported,
			ReceivedAt: answered, Correlation: sms.Matched, Account: "default", Origin: deliveredReport().Origin,
		}),
		"report-masked":   EncodeReport(Numbers{Key: numbers.Key, Masked: true}, deliveredReport()),
		"report-short":    EncodeShortReport(numbers, deliveredReport()),
		"inbound-masked":  EncodeInbound(Numbers{Key: numbers.Key, Masked: true}, inboundMessage()),
		"inbound":         EncodeInbound(numbers, inboundMessage()),
		"inbound-unclear": EncodeInbound(numbers, sms.Inbound{From: "10086", ReceivedAt: answered, Confidence: sms.Low, Records: 2, Account: "default"}),
		"account-held":    EncodeAccount(heldLine()),
		"account-open":    EncodeAccount(sms.AccountEvent{Account: "default", Instance: "host-1", Line: sms.LineOpen, Level: sms.BalanceUnknown, At: answered}),
	}
}

func TestOutputsAreTheGoldenOnes(t *testing.T) {
	for name, event := range goldenEvents() {
		t.Run(name, func(t *testing.T) {
			got := render(t, event)
			file := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(file, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// render writes an event as it stands in Kafka: headers, key, value.
func render(t *testing.T, e Event) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, h := range e.Headers() {
		fmt.Fprintf(&out, "%s: %s\n", h.Key, h.Value)
	}
	fmt.Fprintf(&out, "\n%s\n\n", e.Key)
	if err := json.Indent(&out, e.Body, "", "  "); err != nil {
		t.Fatalf("%v in %s", err, e.Body)
	}
	out.WriteByte('\n')
	return out.Bytes()
}

// The names stand here once more, by hand, as other programs rely on them.
func TestEveryFieldOfTheContractIsAlwaysThere(t *testing.T) {
	want := map[string]string{
		"result": "event_id command_id revision status reason detail recipients accepted invalid blocked segments billable_segments encoding" +
			" provider_message_id submissions refused duplicate_of signature extension send_at expires_at text_hash to_hash class warnings account metadata command commanded_at submitted_at at",
		"report": "event_id report_id revision command_id provider_message_id to to_hash foreign missing status provider_status final reason done_at" +
			" done_at_exact submitted_at received_at correlation class command account metadata",
		"inbound": "event_id from from_hash text extension system_extension command_extension sent_at received_at keyword confidence records account",
		"account": "event_id account instance line reason balance unit level at",
	}
	for name, event := range goldenEvents() {
		var body map[string]any
		if err := json.Unmarshal(event.Body, &body); err != nil {
			t.Fatal(err)
		}
		kind, _, _ := strings.Cut(name, "-")
		if got, want := slices.Sorted(maps.Keys(body)), slices.Sorted(slices.Values(strings.Fields(want[kind]))); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
		for field, value := range body {
			if value == "" {
				t.Errorf("%s: %s is an empty string", name, field)
			}
		}
		if body["event_id"] != event.ID {
			t.Errorf("%s: event_id %v and ce_id %s differ", name, body["event_id"], event.ID)
		}
	}
}

func TestNoHeaderHoldsANumber(t *testing.T) {
	for name, event := range goldenEvents() {
		for _, h := range event.Headers() {
			if bytes.Contains(h.Value, []byte("13800000001")) || bytes.Contains(h.Value, []byte("10086")) {
				t.Errorf("%s: %s: %s", name, h.Key, h.Value)
			}
		}
	}
}
