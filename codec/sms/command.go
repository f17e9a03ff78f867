package sms

import "time"

// Position is where a record stands in Kafka.
type Position struct {
	Topic     string
	Partition int
	Offset    int64
}

// Trace is the W3C trace context that came with a record, as it came.
type Trace struct {
	Parent string
	State  string
}

// Class says how urgent a message is; it chooses the validity.
type Class string

// The classes of a command.
const (
	OTP       Class = "otp"
	Notice    Class = "notice"
	Marketing Class = "marketing"
)

// OnUnknown is what to do with a submit that may have been carried out.
type OnUnknown string

// The policies for a submit of unknown outcome.
const (
	// ReportUnknown publishes the result unknown and never submits again.
	ReportUnknown OnUnknown = "report"
	// ResendUnknown submits once more at the most, flagged as a possible duplicate.
	ResendUnknown OnUnknown = "resend"
)

// Command asks for one text to be sent to one or more phones.
type Command struct {
	ID          string
	To          []string // as given; Normalise makes digits of them
	Text        string   // without signature
	Signature   string
	Extension   string
	SendAt      time.Time // zero: now
	ExpiresAt   time.Time // zero: by the class alone
	Class       Class
	OnUnknown   OnUnknown // empty: as configured
	MaxSegments int       // 0: no limit
	Metadata    map[string]string

	Warnings []string // names of fields that mean nothing to us
	Source   Position
	Key      []byte    // the record's key; nil when it had none
	At       time.Time // the record's timestamp
	Trace    Trace
}
