package wire

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"smsbridge/codec/sms"
)

// ReportPush is a delivery report: one state of one or several numbers.
type ReportPush struct {
	Credentials
	SendID  string
	State   string   // raw, trimmed; JudgeState knows it
	Mobiles []string // digits, in the order given
	// Time is when the state was reached; zero when none could be read. With
	// several numbers it is the first one's.
	Time time.Time
}

// ParseReportPush reads a delivery report. On an error, which is an
// *Unreadable, the credentials are filled all the same: who called is judged
// before what was said.
func ParseReportPush(p Push) (ReportPush, error) {
	fields, err := p.fields("name", "pwd", "random", "timestamp", "sendid", "time", "mobile", "state")
	report := ReportPush{Credentials: fields.credentials()}
	if err != nil {
		return report, err
	}
	if report.SendID, err = token(fields, "sendid"); err != nil {
		return report, err
	}
	if report.State, err = state(fields); err != nil {
		return report, err
	}
	if report.Mobiles, err = mobiles(fields.get("mobile")); err != nil {
		return report, err
	}
	report.Time, _ = parseTime(strings.TrimSpace(fields.get("time")))
	return report, nil
}

// maxState bounds a state, in characters.
const maxState = 64

// state reads a state as it is: gateways write codes of their own, with blanks and
// in Chinese too.
func state(fields *fields) (string, error) {
	v := strings.TrimSpace(fields.get("state"))
	if v == "" {
		return "", missing("state")
	}
	if utf8.RuneCountInString(v) > maxState || strings.ContainsFunc(v, unicode.IsControl) {
		return "", &Unreadable{Field: "state", Rule: "is longer than 64 characters or holds a control character", Remedy: "look at the raw push"}
	}
	return v, nil
}

// token reads a field that becomes a key of events: short, and printable ASCII.
func token(fields *fields, name string) (string, error) {
	v := strings.TrimSpace(fields.get(name))
	if v == "" {
		return "", missing(name)
	}
	for i := range len(v) {
		if v[i] <= ' ' || v[i] > '~' || i == 64 {
			return "", &Unreadable{Field: name, Rule: "is not 1 to 64 printable ASCII characters", Remedy: "look at the raw push"}
		}
	}
	return v, nil
}

func mobiles(list string) ([]string, error) {
	var out []string
	for m := range strings.SplitSeq(strings.ReplaceAll(list, "，", ","), ",") {
		if strings.TrimSpace(m) == "" {
			continue
		}
		digits, ok := NormalizeNumber(m)
		if !ok {
			digits, ok = anyNumber(m)
		}
		if !ok {
			return nil, &Unreadable{Field: "mobile", Rule: "holds what is not a number", Remedy: "look at the raw push"}
		}
		out = append(out, digits)
	}
	if len(out) == 0 {
		return nil, missing("mobile")
	}
	return out, nil
}

// anyNumber reads a number that we would not have submitted. A report of one is
// still a fact: the account may be used by others too.
func anyNumber(s string) (digits string, ok bool) {
	const longest = 20
	if len(s) > 2*longest {
		return "", false
	}
	digits, ok = strip(s)
	digits = strings.TrimPrefix(digits, "+")
	return digits, ok && digits != "" && len(digits) <= longest && isDigits(digits)
}

// State is what a state of the provider means.
type State struct {
	Status sms.DeliveryStatus
	Reason sms.DeliveryReason // empty: the status says it all
	Final  bool               // no other report of this recipient is expected
}

// JudgeState knows the states of the provider's document by their exact
// spelling: REJECT is the provider's review and REJECTD the message centre. SMPP's
// intermediate states say only that another one follows. Anything else is a
// gateway's own code for a failure.
func JudgeState(raw string) State {
	switch raw {
	case "DELIVRD":
		return State{Status: sms.Delivered, Final: true}
	case "UNDELIV":
		return State{Status: sms.Undelivered, Final: true}
	case "EXPIRED":
		return State{Status: sms.DeliveryExpired, Final: true}
	case "REJECTD":
		return State{Status: sms.DeliveryRejected, Reason: sms.ByMessageCentre, Final: true}
	case "REJECT":
		return State{Status: sms.DeliveryRejected, Reason: sms.ByReview, Final: true}
	case "DTBLACK":
		return State{Status: sms.DeliveryBlocked, Final: true}
	case "ERR:104":
		return State{Status: sms.DeliveryFailed, Reason: sms.SystemBusy, Final: true}
	case "UNKNOWN":
		return State{Status: sms.DeliveryUnknown}
	case "ACCEPTD", "ENROUTE", "BUFFERED", "BUFFERD", "SCHEDULED": // SMPP's, on the way
		return State{Status: sms.DeliveryPending}
	default:
		return State{Status: sms.DeliveryFailed, Reason: sms.ByGateway, Final: true}
	}
}
