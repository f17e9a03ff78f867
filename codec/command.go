package codec

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"smsbridge/codec/sms"
)

// The bounds of a command.
const (
	MaxValue    = 64 << 10 // bytes of a record's value
	MaxDepth    = 16       // nesting of its JSON
	MaxID       = 64       // bytes of an id
	MaxMetadata = 1 << 10  // bytes of all names and values together

	maxWarnings      = 20
	maxWarningLength = 64 // characters
	maxExtension     = 20 // digits
)

// Header is a header of a Kafka record.
type Header struct {
	Key   string
	Value []byte
}

// Incoming is a record of the command topic.
type Incoming struct {
	Source  sms.Position
	At      time.Time // the record's timestamp
	Key     []byte    // nil when null
	Value   []byte    // nil when null
	Headers []Header
}

// Invalid says why a command cannot be used. It never holds a value of the
// command, as it goes into logs and dead letters.
type Invalid struct {
	Field  string // "value" for the record as a whole
	Rule   string
	Remedy string
}

func (e *Invalid) Error() string { return e.Field + ": " + e.Rule + "; " + e.Remedy }

// DecodeCommand reads a command. On an error, which is an *Invalid, the command
// is filled as far as it could be read, always with an id, a class and its
// source, so that its result reaches whoever waits for it.
func DecodeCommand(in Incoming) (sms.Command, error) {
	cmd := sms.Command{
		Class:  sms.Notice,
		Source: in.Source,
		Key:    in.Key,
		At:     in.At,
		Trace:  traceOf(in.Headers),
	}
	d := decoder{cmd: &cmd}
	d.decode(in.Value)
	if cmd.ID == "" {
		cmd.ID = in.Source.Topic + ":" + strconv.Itoa(in.Source.Partition) + ":" + strconv.FormatInt(in.Source.Offset, 10)
	}
	if d.first != nil {
		return cmd, d.first
	}
	return cmd, nil
}

// decoder fills a command and keeps the first fault. It goes on after a fault of
// one field, so that the id is found wherever it stands.
type decoder struct {
	cmd   *sms.Command
	first *Invalid
}

func (d *decoder) fault(field, rule, remedy string) {
	if d.first == nil {
		d.first = &Invalid{Field: field, Rule: rule, Remedy: remedy}
	}
}

func (d *decoder) decode(value []byte) {
	value, problem := checkValue(value)
	if problem != nil {
		d.first = problem
		return
	}
	var seen names
	for name, raw := range members(value) {
		if !seen.add(name) {
			d.fault("value", "holds a field more than once", "which one counts cannot be told; give each once")
			continue
		}
		if string(raw) != "null" {
			d.field(name, raw)
		}
	}
	if len(d.cmd.To) == 0 {
		d.fault("to", "is missing or empty", "give one number as a string, or several as an array of strings")
	}
	if strings.TrimSpace(d.cmd.Text) == "" {
		d.fault("text", "is missing or empty", "give the text to be sent")
	}
}

// checkValue makes sure that value is one JSON object within the bounds, so that
// what reads it afterwards needs no checks of its own.
func checkValue(value []byte) ([]byte, *Invalid) {
	const confluentPrefix = 5 // 0x00 and four bytes of schema id
	if len(value) >= confluentPrefix && value[0] == 0 {
		value = value[confluentPrefix:]
	}
	switch {
	case len(value) == 0:
		return nil, &Invalid{"value", "is empty", "a command is a JSON object; there are no tombstones on this topic"}
	case len(value) > MaxValue:
		return nil, &Invalid{"value", "is larger than 64 KiB", "send fewer recipients in one command"}
	case !utf8.Valid(value):
		return nil, &Invalid{"value", "is not valid UTF-8", "write JSON in UTF-8"}
	case depth(value) > MaxDepth:
		return nil, &Invalid{"value", "is nested deeper than 16 levels", "a command needs two levels"}
	case !json.Valid(value):
		return nil, &Invalid{"value", "is not one JSON value", "write one JSON object and nothing after it"}
	}
	value = bytes.TrimSpace(value)
	if value[0] != '{' {
		return nil, &Invalid{"value", "is not a JSON object", "write an object with at least to and text"}
	}
	return value, nil
}

func (d *decoder) field(name string, raw []byte) {
	switch name {
	case "id":
		d.id(raw)
	case "to":
		d.to(raw)
	case "text":
		d.cmd.Text, _ = d.text(name, raw)
	case "signature":
		d.signature(raw)
	case "extension":
		d.extension(raw)
	case "send_at":
		d.cmd.SendAt = d.time(name, raw)
	case "expires_at":
		d.cmd.ExpiresAt = d.time(name, raw)
	case "class":
		d.class(raw)
	case "on_unknown":
		d.onUnknown(raw)
	case "max_segments":
		d.maxSegments(raw)
	case "metadata":
		d.metadata(raw)
	default:
		d.warn(name)
	}
}

func (d *decoder) text(name string, raw []byte) (string, bool) {
	if raw[0] != '"' {
		d.fault(name, "is not a string", "write it in quotation marks")
		return "", false
	}
	s, ok := unquote(raw)
	if !ok {
		d.fault(name, "holds half of a surrogate pair", "write characters beyond U+FFFF as two escapes or in UTF-8")
	}
	return s, ok
}

func (d *decoder) id(raw []byte) {
	id, ok := d.text("id", raw)
	if !ok {
		return
	}
	if !isID(id) {
		d.fault("id", "is not 1 to 64 of A-Z a-z 0-9 . _ : -", "choose another id, or leave it out for topic:partition:offset")
		return
	}
	d.cmd.ID = id
}

func isID(id string) bool {
	for i := range len(id) {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte("._:-", c) < 0 {
			return false
		}
	}
	return id != "" && len(id) <= MaxID
}

func (d *decoder) to(raw []byte) {
	const remedy = "give one number as a string, or several as an array of strings"
	switch raw[0] {
	case '"':
		if number, ok := d.text("to", raw); ok && number != "" {
			d.cmd.To = []string{number}
		}
	case '[':
		to := make([]string, 0, 1)
		for raw := range elements(raw) {
			if raw[0] != '"' {
				d.fault("to", "holds something that is not a string", remedy)
				return
			}
			number, ok := d.text("to", raw)
			if !ok {
				return
			}
			to = append(to, number)
		}
		d.cmd.To = to
	default:
		d.fault("to", "is neither a string nor an array", remedy)
	}
}

func (d *decoder) signature(raw []byte) {
	s, _ := d.text("signature", raw)
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		d.fault("signature", "holds a control character", "give the bare name that stands between 【 and 】")
		return
	}
	d.cmd.Signature = s
}

func (d *decoder) extension(raw []byte) {
	s, _ := d.text("extension", raw)
	if len(s) > maxExtension || strings.Trim(s, "0123456789") != "" {
		d.fault("extension", "is not up to 20 digits", "give the digits that follow the provider's own number")
		return
	}
	d.cmd.Extension = s
}

func (d *decoder) time(name string, raw []byte) time.Time {
	s, ok := d.text(name, raw)
	if !ok {
		return time.Time{}
	}
	// Zero values of other languages, such as the year 1, are mistakes and would
	// be lost as "not given".
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Year() < 1970 || t.Year() > 2999 {
		d.fault(name, "is not a time of RFC 3339 from 1970 to 2999", "write it as 2006-01-02T15:04:05Z or with an offset such as +08:00")
		return time.Time{}
	}
	return t
}

func (d *decoder) class(raw []byte) {
	s, ok := d.text("class", raw)
	switch c := sms.Class(s); c {
	case sms.OTP, sms.Notice, sms.Marketing:
		d.cmd.Class = c
	default:
		if ok {
			d.fault("class", "is not one of otp, notice, marketing", "leave it out for notice")
		}
	}
}

func (d *decoder) onUnknown(raw []byte) {
	s, ok := d.text("on_unknown", raw)
	switch p := sms.OnUnknown(s); p {
	case sms.ReportUnknown, sms.ResendUnknown:
		d.cmd.OnUnknown = p
	default:
		if ok {
			d.fault("on_unknown", "is not one of report, resend", "leave it out for what the connector is configured to do")
		}
	}
}

func (d *decoder) maxSegments(raw []byte) {
	n, err := strconv.ParseInt(string(raw), 10, 32)
	if err != nil || n < 1 {
		d.fault("max_segments", "is not a whole number of at least 1", "leave it out for no limit")
		return
	}
	d.cmd.MaxSegments = int(n)
}

func (d *decoder) metadata(raw []byte) {
	const remedy = "give an object of strings with up to 1 KiB of names and values"
	if raw[0] != '{' {
		d.fault("metadata", "is not an object", remedy)
		return
	}
	metadata, size := make(map[string]string), 0
	for name, raw := range members(raw) {
		if string(raw) == "null" {
			continue
		}
		if raw[0] != '"' {
			d.fault("metadata", "holds a value that is not a string", remedy)
			return
		}
		value, ok := d.text("metadata", raw)
		if !ok {
			return
		}
		if _, twice := metadata[name]; twice {
			d.fault("metadata", "holds a name twice", remedy)
			return
		}
		if size += len(name) + len(value); size > MaxMetadata {
			d.fault("metadata", "is larger than 1 KiB", remedy)
			return
		}
		metadata[name] = value
	}
	d.cmd.Metadata = metadata
}

// warn keeps the name of a field that means nothing to us. Names are bounded, as
// the result echoes them.
func (d *decoder) warn(name string) {
	if len(d.cmd.Warnings) == maxWarnings {
		return
	}
	if utf8.RuneCountInString(name) > maxWarningLength {
		name = string([]rune(name)[:maxWarningLength])
	}
	d.cmd.Warnings = append(d.cmd.Warnings, name)
}

// traceOf picks the W3C trace context out of a record's headers. Longer ones
// than the recommendation allows are left behind.
func traceOf(headers []Header) sms.Trace {
	var t sms.Trace
	for _, h := range headers {
		switch {
		case strings.EqualFold(h.Key, "traceparent") && len(h.Value) <= 64:
			t.Parent = string(h.Value)
		case strings.EqualFold(h.Key, "tracestate") && len(h.Value) <= 512:
			t.State = string(h.Value)
		}
	}
	return t
}
