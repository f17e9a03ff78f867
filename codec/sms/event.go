package sms

import "time"

// Correlation says how a delivery report found its command.
type Correlation string

// The ways a report finds its command.
const (
	Matched  Correlation = "matched"
	Inferred Correlation = "inferred"
	Orphan   Correlation = "orphan"
)

// DeliveryStatus is what became of a message at one phone.
type DeliveryStatus string

// The states of a delivery report.
const (
	Delivered          DeliveryStatus = "delivered"
	Undelivered        DeliveryStatus = "undelivered"
	DeliveryExpired    DeliveryStatus = "expired"
	DeliveryRejected   DeliveryStatus = "rejected"
	DeliveryBlocked    DeliveryStatus = "blocked"
	DeliveryFailed     DeliveryStatus = "failed"
	DeliveryUnknown    DeliveryStatus = "unknown"
	DeliveryPending    DeliveryStatus = "pending" // on its way; another state follows
	DeliveryUnreported DeliveryStatus = "no_report"
)

// DeliveryReason refines a DeliveryStatus.
type DeliveryReason string

// The reasons of a delivery report.
const (
	ByMessageCentre DeliveryReason = "message_centre"
	ByReview        DeliveryReason = "review"
	SystemBusy      DeliveryReason = "system_busy"
	ByGateway       DeliveryReason = "gateway"
)

// Origin is the command that a report belongs to.
type Origin struct {
	CommandID   string
	Command     Position
	Key         []byte // nil when the command had none
	Class       Class
	Metadata    map[string]string
	SubmittedAt time.Time
	Trace       Trace
}

// Report is one state of one recipient.
type Report struct {
	Revision          int
	ProviderMessageID string
	To                string // digits as submitted; empty in no_report
	Foreign           *bool  // whether the command did not have the number; nil: not known
	Missing           int    // no_report only
	Status            DeliveryStatus
	ProviderStatus    string // raw
	Final             bool
	Reason            DeliveryReason
	DoneAt            time.Time
	DoneAtExact       bool
	ReceivedAt        time.Time
	Correlation       Correlation
	Origin            *Origin // nil for an orphan
	Account           string
}

// Keyword is what a person asked for by answering a message.
type Keyword string

// The keywords of an inbound message.
const (
	OptOut Keyword = "opt_out"
	OptIn  Keyword = "opt_in"
	Help   Keyword = "help"
)

// Confidence says whether an inbound message could be read in one way only.
type Confidence string

// The confidences of an inbound message.
const (
	High Confidence = "high"
	Low  Confidence = "low"
)

// Inbound is a message that a phone sent to us (MO).
type Inbound struct {
	From             string
	Text             string
	Extension        string
	SystemExtension  string
	CommandExtension string
	SentAt           time.Time
	ReceivedAt       time.Time
	Keyword          Keyword
	Confidence       Confidence
	Records          int // of the push it came in: a text can imitate those behind the first
	Account          string
}

// LineState says whether commands are being submitted.
type LineState string

// The states of the line to the provider.
const (
	LineOpen LineState = "open"
	LineHeld LineState = "held"
)

// BalanceLevel judges the account's balance.
type BalanceLevel string

// The levels of a balance.
const (
	BalanceOK        BalanceLevel = "ok"
	BalanceLow       BalanceLevel = "low"
	BalanceExhausted BalanceLevel = "exhausted"
	BalanceUnknown   BalanceLevel = "unknown"
)

// AccountEvent tells the balance and the state of the line.
type AccountEvent struct {
	Account  string
	Instance string
	Line     LineState
	Reason   Reason // empty when the line is open
	Balance  string // decimal; empty when not known
	Unit     string
	Level    BalanceLevel
	At       time.Time
}
