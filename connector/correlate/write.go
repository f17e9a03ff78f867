package correlate

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// object appends JSON, byte for byte what encoding/json makes of the same struct:
// a sent is written for each submit and a push for each report, and reflection
// would be a good part of what they cost.
type object []byte

// name begins a member.
func (o *object) name(name string) {
	if last := (*o)[len(*o)-1]; last != '{' {
		*o = append(*o, ',')
	}
	*o = append(*o, '"')
	*o = append(*o, name...)
	*o = append(*o, '"', ':')
}

func (o *object) text(name, value string) {
	o.name(name)
	o.quote(value)
}

// known leaves out what is empty.
func (o *object) known(name, value string) {
	if value != "" {
		o.text(name, value)
	}
}

func (o *object) number(name string, n int64) {
	o.name(name)
	*o = strconv.AppendInt(*o, n, 10)
}

// flag leaves out false.
func (o *object) flag(name string, on bool) {
	if on {
		o.name(name)
		*o = append(*o, "true"...)
	}
}

// time leaves out the zero time.
func (o *object) time(name string, t time.Time) {
	if !t.IsZero() {
		o.name(name)
		*o = append(*o, '"')
		*o = t.AppendFormat(*o, time.RFC3339Nano)
		*o = append(*o, '"')
	}
}

// bytes writes null for nil.
func (o *object) bytes(name string, value []byte) {
	o.name(name)
	if value == nil {
		*o = append(*o, "null"...)
		return
	}
	*o = append(*o, '"')
	*o = base64.StdEncoding.AppendEncode(*o, value)
	*o = append(*o, '"')
}

func (o *object) texts(name string, values map[string]string) {
	if len(values) == 0 {
		return
	}
	o.name(name)
	*o = append(*o, '{')
	keys := slices.AppendSeq(make([]string, 0, 8), maps.Keys(values))
	slices.Sort(keys)
	for _, key := range keys {
		if (*o)[len(*o)-1] != '{' {
			*o = append(*o, ',')
		}
		o.quote(key)
		*o = append(*o, ':')
		o.quote(values[key])
	}
	*o = append(*o, '}')
}

func (o *object) hash(h hash) {
	*o = append(*o, '"')
	*o = hex.AppendEncode(*o, h[:])
	*o = append(*o, '"')
}

// quote writes a string. Few of ours hold anything that is to be escaped.
func (o *object) quote(s string) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, err := json.Marshal(s)
			if err != nil {
				panic(fmt.Sprintf("correlate: a string that is no JSON: %v", err))
			}
			*o = append(*o, quoted...)
			return
		}
	}
	*o = append(*o, '"')
	*o = append(*o, s...)
	*o = append(*o, '"')
}

func (f *fact) encode() []byte {
	o := append(make(object, 0, 512), '{')
	o.number("v", int64(f.Version))
	o.text("kind", string(f.Kind))
	if f.Sent != nil {
		o.name("sent")
		o = f.Sent.append(o)
	}
	if len(f.To) > 0 {
		o.name("to")
		for i, to := range f.To {
			o = append(o, "[,"[min(i, 1)])
			o.hash(to)
		}
		o = append(o, ']')
	}
	if f.Push != 0 {
		o.number("push", f.Push)
	}
	if f.Digest != (hash{}) {
		o.name("digest")
		o.hash(f.Digest)
	}
	o.time("at", f.At)
	o.flag("orphan", f.Orphan)
	return append(o, '}')
}

func (s *sent) append(to []byte) []byte {
	o := append(object(to), '{')
	o.text("command_id", s.CommandID)
	o.text("topic", s.Topic)
	o.number("partition", int64(s.Partition))
	o.number("offset", s.Offset)
	o.bytes("key", s.Key)
	o.known("class", string(s.Class))
	o.texts("metadata", s.Metadata)
	o.time("submitted_at", s.SubmittedAt)
	o.known("traceparent", s.TraceParent)
	o.known("tracestate", s.TraceState)
	o.number("recipients", int64(s.Recipients))
	o.time("send_at", s.SendAt)
	o.flag("inferred", s.Inferred)
	return append(o, '}')
}

func (p *pushed) encode() []byte {
	o := append(make(object, 0, 256), '{')
	o.number("v", int64(p.Version))
	o.text("sendid", p.SendID)
	o.time("time", p.Time)
	o.text("mobile", p.Mobile)
	o.text("state", p.State)
	o.name("received_at")
	o = append(o, '"')
	o = p.ReceivedAt.AppendFormat(o, time.RFC3339Nano)
	return append(o, '"', '}')
}
