package codec

import (
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"smsbridge/codec/sms"
)

// TimeLayout is how outputs write a time, in UTC.
const TimeLayout = "2006-01-02T15:04:05.000Z"

// object appends JSON. Its methods write one member each and null for what is
// not known, which encoding/json cannot do without a pointer for every field.
type object []byte

func newObject() object { return append(make(object, 0, 1024), '{') }

func (o *object) end() []byte {
	*o = append(*o, '}')
	return *o
}

// name begins a member.
func (o *object) name(name string) {
	b := *o
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = append(b, '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	*o = b
}

// next begins an element of an array.
func (o *object) next() {
	if last := (*o)[len(*o)-1]; last != '[' {
		*o = append(*o, ',')
	}
}

func (o *object) raw(s string) { *o = append(*o, s...) }

func (o *object) null(name string) {
	o.name(name)
	o.raw("null")
}

// text writes null for an empty string: no field of the contract has an empty
// string as a known value.
func (o *object) text(name, value string) {
	o.name(name)
	if value == "" {
		o.raw("null")
		return
	}
	o.quote(value)
}

func (o *object) number(name string, n int64) {
	o.name(name)
	*o = strconv.AppendInt(*o, n, 10)
}

func (o *object) count(name string, n int) { o.number(name, int64(n)) }

func (o *object) flag(name string, b bool) {
	o.name(name)
	*o = strconv.AppendBool(*o, b)
}

// time writes null for the zero time.
func (o *object) time(name string, t time.Time) {
	o.name(name)
	if t.IsZero() {
		o.raw("null")
		return
	}
	b := *o
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, TimeLayout)
	b = append(b, '"')
	*o = b
}

func (o *object) position(name string, p sms.Position) {
	o.name(name)
	o.raw("{")
	o.place(p)
	o.raw("}")
}

func (o *object) place(p sms.Position) {
	o.text("topic", p.Topic)
	o.count("partition", p.Partition)
	o.number("offset", p.Offset)
}

// metadata is written in the order of its names, so that the same event has the
// same bytes.
func (o *object) metadata(m map[string]string) {
	if m == nil {
		o.null("metadata")
		return
	}
	keys := make([]string, 0, 8)
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	o.name("metadata")
	o.raw("{")
	for i, key := range keys {
		if i > 0 {
			o.raw(",")
		}
		o.quote(key)
		o.raw(":")
		o.quote(m[key])
	}
	o.raw("}")
}

func (o *object) texts(name string, values []string) {
	o.name(name)
	o.raw("[")
	for _, v := range values {
		o.next()
		o.quote(v)
	}
	o.raw("]")
}

func (o *object) quote(s string) { *o = appendQuoted(*o, s) }

// appendQuoted writes a JSON string. What is not UTF-8 becomes U+FFFD; U+2028 and
// U+2029 are escaped because JavaScript once ended lines at them.
func appendQuoted(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if c >= utf8.RuneSelf && r != '\u2028' && r != '\u2029' && (r != utf8.RuneError || size > 1) {
			i += size
			continue
		}
		b = append(b, s[start:i]...)
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, `\n`...)
		case c < ' ':
			b = append(b, `\u00`...)
			b = append(b, hex[c>>4], hex[c&15])
		case size == 1:
			b = append(b, `\ufffd`...)
		default:
			b = append(b, `\u202`...)
			b = append(b, hex[r&15])
		}
		i += size
		start = i
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(TimeLayout)
}
