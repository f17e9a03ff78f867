package lab

import (
	"encoding/json"
	"hash/fnv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"smsbridge/cmd/smslab/trial"
)

// Output is a record of one of the output topics, as far as the lab looks at it.
type Output struct {
	Topic string // without the prefix: results, reports, inbound, deadletter, account
	Row   trial.Position
	Time  time.Time
	Key   string
	Error string // of a dead letter
	Body
}

// Body is the union of what outputs hold.
type Body struct {
	EventID     string          `json:"event_id"`
	CommandID   string          `json:"command_id"`
	Revision    int             `json:"revision"`
	Status      string          `json:"status"`
	Reason      string          `json:"reason"`
	Recipients  int             `json:"recipients"`
	Accepted    int             `json:"accepted"`
	SendID      string          `json:"provider_message_id"`
	Submissions []submission    `json:"submissions"`
	DuplicateOf *first          `json:"duplicate_of"`
	Command     *position       `json:"command"`
	Metadata    json.RawMessage `json:"metadata"`
	Class       string          `json:"class"`
	Warnings    []string        `json:"warnings"`
	CommandedAt time.Time       `json:"commanded_at"`
	At          time.Time       `json:"at"`
	To          string          `json:"to"`
	State       string          `json:"provider_status"`
	Final       bool            `json:"final"`
	Missing     int             `json:"missing"`
	Correlation string          `json:"correlation"`
	DoneAt      string          `json:"done_at"`
	DoneAtExact bool            `json:"done_at_exact"`
	From        string          `json:"from"`
	Text        string          `json:"text"`
	Extension   string          `json:"command_extension"`
	SentAt      string          `json:"sent_at"`
	Keyword     string          `json:"keyword"`
	Line        string          `json:"line"`
	Balance     string          `json:"balance"`
}

type position struct {
	Partition int32 `json:"partition"`
	Offset    int64 `json:"offset"`
}

type first struct {
	position
	Status string `json:"status"`
}

type submission struct {
	Status            string `json:"status"`
	SendID            string `json:"provider_message_id"`
	Accepted          int    `json:"accepted"`
	Attempts          int    `json:"attempts"`
	PossibleDuplicate bool   `json:"possible_duplicate"`
}

// read makes an output of a record. One that is not JSON has an empty body, which
// no invariant takes for an answer.
func (t Topics) read(r *kgo.Record) Output {
	o := Output{
		Topic: strings.TrimPrefix(r.Topic, t.Prefix), Time: r.Timestamp, Key: string(r.Key),
		Row: trial.Position{Partition: r.Partition, Offset: r.Offset},
	}
	if r.Topic == t.deadLetter() {
		for _, h := range r.Headers {
			if h.Key == "smsbridge-error" {
				o.Error = string(h.Value)
			}
		}
		return o
	}
	if json.Unmarshal(r.Value, &o.Body) != nil {
		o.Body = Body{}
	}
	return o
}

// result makes a row of a history of it.
func (o *Output) result(value []byte) trial.Result {
	digest := fnv.New64a()
	digest.Write(value)
	row := trial.Result{
		Command: o.Command.trial(), Row: o.Row, At: o.Time, EventID: o.EventID, ID: o.CommandID,
		Key: o.Key, Metadata: string(o.Metadata), Revision: o.Revision, Status: o.Status, Reason: o.Reason, Digest: digest.Sum64(),
	}
	if o.DuplicateOf != nil {
		of := o.DuplicateOf.trial()
		row.DuplicateOf, row.FirstStatus = &of, o.DuplicateOf.Status
	}
	for _, s := range o.Submissions {
		row.Parts = append(row.Parts, trial.Part(s))
	}
	return row
}

// report makes a row of a history of it.
func (o *Output) report() trial.Report {
	return trial.Report{
		Row: o.Row, EventID: o.EventID, ID: o.CommandID, Command: o.Command.trial(), Key: o.Key, Metadata: string(o.Metadata),
		Revision: o.Revision, SendID: o.SendID, Number: o.To, Status: o.Status, State: o.State, Final: o.Final, Missing: o.Missing,
		Correlation: o.Correlation, DoneAt: o.DoneAt, DoneAtExact: o.DoneAtExact,
	}
}

func (p *position) trial() trial.Position {
	if p == nil {
		return trial.Position{Partition: -1, Offset: -1}
	}
	return trial.Position(*p)
}

// The lab's texts end in the command's id, by which the ledger is read.
const idMark = " #"

// Text makes a text that says whose it is. The word in it must not be found in
// any log.
func Text(says, id string) string { return says + " " + canary + idMark + id }

const canary = "canarytext"

func idOf(text string) string {
	i := strings.LastIndex(text, idMark)
	if i < 0 {
		return ""
	}
	return text[i+len(idMark):]
}
