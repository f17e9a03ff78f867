package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/connector/kafkaio"
)

// format is the newest version of the records that this program understands. A
// record of a newer one may say something that changes the meaning of all the
// others, so it halts the partition. A record is written in the oldest version
// that has its kind, so that an older program runs on until an operator decided
// something, or a newer one wrote what the older cannot know.
const (
	format            = 3
	formatOfDecisions = 2
	formatOfOthers    = 1
)

// maxRecipients bounds what a record may claim; a command's 64 KiB hold fewer.
const maxRecipients = 1 << 16

type kind uint8

const (
	// intent: a part is about to be submitted.
	intent kind = iota + 1
	// released: the intent at a position was not and will never be sent.
	released
	// done: what came of the attempt whose intent stands at a position.
	done
	// final: what came of the command. It may carry the last attempt's outcome
	// as well, as done would.
	final
	// adopted: the records of another group below are ours.
	adopted
	// pardoned: what is lost or cannot be read below is accepted as lost.
	pardoned
	// evidence: a part in doubt was accepted, as a report shows. No owner wrote it.
	evidence
)

// record is one record of the journal. It holds neither number nor text.
type record struct {
	kind  kind
	owner uint64 // of the take-over that wrote it; no two have the same
	gen   int32
	group string
	ref   Ref
	at    time.Time // of the record in Kafka; not part of the encoding

	part, first, last int
	attempt           int
	flagged           bool      // intent: an earlier attempt may have been carried out
	expires           time.Time // intent: the validity's end

	// intent's position: what released, done and perhaps final are about.
	// Never anything else: matched by part and attempt a zombie's late release
	// would free its successor's intent.
	names int64 // -1: none
	came  sms.Submission

	status   sms.Status      // final
	sent     []int           // final: parts that it tells as accepted or unknown
	revision int             // final
	message  kafkaio.Message // of one that is to be written
	packed   []byte          // the same of one that was read: a take-over reads many and needs few of them

	sendid   string    // evidence
	taken    time.Time // evidence: when the provider accepted the part
	from     string    // adopted: the other group, which had committed ref.Offset
	metadata string    // pardoned: beside the committed offset at that time
	until    int64     // pardoned: commands from ref.Offset up to here are in doubt
}

// about reports whether the record says what came of an attempt.
func (r *record) about() bool { return r.kind == done || r.kind == final && r.names >= 0 }

var (
	errCut    = errors.New("record is cut short")
	errFormat = errors.New("record of a newer format version")
)

// encode appends the record to b.
//
// version, kind, owner, generation, group, offset, id, fingerprint, and then by
// kind; numbers as varints, strings and byte slices behind their length.
func (r *record) encode(b []byte) []byte {
	b = append(b, r.version(), byte(r.kind))
	b = binary.BigEndian.AppendUint64(b, r.owner)
	b = binary.AppendVarint(b, int64(r.gen))
	b = appendText(b, r.group)
	b = binary.AppendVarint(b, r.ref.Offset)
	b = appendText(b, r.ref.ID)
	b = append(b, r.ref.Fingerprint[:]...)
	switch r.kind {
	case intent:
		b = r.appendPart(b)
		b = appendBool(b, r.flagged)
		b = appendTime(b, r.expires)
	case released:
		b = binary.AppendVarint(b, r.names)
	case done:
		b = r.appendOutcome(b)
	case final:
		b = r.appendOutcome(b)
		b = appendText(b, string(r.status))
		b = binary.AppendVarint(b, int64(r.revision))
		b = binary.AppendUvarint(b, uint64(len(r.sent)))
		for _, part := range r.sent {
			b = binary.AppendVarint(b, int64(part))
		}
		b = appendMessage(b, &r.message)
	case adopted:
		b = appendText(b, r.from)
	case pardoned:
		b = appendText(b, r.metadata)
		b = binary.AppendVarint(b, r.until)
	case evidence:
		b = binary.AppendVarint(b, int64(r.part))
		b = appendText(b, r.sendid)
		b = appendTime(b, r.taken)
	}
	return b
}

func (r *record) version() byte {
	switch r.kind {
	case evidence:
		return format
	case adopted, pardoned:
		return formatOfDecisions
	default:
		return formatOfOthers
	}
}

func (r *record) appendPart(b []byte) []byte {
	for _, n := range [...]int{r.part, r.first, r.last, r.attempt} {
		b = binary.AppendVarint(b, int64(n))
	}
	return b
}

func (r *record) appendOutcome(b []byte) []byte {
	b = binary.AppendVarint(b, r.names)
	if r.names < 0 {
		return b
	}
	s := &r.came
	for _, n := range [...]int{s.Part, s.First, s.Last, s.Recipients, s.Accepted, s.Invalid, s.Blocked, s.Attempts, int(s.Latency)} {
		b = binary.AppendVarint(b, int64(n))
	}
	b = appendTime(b, s.SubmittedAt)
	b = appendBool(b, s.PossibleDuplicate)
	for _, t := range [...]string{string(s.Status), string(s.Reason), s.ProviderMessageID, s.ProviderCode, s.ProviderText} {
		b = appendText(b, t)
	}
	return b
}

func appendMessage(b []byte, m *kafkaio.Message) []byte {
	b = appendText(b, m.Topic)
	b = binary.AppendVarint(b, int64(m.Partition))
	b = appendBool(b, m.Key != nil)
	b = appendText(b, string(m.Key))
	b = appendBytes(b, m.Value)
	b = binary.AppendUvarint(b, uint64(len(m.Headers)))
	for i := range m.Headers {
		b = appendText(b, m.Headers[i].Key)
		b = appendBytes(b, m.Headers[i].Value)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendBytes(b, s []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendBool(b []byte, on bool) []byte {
	if on {
		return append(b, 1)
	}
	return append(b, 0)
}

// appendTime writes milliseconds; 0 is the zero time.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return binary.AppendVarint(b, 0)
	}
	return binary.AppendVarint(b, t.UnixMilli())
}

// decode reads a record. Its text is copied, so that value may be dropped.
func decode(value []byte) (record, error) {
	var r record
	d := decoder{rest: value}
	version := d.byte()
	if version > format {
		return r, fmt.Errorf("%w: %d, this program knows up to %d", errFormat, version, format)
	}
	r.kind = kind(d.byte())
	r.owner = d.uint64()
	r.gen = int32(d.int())
	r.group = d.text()
	r.ref.Offset = d.int()
	r.ref.ID = d.text()
	copy(r.ref.Fingerprint[:], d.take(len(r.ref.Fingerprint)))
	r.names = -1
	switch r.kind {
	case intent:
		r.part, r.first, r.last, r.attempt = d.small(), d.small(), d.small(), d.small()
		r.flagged = d.bool()
		r.expires = d.time()
	case released:
		r.names = d.int()
	case done:
		d.outcome(&r)
	case final:
		d.outcome(&r)
		r.status = sms.Status(d.text())
		r.revision = d.small()
		for range d.length() {
			r.sent = append(r.sent, d.small())
		}
		r.packed = d.packedMessage()
	case adopted:
		r.from = d.text()
	case pardoned:
		r.metadata = d.text()
		r.until = d.int()
	case evidence:
		r.part = d.small()
		r.sendid = d.text()
		r.taken = d.time()
	default:
		d.fail(fmt.Errorf("kind %d is not known", r.kind))
	}
	if d.err == nil && len(d.rest) > 0 {
		d.fail(errors.New("bytes behind the record"))
	}
	if d.err == nil && (version == 0 || r.ref.Offset < 0 || r.last < r.first) {
		d.fail(errors.New("record contradicts itself"))
	}
	return r, d.err
}

// decoder takes values off the front of rest, and zero values after a failure.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.rest = nil
}

func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.rest) {
		d.fail(errCut)
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) bool() bool { return d.byte() != 0 }

func (d *decoder) uint64() uint64 {
	if b := d.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.fail(errCut)
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) small() int {
	v := d.int()
	if v < 0 || v > maxRecipients {
		d.fail(errors.New("number out of range"))
		return 0
	}
	return int(v)
}

func (d *decoder) length() int {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 || v > uint64(len(d.rest)) {
		d.fail(errCut)
		return 0
	}
	d.rest = d.rest[n:]
	return int(v)
}

func (d *decoder) text() string { return string(d.take(d.length())) }

func (d *decoder) time() time.Time {
	if ms := d.int(); ms != 0 {
		return time.UnixMilli(ms).UTC()
	}
	return time.Time{}
}

func (d *decoder) outcome(r *record) {
	r.names = d.int()
	if r.names < 0 {
		r.names = -1
		return
	}
	s := &r.came
	for _, p := range [...]*int{&s.Part, &s.First, &s.Last, &s.Recipients, &s.Accepted, &s.Invalid, &s.Blocked, &s.Attempts} {
		*p = d.small()
	}
	s.Latency = time.Duration(d.int())
	s.SubmittedAt = d.time()
	s.PossibleDuplicate = d.bool()
	s.Status, s.Reason = sms.Status(d.text()), sms.Reason(d.text())
	s.ProviderMessageID, s.ProviderCode, s.ProviderText = d.text(), d.text(), d.text()
	r.part, r.first, r.last = s.Part, s.First, s.Last
}

// packedMessage finds out where a message ends.
func (d *decoder) packedMessage() []byte {
	from := d.rest
	d.take(d.length()) // topic
	d.int()            // partition
	d.bool()
	d.take(d.length()) // key
	d.take(d.length()) // value
	for range d.length() {
		d.take(d.length())
		d.take(d.length())
		if d.err != nil { // there is at most one header for each byte that is left
			return nil
		}
	}
	return from[:len(from)-len(d.rest)]
}

// unpack returns a copy of the message of a final that was read.
func (r *record) unpack() (m kafkaio.Message) {
	d := decoder{rest: r.packed}
	m.Topic = d.text()
	m.Partition = int(d.int())
	hasKey := d.bool()
	if key := d.take(d.length()); hasKey {
		m.Key = append([]byte{}, key...)
	}
	m.Value = append([]byte{}, d.take(d.length())...)
	for range d.length() {
		h := kafkaio.Header{Key: d.text()}
		h.Value = append([]byte{}, d.take(d.length())...)
		m.Headers = append(m.Headers, h)
	}
	return m
}
