package codec

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"

	"smsbridge/codec/sms"
)

// The types of the outputs, as in ce_type.
const (
	ResultType  = "smsbridge.result.v1"
	ReportType  = "smsbridge.report.v1"
	InboundType = "smsbridge.inbound.v1"
	AccountType = "smsbridge.account.v1"
)

// Event is an output, ready to be written to its topic.
type Event struct {
	ID      string // deterministic: the same fact has the same id
	Type    string
	Source  string // smsbridge/ACCOUNT
	Subject string // command id, else sendid, else empty; never a number
	Time    time.Time
	Key     []byte
	Body    []byte // JSON
	Trace   sms.Trace
}

// Headers are the event's CloudEvents headers in the binary mode of the Kafka
// binding, and its trace context. Attributes without a value are left out.
func (e Event) Headers() []Header {
	headers := make([]Header, 0, 9)
	values := make([]byte, 0, 256) // one allocation for all of them
	for _, h := range [...]struct{ key, value string }{
		{"ce_specversion", "1.0"},
		{"ce_id", e.ID},
		{"ce_source", e.Source},
		{"ce_type", e.Type},
		{"ce_time", formatTime(e.Time)},
		{"ce_subject", e.Subject},
		{"content-type", "application/json"},
		{"traceparent", e.Trace.Parent},
		{"tracestate", e.Trace.State},
	} {
		if h.value != "" {
			start := len(values)
			values = append(values, h.value...)
			headers = append(headers, Header{Key: h.key, Value: values[start:len(values):len(values)]})
		}
	}
	return headers
}

// source is the CloudEvents source of an account's events.
func source(account string) string { return "smsbridge/" + account }

// digest makes ids out of facts. Every part carries its length or a fixed size,
// so that two lists of parts never run together into the same bytes.
type digest struct{ buf []byte }

func newDigest(eventType, account string) *digest {
	d := &digest{buf: make([]byte, 0, 256)}
	d.text(eventType)
	d.text(account)
	return d
}

func (d *digest) text(s string) {
	d.number(int64(len(s)))
	d.buf = append(d.buf, s...)
}

func (d *digest) number(n int64) { d.buf = binary.BigEndian.AppendUint64(d.buf, uint64(n)) }

func (d *digest) flag(b bool) {
	if b {
		d.number(1)
	} else {
		d.number(0)
	}
}

// time takes part in milliseconds, as the bodies show it.
func (d *digest) time(t time.Time) {
	if t.IsZero() {
		d.flag(false)
		return
	}
	d.flag(true)
	d.number(t.UnixMilli())
}

func (d *digest) position(p sms.Position) {
	d.text(p.Topic)
	d.number(int64(p.Partition))
	d.number(p.Offset)
}

// id is 128 bits of SHA-256 in hex.
func (d *digest) id() string {
	sum := sha256.Sum256(d.buf)
	return hex.EncodeToString(sum[:16])
}

// firstTime is the first time that is known.
func firstTime(times ...time.Time) time.Time {
	for _, t := range times {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}
