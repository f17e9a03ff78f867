package wire

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// MaxAnswer bounds the body of an answer, in bytes.
const MaxAnswer = 64 << 10

// maxAnswerText bounds the provider's message, in characters, as it is passed on
// in every result.
const maxAnswerText = 200

// ErrUnreadable is wrapped by every error of ParseAnswer and ParseBalance. After
// a submit it means that the outcome is unknown: the request may have been
// carried out, whatever the body says.
var ErrUnreadable = errors.New("unreadable answer")

// Answer is the provider's answer to a submit.
type Answer struct {
	Code   string // raw; "0" comes only with a SendID
	SendID string // digits, opaque, 14 or more outside of the six-field form; empty unless the code is "0"
	// The provider's counts of numbers; zero unless the code is "0".
	Invalid, Accepted, Blocked int
	Text                       string // at most 200 characters, without control characters and long digits
}

// ParseAnswer reads the answer line of a submit:
// code,sendid,invalidcount,successcount,blackcount,msg on success and code,msg
// else. Also read: full-width commas, and the short code,sendid,successcount,msg.
//
// A line that was cut must not pass for another one: "1" may be the beginning of
// "13", a sendid at the end of the line may lack digits, and four fields that end
// in digits are the beginning of six. So each has to be ended by its comma; codes
// of two characters stand alone as well, as no longer ones are known.
func ParseAnswer(body []byte) (Answer, error) {
	line, err := firstLine(body)
	if err != nil {
		return Answer{}, err
	}
	a, err := parseAnswerLine(line)
	if err != nil && strings.Contains(line, "，") {
		return parseAnswerLine(strings.ReplaceAll(line, "，", ","))
	}
	return a, err
}

func parseAnswerLine(line string) (Answer, error) {
	code, rest, err := cutCode(line)
	if err != nil {
		return Answer{}, err
	}
	if code != "0" {
		return Answer{Code: code, Text: cleanText(rest)}, nil
	}
	fields := strings.SplitN(rest, ",", 5)
	for i := range fields {
		fields[i] = strings.TrimSpace(fields[i])
	}
	a := Answer{Code: code, SendID: fields[0]}
	short := len(fields) == 5 && isDigits(a.SendID) && len(a.SendID) <= maxSendID // in the whole form, of which nothing was cut off
	if !isSendID(a.SendID) && !short {
		return Answer{}, unreadable("code 0 without a sendid of 14 or more digits")
	}
	if err := a.readCounts(fields[1:]); err != nil {
		return Answer{}, err
	}
	return a, nil
}

// readCounts reads what follows the sendid.
func (a *Answer) readCounts(fields []string) error {
	switch {
	case len(fields) >= 3 && isCount(fields[0]) && isCount(fields[1]) && isCount(fields[2]):
		a.Invalid, a.Accepted, a.Blocked = count(fields[0]), count(fields[1]), count(fields[2])
		if len(fields) > 3 {
			a.Text = cleanText(fields[3])
		}
	case len(fields) >= 2 && isCount(fields[0]) && fields[1] != "" && !isDigits(fields[1]):
		a.Accepted, a.Text = count(fields[0]), cleanText(strings.Join(fields[1:], ","))
	default:
		return unreadable("code 0 without its counts")
	}
	return nil
}

// Balance is the provider's answer to a question for the balance.
type Balance struct {
	Code   string // raw
	Amount string // decimal number of messages; empty unless the code is "0"
	Text   string // as in Answer; empty when the code is "0"
}

// ParseBalance reads the answer line code,balance.
func ParseBalance(body []byte) (Balance, error) {
	line, err := firstLine(body)
	if err != nil {
		return Balance{}, err
	}
	code, rest, err := cutCode(strings.ReplaceAll(line, "，", ","))
	if err != nil {
		return Balance{}, err
	}
	if code != "0" {
		return Balance{Code: code, Text: cleanText(rest)}, nil
	}
	amount := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), ","))
	if !isAmount(amount) {
		return Balance{}, unreadable("code 0 without a decimal number")
	}
	return Balance{Code: code, Amount: amount}, nil
}

// SendIDTime is the time that a sendid begins with, yyyyMMddHHmmssSSS: when the
// provider took the submit. It reports false when the digits are no time.
func SendIDTime(sendID string) (time.Time, bool) {
	if !isSendID(sendID) {
		return time.Time{}, false
	}
	t, err := time.ParseInLocation("20060102150405", sendID[:14], Zone)
	if err != nil || t.Year() < 2000 {
		return time.Time{}, false
	}
	if len(sendID) >= 17 {
		t = t.Add(time.Duration(count(sendID[14:17])) * time.Millisecond)
	}
	return t, true
}

// firstLine returns the first line of body that is not blank, as UTF-8.
func firstLine(body []byte) (string, error) {
	if len(body) > MaxAnswer {
		return "", unreadable("it is larger than 64 KiB")
	}
	s := strings.TrimPrefix(decodeText(body), "\ufeff")
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			return line, nil
		}
	}
	return "", unreadable("it is empty")
}

// longDigits may be a phone number that the provider repeats, and results, the
// journal and logs of whoever reads them are no place for one. ASCII and full-width.
var longDigits = regexp.MustCompile(`[0-9０-９]{7,}`)

// cleanText makes the provider's message fit to be passed on: one line, bounded.
func cleanText(s string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, s))
	s = longDigits.ReplaceAllStringFunc(s, func(digits string) string { return strings.Repeat("*", utf8.RuneCountInString(digits)) })
	if utf8.RuneCountInString(s) > maxAnswerText {
		s = string([]rune(s)[:maxAnswerText])
	}
	return s
}

// cutCode cuts the code off the beginning of a line.
func cutCode(line string) (code, rest string, err error) {
	code, rest, ended := strings.Cut(line, ",")
	code = strings.TrimSpace(code)
	if !isCode(code) || !ended && len(code) < 2 {
		return "", "", unreadable("it does not begin with a code and a comma")
	}
	return code, rest, nil
}

// isCode reports whether s is a code as the provider numbers them. "00" or "+0"
// is not success written differently but a line that is not an answer.
func isCode(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	return s == "0" || len(digits) <= 9 && isDigits(digits) && digits[0] != '0'
}

const maxSendID = 64 // digits

// isSendID knows a sendid by itself, wherever it stands.
func isSendID(s string) bool { return len(s) >= 14 && len(s) <= maxSendID && isDigits(s) }

func isCount(s string) bool { return len(s) <= 9 && isDigits(s) }

// count reads digits that isCount has accepted.
func count(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// isAmount accepts twelve digits before the point: a sendid is not a balance.
func isAmount(s string) bool {
	whole, fraction, found := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	return len(whole) <= 12 && isDigits(whole) && (!found || len(fraction) <= 12 && isDigits(fraction))
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func unreadable(why string) error { return fmt.Errorf("%w: %s", ErrUnreadable, why) }
