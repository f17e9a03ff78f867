package telemetry

import (
	"encoding/json"
	"time"
)

// Status is what /api/status and the page for people tell. The connector fills
// it; it holds no number, text or secret.
type Status struct {
	Version    string      `json:"version"`
	Instance   string      `json:"instance"`
	Account    string      `json:"account"`
	StartedAt  Time        `json:"started_at"`
	Line       *Line       `json:"line"`       // null where nothing is submitted
	Balance    *Balance    `json:"balance"`    // likewise
	Caps       []Cap       `json:"caps"`       // of the whole group; none where none are configured
	Held       []Held      `json:"held"`       // classes that an operator paused
	InFlight   int         `json:"in_flight"`  // submits that the provider has not answered
	Waiting    []Waiting   `json:"waiting"`    // commands that wait, by what for; they hold nothing meanwhile
	Spool      *Spool      `json:"spool"`      // null: none is configured
	Partitions []Partition `json:"partitions"` // those of the command topic that this process owns
	Outcomes   []Outcome   `json:"outcomes"`   // results since the start
	Problems   []Problem   `json:"problems"`   // the latest warnings and errors, latest first; the admin listener adds them
	Reports    *Reports    `json:"reports"`    // null where none are correlated
}

// Waiting is how many fetched commands wait for one thing: a reason of results, such
// as paused or cap_reached, or backoff before the next attempt, or reopening of the
// line.
type Waiting struct {
	For   string `json:"for"`
	Count int    `json:"count"`
}

// Outcome is how many results of one kind there were.
type Outcome struct {
	Status string `json:"status"`
	Reason Text   `json:"reason"`
	Count  int64  `json:"count"`
}

// Reports is how far this process has got with delivery reports.
type Reports struct {
	Halted     Text              `json:"halted"`    // why none are correlated
	Published  *Delay            `json:"published"` // from the provider's push to its reports being published, of those with a command
	Final      *Delay            `json:"final"`     // from the submit, or when it was to be sent, to the final report
	Partitions []ReportPartition `json:"partitions"`
}

// Delay is how long the latest reports took: the last 1,024 of the last five
// minutes. It is null where there were none.
type Delay struct {
	Reports int   `json:"reports"`
	P50     int64 `json:"p50_ms"` // half of them took no longer
	P99     int64 `json:"p99_ms"`
}

// ReportPartition is how far one partition of the pushes has got.
type ReportPartition struct {
	Partition int   `json:"partition"`
	Lag       int64 `json:"lag"`       // pushes that are neither published nor parked
	Parked    int64 `json:"parked"`    // pushes that wait for their sendid
	Restoring int64 `json:"restoring"` // records to be read before it is worked on
	Halted    Text  `json:"halted"`    // why it stands still
}

// Line is the state of the line to the provider.
type Line struct {
	State  string `json:"state"` // open or held
	Reason Text   `json:"reason"`
	Since  Time   `json:"since"`
}

// Held is a class whose commands wait until an operator resumes them.
type Held struct {
	Class  string `json:"class"`
	Since  Time   `json:"since"`
	By     Text   `json:"by"`
	Reason Text   `json:"reason"`
}

// Balance is what the provider last said about the account.
type Balance struct {
	Amount Text   `json:"amount"` // decimal
	Unit   Text   `json:"unit"`
	Level  string `json:"level"` // ok, low, exhausted or unknown
	At     Time   `json:"at"`
}

// Cap is how much of a cap the whole group has used.
type Cap struct {
	Per   string `json:"per"`   // minute or day
	Limit int    `json:"limit"` // recipients
	Used  int    `json:"used"`
}

// Spool is what waits on disk because Kafka was away.
type Spool struct {
	Bytes    int64 `json:"bytes"`
	MaxBytes int64 `json:"max_bytes"`
	Waiting  int   `json:"waiting"`   // pushes
	OldestAt Time  `json:"oldest_at"` // since when the file exists in which the oldest waits
	SetAside int   `json:"set_aside"` // damaged files in the folder, for people to look at
	Failing  Text  `json:"failing"`   // why nothing can be put there, and pushes are answered 503
	Blocked  Text  `json:"blocked"`   // why the oldest was not delivered at the last attempt
}

// Partition is how far one partition of the command topic has got.
type Partition struct {
	Partition int   `json:"partition"`
	Lag       int64 `json:"lag"`       // records behind the watermark
	InFlight  int   `json:"in_flight"` // records fetched and not finished
	Watermark int64 `json:"watermark"` // every offset below it is finished
	Halted    bool  `json:"halted"`
	Deleted   int64 `json:"deleted"` // offsets that retention or a person took away before they were read
	Oldest    Time  `json:"oldest"`  // timestamp of the oldest command that is not finished
	Reason    Text  `json:"reason"`  // why it is halted, in one word
	Detail    Text  `json:"detail"`  // the same in a sentence
	Remedy    Text  `json:"remedy"`  // what an operator can do
}

// Text is a text that may be unknown: the empty one is null in JSON.
type Text string

// MarshalJSON writes null for the empty text.
func (t Text) MarshalJSON() ([]byte, error) {
	if t == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(t))
}

// Time is a time that may be unknown: the zero one is null in JSON.
type Time time.Time

// MarshalJSON writes UTC with milliseconds, null for the zero time.
func (t Time) MarshalJSON() ([]byte, error) {
	if time.Time(t).IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(t.String())
}

// String writes UTC with milliseconds, nothing for the zero time.
func (t Time) String() string {
	if time.Time(t).IsZero() {
		return ""
	}
	return time.Time(t).UTC().Format("2006-01-02T15:04:05.000Z")
}
