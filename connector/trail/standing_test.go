package trail

import (
	"strings"
	"testing"

	"smsbridge/codec/sms"
)

func TestRecipientsWhoseMaskedNumbersAreAlikeAreCountedEach(t *testing.T) {
	t.Parallel()
	e := explainer{delivered: map[string]map[string]string{}}
	for _, hash := range []string{"a", "b", "b"} { // one of them twice
		e.deliver(&report{CommandID: "c", To: "138****0000", ToHash: hash, Status: "delivered", Final: true})
	}
	got := e.reported(&sms.Result{CommandID: "c", Accepted: 3})
	if !strings.Contains(got, "delivered 2") || !strings.Contains(got, "1 without a final report") {
		t.Errorf("got %q", got)
	}
}
