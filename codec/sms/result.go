package sms

import "time"

// Status is the outcome of a command or of one of its parts.
type Status string

// The outcomes of a command.
const (
	Accepted          Status = "accepted"
	PartiallyAccepted Status = "partially_accepted"
	Rejected          Status = "rejected"   // the provider said no
	Failed            Status = "failed"     // never reached the provider, attempts used up
	Expired           Status = "expired"    // unsent
	Cancelled         Status = "cancelled"  // unsent
	Suppressed        Status = "suppressed" // unsent, nobody of its recipients gets texts of its class
	Unknown           Status = "unknown"    // may have been sent
	Duplicate         Status = "duplicate"
	Invalid           Status = "invalid" // the command could not be used
)

// Reason says why an outcome is not a plain acceptance.
type Reason string

// The reasons of a result.
const (
	ValidationFailed    Reason = "validation_failed"
	ContentTooLong      Reason = "content_too_long"
	SignatureConflict   Reason = "signature_conflict"
	SignatureMissing    Reason = "signature_missing"
	InvalidRecipient    Reason = "invalid_recipient"
	BlockedRecipient    Reason = "blocked_recipient"
	NumberNotAllowed    Reason = "number_not_allowed"
	ContentRejected     Reason = "content_rejected"
	MalformedRequest    Reason = "malformed_request"
	ProviderError       Reason = "provider_error"
	ProtocolError       Reason = "protocol_error"
	NetworkError        Reason = "network_error"
	Timeout             Reason = "timeout"
	Interrupted         Reason = "interrupted"
	ValidityExpired     Reason = "validity_expired"
	RepeatedID          Reason = "repeated_id"
	CancelledReason     Reason = "cancelled"
	SuppressedReason    Reason = "suppressed"
	UnknownProviderCode Reason = "unknown_provider_code"
	InsufficientBalance Reason = "insufficient_balance"
	AuthFailed          Reason = "auth_failed"
	AccountClosed       Reason = "account_closed"
	AccountSuspended    Reason = "account_suspended"
	IPNotAllowed        Reason = "ip_not_allowed"
	RateLimited         Reason = "rate_limited"
	CapReached          Reason = "cap_reached"
	Paused              Reason = "paused"
	QuietHours          Reason = "quiet_hours"
	GatewayRefused      Reason = "gateway_refused"
)

// Encoding is the alphabet that a text needs on the air.
type Encoding string

// The encodings of a text.
const (
	GSM7 Encoding = "gsm7"
	UCS2 Encoding = "ucs2"
)

// Submission is what came of one part of a command: one request's recipients,
// however often it was tried.
type Submission struct {
	Part              int
	First, Last       int // indexes of its recipients after normalising, inclusive
	Status            Status
	Reason            Reason // empty when accepted
	ProviderMessageID string // the sendid; empty when there is none
	ProviderCode      string
	ProviderText      string
	Recipients        int
	Accepted          int
	Invalid           int
	Blocked           int
	Attempts          int
	SubmittedAt       time.Time // of the last attempt; zero when none was made
	Latency           time.Duration
	PossibleDuplicate bool
}

// Refusal is a recipient that was never submitted.
type Refusal struct {
	Index  int // in the command's To
	Reason Reason
}

// First is the earlier command that a duplicate repeats.
type First struct {
	Position
	Status Status // empty while under way
}

// Result is what came of a command.
type Result struct {
	CommandID        string
	Revision         int
	Status           Status
	Reason           Reason // empty when accepted
	Detail           string // for people; never a number or a text
	Recipients       int
	Accepted         int
	Invalid          int
	Blocked          int
	Segments         int
	BillableSegments int
	Encoding         Encoding // empty when the text was not measured
	Submissions      []Submission
	Refused          []Refusal
	DuplicateOf      *First
	Signature        string
	Extension        string
	SendAt           time.Time // zero: at once
	ExpiresAt        time.Time // the end of the validity that held; zero when the command could not be read
	TextHash         string    // keyed; empty without a text
	ToHash           string    // likewise of the number; empty unless there is exactly one recipient
	Class            Class
	Warnings         []string
	Account          string
	Metadata         map[string]string
	Command          Position
	CommandKey       []byte // nil when the command had none
	CommandedAt      time.Time
	SubmittedAt      time.Time // of the first submission; zero when none
	At               time.Time
	Trace            Trace // of the span that made this result
}

// ProviderMessageID is the sendid of the only submission, and empty when there
// are several or none.
func (r *Result) ProviderMessageID() string {
	if len(r.Submissions) != 1 {
		return ""
	}
	return r.Submissions[0].ProviderMessageID
}
