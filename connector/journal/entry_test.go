package journal

import (
	"testing"
	"time"

	"smsbridge/codec/sms"
)

func TestEveryRecordIsReadByThoseWhoOnlyLook(t *testing.T) {
	t.Parallel()
	ref := Ref{Offset: 7, ID: "c"}
	came := sms.Submission{Part: 2, First: 4, Last: 5, Status: sms.Accepted, ProviderMessageID: "20260101000000000000001"}
	for name, c := range map[string]struct {
		record record
		fits   func(Entry) bool
	}{
		"intent": {
			record{kind: intent, names: -1, part: 2, first: 4, last: 5, attempt: 3, flagged: true, expires: time.UnixMilli(1e12)},
			func(e Entry) bool {
				return e.Kind == IntentEntry && e.Part == 2 && e.First == 4 && e.Last == 5 && e.Attempt == 3 && e.PossibleDuplicate &&
					e.Intent == -1 && e.Expires.Equal(time.UnixMilli(1e12))
			},
		},
		"released": {record{kind: released, names: 9}, func(e Entry) bool { return e.Kind == ReleasedEntry && e.Intent == 9 }},
		"done": {record{kind: done, names: 9, came: came}, func(e Entry) bool {
			return e.Kind == DoneEntry && e.Intent == 9 && e.Part == 2 && e.Submission != nil && e.Submission.ProviderMessageID == came.ProviderMessageID
		}},
		"final, of an answer": {record{kind: final, names: 9, came: came, status: sms.Accepted, revision: 1}, func(e Entry) bool {
			return e.Kind == FinalEntry && e.Intent == 9 && e.Submission != nil && e.Status == sms.Accepted && e.Revision == 1
		}},
		"final, of none": {record{kind: final, names: -1, status: sms.Expired, revision: 1}, func(e Entry) bool {
			return e.Kind == FinalEntry && e.Intent == -1 && e.Submission == nil && e.Status == sms.Expired
		}},
		"evidence": {record{kind: evidence, names: -1, part: 2, sendid: "s", taken: time.UnixMilli(1e12)}, func(e Entry) bool {
			return e.Kind == EvidenceEntry && e.Part == 2 && e.SendID == "s"
		}},
		"decision": {record{kind: adopted, names: -1, from: "g"}, func(e Entry) bool { return e.Kind == OtherEntry && e.Submission == nil }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.record.ref, c.record.group, c.record.gen = ref, "g", 12
			e, err := ReadEntry(c.record.encode(nil))
			if err != nil || e.Command != ref || e.Group != "g" || e.Generation != 12 || !c.fits(e) {
				t.Errorf("%+v, %v", e, err)
			}
		})
	}
	if _, err := ReadEntry([]byte{format + 1, 1}); err == nil {
		t.Error("a record of a newer format is read")
	}
}
