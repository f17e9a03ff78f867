package evidence

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"smsbridge/codec/wire"
	"smsbridge/connector/journal"
	"smsbridge/connector/kafkaio"
)

// Number stands for a phone number: 128 bits of HMAC-SHA256. A plain hash of a
// number would be reversed within minutes.
type Number [16]byte

// NumberOf the digits as they were submitted. All processes need the same key.
func NumberOf(key []byte, digits string) Number {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(digits))
	return Number(m.Sum(nil)[:len(Number{})])
}

// Doubt is a part of a command that may have been accepted.
type Doubt struct {
	Topic     string // of the commands
	Partition int
	Ref       journal.Ref
	Part      int
	First     int // of its recipients, indexes after normalising, inclusive
	Last      int
	Numbers   []Number

	// From is when its first attempt began, at the latest when its intent was
	// durable; Until when its last attempt ended. A zero Until says that nobody saw
	// the end: the process died, and a frozen one may wake and go on.
	From, Until time.Time
}

// Evidence is what a match says to the owner of the doubt's partition.
func (d *Doubt) Evidence(sendid string) journal.Evidence {
	taken, _ := wire.SendIDTime(sendid)
	return journal.Evidence{Ref: d.Ref, Part: d.Part, SendID: sendid, Taken: taken}
}

// version of the records that are written. One of a newer version may be a doubt
// that must be known.
const version = 1

const (
	kindDoubt   = "doubt"
	kindSettled = "settled"
)

// record is the value of a record of the doubts topic. It holds neither a number
// nor a text.
type record struct {
	Version   int    `json:"v"`
	Kind      string `json:"kind"`
	Topic     string `json:"topic"`
	Partition int    `json:"partition"`

	Offset      int64     `json:"offset,omitempty"`
	ID          string    `json:"id,omitempty"`
	Fingerprint string    `json:"fingerprint,omitempty"` // hexadecimal
	Part        int       `json:"part,omitempty"`
	First       int       `json:"first,omitempty"`
	Last        int       `json:"last,omitempty"`
	Numbers     []byte    `json:"numbers,omitempty"` // one behind the other
	From        time.Time `json:"from,omitzero"`
	Until       time.Time `json:"until,omitzero"` // of settled: up to when
}

// DoubtRecord makes the record of a doubt. It is to be durable before the result
// that says unknown.
func DoubtRecord(topic string, d *Doubt) kafkaio.Message {
	numbers := make([]byte, 0, len(d.Numbers)*len(Number{}))
	for i := range d.Numbers {
		numbers = append(numbers, d.Numbers[i][:]...)
	}
	return message(topic, &record{
		Kind: kindDoubt, Topic: d.Topic, Partition: d.Partition, Offset: d.Ref.Offset, ID: d.Ref.ID,
		Fingerprint: hex.EncodeToString(d.Ref.Fingerprint[:]), Part: d.Part, First: d.First, Last: d.Last,
		Numbers: numbers, From: d.From.UTC(), Until: d.Until.UTC(),
	})
}

// SettledRecord makes the record that says up to when nothing is open in a
// command partition: what its Ledger's Settled returned.
func SettledRecord(topic, commands string, partition int, until time.Time) kafkaio.Message {
	return message(topic, &record{Kind: kindSettled, Topic: commands, Partition: partition, Until: until.UTC()})
}

// message has all records of one command partition in one partition of the topic:
// who read that something is settled has read the doubts before it.
func message(topic string, r *record) kafkaio.Message {
	r.Version = version
	value, err := json.Marshal(r)
	if err != nil {
		panic(fmt.Sprintf("evidence: a record that is no JSON: %v", err)) // of strings, numbers and times alone
	}
	return kafkaio.Message{
		Topic: topic, Partition: kafkaio.AnyPartition, Key: strconv.AppendInt([]byte(r.Topic+":"), int64(r.Partition), 10), Value: value,
	}
}

// errRecord says nothing of what the decoder met, which may be anybody's data.
var errRecord = errors.New("evidence: a record of the doubts topic cannot be read")

func decode(value []byte) (record, error) {
	var r record
	if err := json.Unmarshal(value, &r); err != nil {
		return r, errRecord
	}
	if r.Version != version || r.Kind != kindDoubt && r.Kind != kindSettled || r.Partition < 0 {
		return r, fmt.Errorf("%w: version %d", errRecord, r.Version)
	}
	return r, nil
}

func (r *record) doubt() (*Doubt, error) {
	d := &Doubt{
		Topic: r.Topic, Partition: r.Partition, Ref: journal.Ref{Offset: r.Offset, ID: r.ID},
		Part: r.Part, First: r.First, Last: r.Last, From: r.From, Until: r.Until,
	}
	if n, err := hex.Decode(d.Ref.Fingerprint[:], []byte(r.Fingerprint)[:min(len(r.Fingerprint), 2*len(d.Ref.Fingerprint))]); err != nil || n != len(d.Ref.Fingerprint) {
		return nil, errRecord
	}
	if len(r.Numbers) == 0 || len(r.Numbers)%len(Number{}) != 0 || r.From.IsZero() {
		return nil, errRecord
	}
	for rest := r.Numbers; len(rest) > 0; rest = rest[len(Number{}):] {
		d.Numbers = append(d.Numbers, Number(rest[:len(Number{})]))
	}
	return d, nil
}
