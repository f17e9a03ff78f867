package correlate

import (
	"strconv"
	"testing"

	"smsbridge/codec/sms"
)

func TestTheOldestSubmitIsForgottenFirst(t *testing.T) {
	t.Parallel()
	r := NewRecent(3)
	for i := range 5 {
		r.Remember(strconv.Itoa(i), &sms.Origin{CommandID: strconv.Itoa(i)})
		r.Remember(strconv.Itoa(i), &sms.Origin{}) // the same again takes no second place
	}
	for sendid, want := range map[string]bool{"0": false, "1": false, "2": true, "3": true, "4": true, "": false} {
		if got := r.Origin(sendid); (got != nil) != want {
			t.Errorf("sendid %q: remembered %v, want %v", sendid, got != nil, want)
		}
	}
	if n := len(r.origins); n != 3 {
		t.Errorf("%d remembered, want 3", n)
	}
}
