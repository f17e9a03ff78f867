package correlate

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/codec/wire"
	"smsbridge/connector/kafkaio"
)

// version of the records that are written. A newer one halts its reader: what an
// older program does not understand it must not act on.
const version = 1

// Sent is a submit whose sendid is known.
type Sent struct {
	SendID     string
	Origin     sms.Origin
	Recipients int       // whose final report is expected
	SendAt     time.Time // zero: at once
	Inferred   bool      // concluded from a report, not read from an answer
}

// kind is what a record of the sendids topic says.
type kind string

// The kinds. All but sent are written by correlators.
const (
	kindSent    kind = "sent"    // a submit has this sendid
	kindSeen    kind = "seen"    // these recipients have their final report
	kindParked  kind = "parked"  // the push at this offset waits for its sendid
	kindOrphan  kind = "orphan"  // it waited long enough: from here on it is an orphan, unless its sendid stands before
	kindTold    kind = "told"    // it was published, as an orphan or with its command
	kindOverdue kind = "overdue" // the deadline is over: who has no final report here is missing
	kindClosed  kind = "closed"  // that was published
)

// fact is the value of a record of the sendids topic. It holds neither a number
// nor a text: recipients are keyed hashes, a push is an offset.
type fact struct {
	Version int       `json:"v"`
	Kind    kind      `json:"kind"`
	Sent    *sent     `json:"sent,omitempty"`
	To      []hash    `json:"to,omitempty"`     // seen
	Push    int64     `json:"push,omitempty"`   // offset in the pushes topic
	Digest  hash      `json:"digest,omitzero"`  // parked: of what the push says
	At      time.Time `json:"at,omitzero"`      // parked: when it was first seen; sent: when it was written
	Orphan  bool      `json:"orphan,omitempty"` // told: as an orphan
}

// sent is Sent as it is written.
type sent struct {
	CommandID   string            `json:"command_id"`
	Topic       string            `json:"topic"`
	Partition   int               `json:"partition"`
	Offset      int64             `json:"offset"`
	Key         []byte            `json:"key"` // null is not empty
	Class       sms.Class         `json:"class,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
	SubmittedAt time.Time         `json:"submitted_at,omitzero"`
	TraceParent string            `json:"traceparent,omitempty"`
	TraceState  string            `json:"tracestate,omitempty"`
	Recipients  int               `json:"recipients"`
	SendAt      time.Time         `json:"send_at,omitzero"`
	Inferred    bool              `json:"inferred,omitempty"`
}

func (s *sent) origin() *sms.Origin {
	return &sms.Origin{
		CommandID: s.CommandID, Command: sms.Position{Topic: s.Topic, Partition: s.Partition, Offset: s.Offset},
		Key: s.Key, Class: s.Class, Metadata: s.Metadata, SubmittedAt: s.SubmittedAt,
		Trace: sms.Trace{Parent: s.TraceParent, State: s.TraceState},
	}
}

// SentRecord makes the record by which the correlators learn of a submit. The same
// submit makes the same record; only the first one of a sendid counts.
func SentRecord(topic string, s Sent) kafkaio.Message {
	o := s.Origin
	return factRecord(topic, kafkaio.AnyPartition, strings.TrimSpace(s.SendID), &fact{Kind: kindSent, Sent: &sent{
		CommandID: o.CommandID, Topic: o.Command.Topic, Partition: o.Command.Partition, Offset: o.Command.Offset,
		Key: o.Key, Class: o.Class, Metadata: o.Metadata, SubmittedAt: o.SubmittedAt,
		TraceParent: o.Trace.Parent, TraceState: o.Trace.State,
		Recipients: s.Recipients, SendAt: s.SendAt, Inferred: s.Inferred,
	}})
}

func factRecord(topic string, partition int, sendid string, f *fact) kafkaio.Message {
	f.Version = version
	return kafkaio.Message{Topic: topic, Partition: partition, Key: []byte(sendid), Value: f.encode()}
}

// pushed is a delivery report as the provider pushed it, without its credentials.
type pushed struct {
	Version    int       `json:"v"`
	SendID     string    `json:"sendid"`
	Time       time.Time `json:"time,omitzero"` // of the state; none where none could be read
	Mobile     string    `json:"mobile"`        // one number, or several with commas
	State      string    `json:"state"`         // raw
	ReceivedAt time.Time `json:"received_at"`
}

// PushRecord makes the record of a report that the provider pushed.
func PushRecord(topic string, p wire.ReportPush, receivedAt time.Time) kafkaio.Message {
	pushed := pushed{
		Version: version, SendID: strings.TrimSpace(p.SendID), Time: p.Time.UTC(), Mobile: strings.Join(p.Mobiles, ","), State: p.State, ReceivedAt: receivedAt.UTC(),
	}
	return kafkaio.Message{Topic: topic, Partition: kafkaio.AnyPartition, Key: []byte(pushed.SendID), Value: pushed.encode()}
}

// versionError says that a record was written by a newer program.
type versionError struct {
	rec kafkaio.Record
	v   int
}

func (e *versionError) Error() string {
	return fmt.Sprintf("topic %s partition %d offset %d: a record of version %d, this program knows %d: run the newer one", e.rec.Topic, e.rec.Partition, e.rec.Offset, e.v, version)
}

// decodeFact reads a record of the sendids topic. An error that is no
// *versionError says that the record means nothing.
func decodeFact(rec kafkaio.Record) (fact, error) {
	var f fact
	if err := json.Unmarshal(rec.Value, &f); err != nil {
		return f, errUnreadable
	}
	switch {
	case f.Version > version:
		return f, &versionError{rec, f.Version}
	case f.Version < 1 || len(rec.Key) == 0 || (f.Kind == kindSent) != (f.Sent != nil):
		return f, errUnreadable
	case f.Kind == kindSent:
		f.At = rec.Time
	}
	return f, nil
}

// decodePush likewise reads a record of the pushes topic.
func decodePush(rec kafkaio.Record) (pushed, error) {
	var p pushed
	if err := json.Unmarshal(rec.Value, &p); err != nil {
		return p, errUnreadable
	}
	switch {
	case p.Version > version:
		return p, &versionError{rec, p.Version}
	case p.Version < 1 || p.SendID == "" || p.SendID != string(rec.Key) || p.Mobile == "" || p.State == "":
		return p, errUnreadable
	}
	return p, nil
}

// errUnreadable is a record that none of our programs wrote. What the JSON decoder
// says of it is left out: it may quote a number.
var errUnreadable = errors.New("not a record of this program")
