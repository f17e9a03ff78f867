package trial

import (
	"slices"
	"time"
)

// Position is a record's place in its topic.
type Position struct {
	Partition int32
	Offset    int64
}

// Command is a record on the command topic that the broker acknowledged.
type Command struct {
	Position
	ID      string // empty when it cannot be read
	Key     string
	Class   string
	Numbers []string  // its recipients, digits
	Expires time.Time // zero: by its class alone
	Resend  bool      // on_unknown is resend
	At      time.Time // when it was acknowledged
	Mark    Kind      // the fault that this record, text or key is itself; empty: none
	Ends    string    // the only status that it may have in the end; empty: any
	Gone    bool      // its record was deleted before it was committed: it need not have a result
}

// Submission is a complete submit that the provider read, in the order in which
// it decided them.
type Submission struct {
	ID     string // the command's, which the lab's texts carry
	Number string // the first recipient; it tells the parts of a command apart
	Count  int    // recipients
	Code   string // what the provider decided: "0" is carried out, "" is nothing done
	Fault  string // what happened to the answer
	SendID string
	At     time.Time
}

// Part is one submission as a result tells it.
type Part struct {
	Status            string
	SendID            string
	Accepted          int
	Attempts          int
	PossibleDuplicate bool
}

// Result is a row of the results topic.
type Result struct {
	Command     Position
	Row         Position
	At          time.Time // the record's timestamp, given before it was acknowledged
	EventID     string
	ID          string
	Key         string // of the record
	Metadata    string // as JSON
	Revision    int
	Status      string
	Reason      string
	DuplicateOf *Position
	FirstStatus string // of the one that it duplicates; empty while that was under way
	Parts       []Part
	Digest      uint64 // of the value's bytes
}

// Push is one attempt of the provider, and how it was answered (0: not at all).
type Push struct {
	SendID string // of a report
	State  string
	Number string
	Text   string // of an inbound message
	Time   string // that it tells, in Shanghai
	Status int
	At     time.Time
}

// Report is a row of the reports topic.
type Report struct {
	Row         Position
	EventID     string
	ID          string   // the command's; empty for an orphan
	Command     Position // of an orphan: nowhere
	Key         string   // of the record
	Metadata    string   // as JSON
	Revision    int
	SendID      string
	Number      string
	Status      string
	State       string // the provider's own word
	Final       bool
	Missing     int // of a no_report
	Correlation string
	DoneAt      string
	DoneAtExact bool
}

// Inbound is a row of the inbound topic.
type Inbound struct {
	Row     Position
	EventID string
	Number  string
	Text    string
	SentAt  string
}

// Sample is a committed offset, noted when it was first seen.
type Sample struct {
	Partition int32
	Offset    int64
	Fenced    int64 // the journal's position up to which its owner may have submitted; 0: not told
	At        time.Time
}

// Kind says what an Event is.
type Kind string

// What is done to a run, or happens in it.
const (
	Start       Kind = "start"        // a connector was started
	Kill        Kind = "kill"         // kill -9
	Freeze      Kind = "freeze"       // SIGSTOP, until SIGCONT
	Restart     Kind = "restart"      // SIGTERM, until it was started again
	Exit        Kind = "exit"         // a connector ended unasked
	Unclean     Kind = "unclean stop" // a connector that was asked to stop failed to, or said that it left something undone
	BrokerKill  Kind = "broker kill"  // until it was started again
	Outage      Kind = "kafka outage" // no broker answered
	Join        Kind = "join"         // one more connector came and left again
	AccountHold Kind = "account hold" // the provider refused the account
	Throttle    Kind = "throttle"     // the provider refused many submits for a while, whoever's

	// These concern some commands alone: their events have a scope.
	Poison     Kind = "poisoned record"  // a record that is too large to be told whole, or cannot be read
	Unreadable Kind = "unreadable batch" // one that cannot be unpacked, until it was given up
	Deletion   Kind = "deletion"         // records that were deleted above the committed offset
	Forbidden  Kind = "forbidden text"   // a gateway refused it
	Throttled  Kind = "throttled number" // the provider refused it for a while
	Pause      Kind = "pause"            // of a class, until it was resumed
	LongList   Kind = "long list"        // a command that takes longer than a stop may
)

// Event is something that was done to the run. Until is zero where it has no length.
type Event struct {
	Kind      Kind
	Instance  string
	At, Until time.Time
	Detail    string
	Scope     *Scope // nil: it concerns every command
}

// Scope is whom a fault concerns: the commands that fit in any of these.
type Scope struct {
	Mark       Kind
	Class      string
	Partitions []int32
}

func (s *Scope) fits(c *Command) bool {
	return s.Mark != "" && s.Mark == c.Mark || s.Class != "" && s.Class == c.Class || slices.Contains(s.Partitions, c.Partition)
}

// Leak is a place where a number, a text or a secret was found.
type Leak struct {
	File string
	Line int
}

// History is all that was seen of one run.
type History struct {
	Commands    []Command
	Submissions []Submission
	Probes      []time.Time // balance calls that were answered well
	Results     []Result
	Reports     []Report
	Inbound     []Inbound
	ReportPush  []Push // one for each number of each attempt
	InboundPush []Push // one for each message of each attempt
	Samples     []Sample
	JournalEnds map[int32]int64
	Events      []Event
	Leaks       []Leak
	Partial     int // requests that the provider could not read to their end
	End         time.Time

	Connectors  int
	MaxInFlight int           // PROVIDER_MAX_IN_FLIGHT of each connector
	Session     time.Duration // KAFKA_SESSION_TIMEOUT
	Ordered     bool          // ORDERING=key
}

// accepted reports whether the provider carried the submission out.
func (s *Submission) accepted() bool { return s.Code == "0" }

// doubtful reports whether the answer left open if it was carried out.
func (s *Submission) doubtful() bool {
	switch s.Fault {
	case "drop", "reset", "cut", "error", "html", "hang", "system", "redirect":
		return true
	}
	return false
}

// mayBeSent reports whether the same texts must not be submitted once more: it
// was carried out, or nobody could know.
func (s *Submission) mayBeSent() bool { return s.accepted() || s.doubtful() }

// accountCode reports whether the whole account was refused.
func (s *Submission) accountCode() bool {
	return len(s.Code) == 2 && s.Code >= "10" && s.Code <= "13"
}
