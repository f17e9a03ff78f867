package codec

import (
	"testing"

	"smsbridge/codec/sms"
)

func TestAResultThatIsReadBackIsWrittenAsItWas(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]sms.Result{
		"accepted": acceptedResult(),
		"parts":    manyPartsResult(),
		"duplicate": {
			CommandID: "c", Status: sms.Duplicate, Reason: sms.RepeatedID, Class: sms.OTP, Command: position, CommandedAt: commanded, At: answered,
			DuplicateOf: &sms.First{Position: position},
		},
	} {
		body := EncodeResult(r).Body
		again, err := DecodeResult(body)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := EncodeResult(again).Body; string(got) != string(body) {
			t.Errorf("%s:\n%s\nwas\n%s", name, got, body)
		}
	}
}
