package wire

import (
	"errors"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"smsbridge/codec/sms"
)

const form = "application/x-www-form-urlencoded"

func TestReportIsReadHoweverItWasSent(t *testing.T) {
	want := ReportPush{
		Credentials: Credentials{Name: "admin", Password: "p;w%d"},
		SendID:      testSendID,
		State:       "DELIVRD",
		Mobiles:     []string{"13800000001", "13800000002"},
		Time:        time.Date(2013, 8, 20, 12, 11, 34, 0, time.UTC),
	}
	encoded := url.Values{
		"name": {"admin"}, "pwd": {"p;w%d"}, "sendid": {" " + testSendID + "\n"}, "state": {"DELIVRD"},
		"mobile": {"+8613800000001,138-0000-0002"}, "time": {"2013-08-20 20:11:34"},
	}.Encode()
	raw := "name=admin&pwd=p;w%d&sendid=" + testSendID + "&time=2013-08-20 20:11:34&mobile=13800000001,13800000002&state=DELIVRD"
	for name, in := range map[string]Push{
		"form":                     {form, []byte(encoded), ""},
		"query":                    {"", nil, encoded},
		"body and query":           {form, []byte(encoded), "name=other&sendid=1&state=EXPIRED"},
		"half and half":            {form, []byte("name=admin&pwd=p%3Bw%25d&sendid=" + testSendID), "state=DELIVRD&mobile=13800000001,13800000002&time=2013-8-20+20:11:34"},
		"not encoded":              {form, []byte(raw), ""},
		"not encoded, one more":    {form, []byte(raw + "&extra=a b&more"), ""},
		"byte order mark":          {"text/plain", []byte("\ufeff" + raw + "\r\n"), ""},
		"trailing comma in mobile": {form, []byte(strings.Replace(raw, "13800000002", "13800000002,", 1)), ""},
		"strange content type":     {"/;;;", []byte(raw), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseReportPush(in)
			if err != nil {
				t.Fatal(err)
			}
			if !got.Time.Equal(want.Time) {
				t.Errorf("time %v, want %v", got.Time, want.Time)
			}
			got.Time = want.Time
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

func TestReportWithAOneDigitHourHasItsTime(t *testing.T) {
	got, err := ParseReportPush(Push{Query: "sendid=1&mobile=13800000001&state=X&time=2013-08-20%209:11:34"})
	if want := time.Date(2013, 8, 20, 1, 11, 34, 0, time.UTC); err != nil || !got.Time.Equal(want) {
		t.Errorf("got %v, %v, want %v", got.Time, err, want)
	}
}

func TestReportHasItsTimeHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	for _, stamp := range []string{"2013/8/21 21:20:00", "2013/08/21 21:20", "2013-8-21 21:20"} {
		got, err := ParseReportPush(Push{Query: "sendid=1&mobile=13800000001&state=X&time=" + url.QueryEscape(stamp)})
		if err != nil || !got.Time.Equal(at(21, 20, 0)) {
			t.Errorf("%s: %v, %v", stamp, got.Time, err)
		}
	}
}

func TestStatesWithBlanksOrChineseAreStates(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"MI:0010 busy", "关机", "号码 不存在，空号", strings.Repeat("长", maxState)} {
		got, err := ParseReportPush(Push{Query: "sendid=1&mobile=13800000001&state=" + url.QueryEscape(" "+state+" ")})
		if err != nil || got.State != state {
			t.Errorf("%q: %q, %v", state, got.State, err)
		}
	}
}

func TestReportWithoutAReadableTimeIsStillAReport(t *testing.T) {
	for _, stamp := range []string{"", "yesterday", "2013-13-40 25:61:61", "0001-01-01 00:00:00"} {
		got, err := ParseReportPush(Push{Query: "sendid=1&mobile=13800000001&state=X&time=" + url.QueryEscape(stamp)})
		if err != nil || !got.Time.IsZero() {
			t.Errorf("%q: %v, %v", stamp, got.Time, err)
		}
	}
}

func TestReportThatCannotBeReadNamesTheFieldAndKeepsTheCredentials(t *testing.T) {
	for name, c := range map[string]struct{ query, field string }{
		"no sendid":         {"name=n&mobile=13800000001&state=DELIVRD", "sendid"},
		"blank sendid":      {"name=n&mobile=13800000001&state=DELIVRD&sendid=%20", "sendid"},
		"no mobile":         {"name=n&sendid=1&state=DELIVRD", "mobile"},
		"only commas":       {"name=n&sendid=1&state=DELIVRD&mobile=,,", "mobile"},
		"no number":         {"name=n&sendid=1&state=DELIVRD&mobile=13800000001,secret", "mobile"},
		"no state":          {"name=n&sendid=1&mobile=13800000001", "state"},
		"newline in sendid": {"name=n&sendid=1%0d%0aX:secret&mobile=13800000001&state=X", "sendid"},
		"endless state":     {"name=n&sendid=1&mobile=13800000001&state=" + strings.Repeat("secret", 20), "state"},
		"escape in state":   {"name=n&sendid=1&mobile=13800000001&state=secret%1b[2J", "state"},
		"nothing":           {"name=n", "sendid"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseReportPush(Push{Query: c.query})
			var unreadable *Unreadable
			if !errors.As(err, &unreadable) || unreadable.Field != c.field {
				t.Fatalf("got %v, want a fault of %s", err, c.field)
			}
			if got.Name != "n" {
				t.Error("credentials are lost")
			}
			if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "138") {
				t.Errorf("the error tells a value: %v", err)
			}
		})
	}
}

func TestRepeatedParameterIsRefused(t *testing.T) {
	for name, in := range map[string]Push{
		"in the body":  {form, []byte("name=a&sendid=1&name=b"), ""},
		"in the query": {form, nil, "name=a&sendid=1&name=b"},
		"hidden":       {form, []byte("name=a&na%6De=b"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			var unreadable *Unreadable
			if _, err := ParseReportPush(in); !errors.As(err, &unreadable) || unreadable.Field != "name" {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestMoreThanSixtyFourParametersAreRefused(t *testing.T) {
	query := func(n int) string {
		q := "sendid=1&mobile=13800000001&state=X"
		for i := range n - 3 {
			q += "&x" + strconv.Itoa(i) + "=1"
		}
		return q
	}
	if _, err := ParseReportPush(Push{Query: query(64)}); err != nil {
		t.Errorf("64: %v", err)
	}
	if _, err := ParseReportPush(Push{Query: query(65)}); err == nil {
		t.Error("65 are accepted")
	}
}

func TestStateIsJudgedByItsExactSpelling(t *testing.T) {
	for raw, want := range map[string]State{
		"DELIVRD":   {sms.Delivered, "", true},
		"UNDELIV":   {sms.Undelivered, "", true},
		"EXPIRED":   {sms.DeliveryExpired, "", true},
		"REJECTD":   {sms.DeliveryRejected, sms.ByMessageCentre, true},
		"REJECT":    {sms.DeliveryRejected, sms.ByReview, true},
		"DTBLACK":   {sms.DeliveryBlocked, "", true},
		"ERR:104":   {sms.DeliveryFailed, sms.SystemBusy, true},
		"UNKNOWN":   {sms.DeliveryUnknown, "", false},
		"ACCEPTD":   {sms.DeliveryPending, "", false},
		"ENROUTE":   {sms.DeliveryPending, "", false},
		"BUFFERED":  {sms.DeliveryPending, "", false},
		"BUFFERD":   {sms.DeliveryPending, "", false},
		"SCHEDULED": {sms.DeliveryPending, "", false},
		"ACCEPTED":  {sms.DeliveryFailed, sms.ByGateway, true},
		"号码 不存在":    {sms.DeliveryFailed, sms.ByGateway, true},
		"ID:0141":   {sms.DeliveryFailed, sms.ByGateway, true},
		"SY1RESP:9": {sms.DeliveryFailed, sms.ByGateway, true},
		"delivrd":   {sms.DeliveryFailed, sms.ByGateway, true},
		"REJECTED":  {sms.DeliveryFailed, sms.ByGateway, true},
		"ERR:1040":  {sms.DeliveryFailed, sms.ByGateway, true},
	} {
		if got := JudgeState(raw); got != want {
			t.Errorf("%s: got %+v, want %+v", raw, got, want)
		}
	}
}

func TestAReportOfANumberThatWeWouldNotSubmitIsStillAReport(t *testing.T) {
	t.Parallel()
	got, err := ParseReportPush(Push{Query: "sendid=1&mobile=%2B1-202-555-0100,106900000001&state=X"})
	if err != nil || !slices.Equal(got.Mobiles, []string{"12025550100", "106900000001"}) {
		t.Fatalf("%v, %v", got.Mobiles, err)
	}
	_, err = ParseReportPush(Push{Query: "sendid=1&state=X&mobile=" + strings.Repeat("1", 21)})
	if err == nil {
		t.Fatal("21 digits passed for a number")
	}
}
