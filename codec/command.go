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
	MaxKey      = 4 << 10  // bytes of its key, which stands in every event about the command
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
// source, so that its result reaches whoever waits for it. A key that is too long
// is left out: the result then goes by the id.
func DecodeCommand(in Incoming) (sms.Command, error) {
	cmd := sms.Command{
		Class:  sms.Notice,
		Source: in.Source,
		Key:    in.Key,
		At:     in.At,
		Trace:  traceOf(in.Headers),
	}
	d := decoder{cmd: &cmd}
	if len(in.Key) > MaxKey {
		cmd.Key = nil
		d.fault("key", "is longer than 4 KiB", "use a short key, such as a customer's or an order's id")
	}
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
		d.fault(problem.Field, problem.Rule, problem.Remedy)
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
