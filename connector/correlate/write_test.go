package correlate

import (
	"encoding/json"
	"testing"
	"time"

	"smsbridge/codec/sms"
)

// FuzzRecordsAreWrittenAsEncodingJSONWouldWriteThem holds every record against the
// one that its struct tags describe, which is what reads it.
func FuzzRecordsAreWrittenAsEncodingJSONWouldWriteThem(f *testing.F) {
	f.Add("", "", "", []byte(nil), int64(0), int64(0), false)
	f.Add("order-1", "sms.commands", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", []byte("customer"), int64(1_767_323_045_123_456_789), int64(3), true)
	f.Add("\"<&>\\", "短信 \u2028\x7f", "\xff\n\x00", []byte{}, int64(1_767_323_045_000_000_000), int64(-1), false)
	f.Fuzz(func(t *testing.T, a, b, c string, key []byte, nanos, n int64, on bool) {
		at := time.Unix(0, nanos).In([]*time.Location{time.UTC, time.FixedZone("", 8*3600)}[n&1])
		if nanos == 0 {
			at = time.Time{}
		}
		var digest hash
		copy(digest[:], c)
		s := &sent{
			CommandID: a, Topic: b, Partition: int(int32(n)), Offset: n, Key: key, Class: sms.Class(c), Metadata: map[string]string{a: b, b: c, c: a},
			SubmittedAt: at, TraceParent: c, TraceState: a, Recipients: int(int32(n)), SendAt: at, Inferred: on,
		}
		if on {
			s.Metadata = nil
		}
		for _, written := range []struct {
			record any
			as     []byte
		}{
			{s, s.append(nil)},
			{&fact{Version: version, Kind: kindSent, Sent: s}, (&fact{Version: version, Kind: kindSent, Sent: s}).encode()},
			{&fact{Kind: kind(a), To: []hash{digest, {1}}, Push: n}, (&fact{Kind: kind(a), To: []hash{digest, {1}}, Push: n}).encode()},
			{&fact{Kind: kindParked, Push: n, Digest: digest, At: at, Orphan: on}, (&fact{Kind: kindParked, Push: n, Digest: digest, At: at, Orphan: on}).encode()},
			{&pushed{int(n), a, at, b, c, at}, (&pushed{int(n), a, at, b, c, at}).encode()},
		} {
			want, err := json.Marshal(written.record)
			if err != nil {
				t.Fatal(err)
			}
			if string(written.as) != string(want) {
				t.Errorf("written as\n%s, want\n%s", written.as, want)
			}
		}
	})
}

func BenchmarkSentRecord(b *testing.B) {
	b.ReportAllocs()
	s := Sent{SendID: numbered(1), Recipients: 1, Origin: sms.Origin{
		CommandID: "order-1", Command: sms.Position{Topic: "sms.commands", Partition: 3, Offset: 12345},
		Key: []byte("customer"), Class: sms.OTP, Metadata: map[string]string{"tenant": "a"}, SubmittedAt: time.Now(),
		Trace: sms.Trace{Parent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
	}}
	for b.Loop() {
		SentRecord(sendidsTopic, s)
	}
}
