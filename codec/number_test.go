package codec

import (
	"bytes"
	"testing"

	"smsbridge/codec/sms"
)

func TestMaskedOutputsHoldNoNumberAndTellPeopleApart(t *testing.T) {
	masked := Numbers{Key: numbers.Key, Masked: true}
	one, other := deliveredReport(), deliveredReport()
	other.To = "13899990001" // looks the same with a mask
	first, second := EncodeReport(masked, one), EncodeReport(masked, other)
	if first.ID == second.ID || ReportID(masked, one) == ReportID(masked, other) {
		t.Error("two people have one event")
	}
	if ReportID(masked, one) == ReportID(numbers, one) {
		t.Error("the report's id can be found by trying numbers")
	}
	m := inboundMessage()
	for name, e := range map[string]Event{"report": first, "inbound": EncodeInbound(masked, m)} {
		if bytes.Contains(e.Body, []byte("13800000001")) || bytes.Contains(e.Key, []byte("13800000001")) || !bytes.Contains(e.Body, []byte(`"138****0001"`)) {
			t.Errorf("%s: key %s, %s", name, e.Key, e.Body)
		}
	}
	m.From = "13899990001"
	if EncodeInbound(masked, m).ID == EncodeInbound(masked, inboundMessage()).ID {
		t.Error("messages of two people are one event")
	}
}

func TestMaskShowsNoMoreThanSevenDigits(t *testing.T) {
	for number, want := range map[string]string{
		"": "", "1": "****", "10086": "10****", "1065812345": "106****", "13800001234": "138****1234", "8613800001234": "861****1234",
	} {
		if got := mask(number); got != want {
			t.Errorf("%s: %s, want %s", number, got, want)
		}
	}
}

func TestShortenedReportIsTheSameEventWithinBounds(t *testing.T) {
	r := deliveredReport()
	r.ProviderStatus = string(bytes.Repeat([]byte("长"), 1000))
	r.Origin = &sms.Origin{CommandID: "order-42", Key: bytes.Repeat([]byte("k"), 1<<20), Metadata: map[string]string{"a": string(bytes.Repeat([]byte{1}, 1000))}}
	whole, short := EncodeReport(numbers, r), EncodeShortReport(numbers, r)
	if whole.ID != short.ID || string(short.Key) != "order-42" || len(short.Body) > 1200 {
		t.Errorf("id %s and %s, key of %d bytes, body of %d", whole.ID, short.ID, len(short.Key), len(short.Body))
	}
}
