package wire

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"smsbridge/codec/sms"
)

// MaxRecords bounds the inbound messages of one push.
const MaxRecords = 1000

// InboundPush is a push of inbound messages; ParseArgs reads Args.
type InboundPush struct {
	Credentials
	Args string
}

// ParseInboundPush reads a push of inbound messages. On an error, which is an
// *Unreadable, the credentials are filled all the same.
func ParseInboundPush(p Push) (InboundPush, error) {
	fields, err := p.fields("name", "pwd", "random", "timestamp", "args")
	push := InboundPush{Credentials: fields.credentials()}
	if err != nil {
		return push, err
	}
	push.Args = strings.TrimSpace(fields.get("args"))
	if !strings.Contains(push.Args, fieldMark) && strings.Contains(push.Args, escapedFieldMark) {
		push.Args = decodeText([]byte(unescape(push.Args, '+'))) // encoded twice
	}
	if push.Args == "" {
		return push, missing("args")
	}
	return push, nil
}

// MO is one inbound message.
type MO struct {
	From       string // digits
	Text       string
	SentAt     time.Time
	Extension  string // the system's prefix and the command's own; may be empty
	Confidence sms.Confidence
}

const (
	fieldMark  = "#@#"
	recordMark = "#@@#"

	escapedFieldMark = "%23%40%23"
)

// ParseArgs reads records of number#@#text#@#time#@#extension joined by #@@#.
// The text is not escaped and may hold the separators, so nothing is split: a
// record begins with a number and ends at the first time and extension behind
// which another record begins or the input ends.
//
// A last record may lack the mark behind its time: it may be somebody's wish to get
// no more texts.
//
// A text that holds what looks like the beginning or the end of a record, or like
// text that is still encoded, is of low confidence. One limit cannot be overcome: a
// person who ends their own record in full and begins another one has written what
// the provider writes for two messages.
//
// An error is an *Unreadable; the records before the place it speaks of are
// returned with it, save when there are more than MaxRecords.
func ParseArgs(args string) ([]MO, error) {
	var all []MO
	for rest := strings.TrimSpace(args); rest != ""; {
		if len(all) == MaxRecords {
			return nil, &Unreadable{Field: "args", Rule: fmt.Sprintf("holds more than %d records", MaxRecords), Remedy: "ask the provider for smaller pushes"}
		}
		from, body, ok := cutNumber(rest)
		if !ok {
			return all, badRecord(len(all), "does not begin with a number and #@#")
		}
		mo, next, ok := cutRecord(body)
		if !ok {
			return all, badRecord(len(all), "does not end with a time, #@# and digits")
		}
		mo.From = from
		all = append(all, mo)
		rest = next
	}
	if len(all) == 0 {
		return nil, missing("args")
	}
	return all, nil
}

func badRecord(index int, rule string) error {
	return &Unreadable{Field: "args", Rule: fmt.Sprintf("record %d %s", index+1, rule), Remedy: "look at the raw push"}
}

// cutRecord reads text, time and extension, and returns what is behind the mark
// that ends the record.
func cutRecord(s string) (mo MO, rest string, ok bool) {
	suspicious := false
	for at := 0; ; at++ {
		i := strings.Index(s[at:], fieldMark)
		if i < 0 {
			return MO{}, "", false
		}
		at += i
		sent, extension, tail, found := cutTail(s[at+len(fieldMark):])
		if !found {
			continue
		}
		rest, ended := cutEnd(tail)
		if !ended {
			suspicious = true
			continue
		}
		text := s[:at]
		mo = MO{Text: text, SentAt: sent, Extension: extension, Confidence: sms.High}
		if suspicious || holdsHead(s[:at+len(fieldMark)]) || isGarbled(text) {
			mo.Confidence = sms.Low
		}
		return mo, rest, true
	}
}

// isGarbled reports whether a text is not what a person wrote: bytes of no charset,
// or escapes of what is not ASCII.
func isGarbled(text string) bool {
	if strings.ContainsRune(text, '\ufffd') {
		return true
	}
	for i := range len(text) {
		if c, ok := escaped(text[i:]); ok && c >= utf8.RuneSelf {
			return true
		}
	}
	return false
}

const longestTime = 24

// cutTail reads time#@#digits.
func cutTail(s string) (sent time.Time, extension, rest string, ok bool) {
	const longestExtension = 20
	stamp, _, found := strings.Cut(s[:min(len(s), longestTime+len(fieldMark))], fieldMark)
	if !found {
		return cutLastTime(s)
	}
	if sent, ok = parseTime(strings.TrimSpace(stamp)); !ok {
		return time.Time{}, "", "", false
	}
	rest = s[len(stamp)+len(fieldMark):]
	n := 0
	for n < len(rest) && '0' <= rest[n] && rest[n] <= '9' {
		n++
	}
	return sent, rest[:n], rest[n:], n <= longestExtension
}

// cutLastTime reads a time that the input ends with. One that does not end in two
// digits may have been cut.
func cutLastTime(s string) (sent time.Time, extension, rest string, ok bool) {
	if len(s) > longestTime+len(recordMark) {
		return time.Time{}, "", "", false
	}
	s = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(s), recordMark))
	if i := strings.LastIndexByte(s, ':'); i < 0 || len(s)-i < len(":00") {
		return time.Time{}, "", "", false
	}
	sent, ok = parseTime(s)
	return sent, "", "", ok
}

// cutEnd reports whether a record may end here: at the end of the input, or at a
// mark behind which the next record begins.
func cutEnd(s string) (rest string, ok bool) {
	s = strings.TrimLeft(s, " \r\n")
	if s == "" {
		return "", true
	}
	rest, found := strings.CutPrefix(s, recordMark)
	if !found {
		return "", false
	}
	rest = strings.TrimLeft(rest, " \r\n")
	_, _, begins := cutNumber(rest)
	return rest, begins || rest == ""
}

// holdsHead reports whether a text, taken with the mark that ends it, holds what
// begins a record.
func holdsHead(text string) bool {
	for {
		_, rest, found := strings.Cut(text, recordMark)
		if !found {
			return false
		}
		if _, _, begins := cutNumber(rest); begins {
			return true
		}
		text = rest
	}
}

// cutNumber reads number#@#. Senders may be short codes, so any digits do; a
// mainland number loses its prefix.
func cutNumber(s string) (digits, rest string, ok bool) {
	const longest = 24
	number, _, found := strings.Cut(s[:min(len(s), longest+len(fieldMark))], fieldMark)
	if !found {
		return "", "", false
	}
	rest = s[len(number)+len(fieldMark):]
	digits = strings.TrimPrefix(strings.TrimSpace(number), "+")
	if !isDigits(digits) {
		return "", "", false
	}
	if mainland, ok := NormalizeNumber(number); ok {
		digits = mainland
	}
	return digits, rest, true
}

// SplitExtension cuts the extension of an inbound message into the system's
// prefix, of the length given, and what a command chose as its own. The prefix
// may change; its length does not.
func SplitExtension(extension string, systemLength int) (system, command string) {
	n := max(0, min(systemLength, len(extension)))
	return extension[:n], extension[n:]
}
