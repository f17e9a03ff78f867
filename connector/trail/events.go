package trail

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"smsbridge/codec"
	"smsbridge/codec/sms"
	"smsbridge/codec/wire"
	"smsbridge/connector/journal"
	"smsbridge/connector/kafkaio"
)

// Event is one record that is about a command.
type Event struct {
	At        time.Time         `json:"at"`
	Kind      EventKind         `json:"kind"`
	CommandID string            `json:"command_id,omitempty"`
	Topic     string            `json:"topic"`
	Partition int               `json:"partition"`
	Offset    int64             `json:"offset"`
	Facts     map[string]string `json:"facts"`
}

// EventKind says what an Event tells.
type EventKind string

// The kinds of events, in the order in which they happen.
const (
	CommandEvent    EventKind = "command"
	IntentEvent     EventKind = "intent"
	ReleasedEvent   EventKind = "released"
	AnswerEvent     EventKind = "answer"
	EvidenceEvent   EventKind = "evidence"
	FinalEvent      EventKind = "final"
	DeadLetterEvent EventKind = "dead_letter"
	ResultEvent     EventKind = "result"
	ReportEvent     EventKind = "report"
	OrderEvent      EventKind = "order" // an operator's
	LineEvent       EventKind = "line"  // what an instance said about the line
	NowEvent        EventKind = "now"   // the last one: how things stand
)

// rank orders events of the same millisecond.
func (k EventKind) rank() int {
	return strings.Index("order line command intent released answer evidence final dead_letter result report", string(k))
}

type facts = map[string]string

// set adds what is known.
func set(f facts, name, value string) {
	if value != "" {
		f[name] = value
	}
}

func (e *Event) mask() {
	e.CommandID = Mask(e.CommandID)
	for name, value := range e.Facts {
		e.Facts[name] = Mask(value)
	}
}

func decodeCommand(rec *kafkaio.Record) (sms.Command, error) {
	in := codec.Incoming{
		Source: sms.Position{Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset},
		At:     rec.Time, Key: rec.Key, Value: rec.Value,
	}
	return codec.DecodeCommand(in)
}

// commandEvent tells a command. Numbers are made plain first, so that each can
// be told from other digits and masked.
func commandEvent(cmd *sms.Command, fault error, show bool) Event {
	numbers := make([]string, len(cmd.To))
	for i, number := range cmd.To {
		digits, ok := wire.NormalizeNumber(number)
		switch {
		case ok:
			numbers[i] = digits
		case show:
			numbers[i] = number
		default:
			numbers[i] = "(no mainland number)"
		}
	}
	f := facts{
		"class": string(cmd.Class), "to": strings.Join(numbers, ","),
		"characters": strconv.Itoa(utf8.RuneCountInString(cmd.Text)),
	}
	set(f, "key", string(cmd.Key))
	set(f, "on_unknown", string(cmd.OnUnknown))
	set(f, "expires_at", stamp(cmd.ExpiresAt))
	set(f, "send_at", stamp(cmd.SendAt))
	if show {
		f["text"] = cmd.Text
	}
	for name, value := range cmd.Metadata {
		f["metadata."+name] = value
	}
	if fault != nil {
		f["fault"] = fault.Error()
	}
	return Event{Kind: CommandEvent, CommandID: cmd.ID, Facts: f}
}

func resultEvent(r *sms.Result) Event {
	f := facts{
		"status": string(r.Status), "revision": strconv.Itoa(r.Revision),
		"recipients": strconv.Itoa(r.Recipients), "accepted": strconv.Itoa(r.Accepted),
	}
	set(f, "reason", string(r.Reason))
	set(f, "detail", r.Detail)
	set(f, "provider_message_id", r.ProviderMessageID())
	if r.DuplicateOf != nil {
		f["duplicate_of"] = place(r.DuplicateOf.Position)
	}
	if len(r.Submissions) > 0 {
		f["billable_segments"] = strconv.Itoa(r.BillableSegments)
	}
	for i := range r.Submissions {
		s := &r.Submissions[i]
		name := "part." + strconv.Itoa(s.Part)
		f[name] = fmt.Sprintf("%s, %d attempts, %d of %d recipients accepted", s.Status, s.Attempts, s.Accepted, s.Recipients)
		if s.PossibleDuplicate {
			f[name] += ", possible duplicate"
		}
	}
	return Event{Kind: ResultEvent, CommandID: r.CommandID, Facts: f}
}

func entryEvent(e *journal.Entry) Event {
	kinds := map[journal.EntryKind]EventKind{
		journal.IntentEntry: IntentEvent, journal.ReleasedEntry: ReleasedEvent, journal.DoneEntry: AnswerEvent, journal.FinalEntry: FinalEvent,
		journal.EvidenceEntry: EvidenceEvent,
	}
	f := facts{"group": e.Group, "generation": strconv.Itoa(int(e.Generation)), "command_offset": strconv.FormatInt(e.Command.Offset, 10)}
	if e.Kind == journal.IntentEntry {
		f["part"], f["attempt"] = strconv.Itoa(e.Part), strconv.Itoa(e.Attempt)
		f["recipients"] = strconv.Itoa(e.Last - e.First + 1)
		set(f, "expires_at", stamp(e.Expires))
		if e.PossibleDuplicate {
			f["possible_duplicate"] = "true"
		}
	}
	if e.Intent >= 0 {
		f["intent"] = strconv.FormatInt(e.Intent, 10)
	}
	if s := e.Submission; s != nil {
		f["part"] = strconv.Itoa(s.Part)
		f["answer"] = string(s.Status)
		set(f, "reason", string(s.Reason))
		set(f, "provider_message_id", s.ProviderMessageID)
		set(f, "provider_code", s.ProviderCode)
		set(f, "provider_text", s.ProviderText)
		set(f, "submitted_at", stamp(s.SubmittedAt))
		f["latency_ms"] = strconv.FormatInt(s.Latency.Milliseconds(), 10)
	}
	if e.Kind == journal.EvidenceEntry {
		f["part"], f["provider_message_id"] = strconv.Itoa(e.Part), e.SendID
	}
	if e.Kind == journal.FinalEntry {
		f["status"], f["revision"] = string(e.Status), strconv.Itoa(e.Revision)
	}
	return Event{Kind: kinds[e.Kind], CommandID: e.Command.ID, Facts: f}
}

// report is what is told of a delivery report.
type report struct {
	CommandID         string            `json:"command_id"`
	Revision          int               `json:"revision"`
	ProviderMessageID string            `json:"provider_message_id"`
	To                string            `json:"to"`
	ToHash            string            `json:"to_hash"`
	Status            string            `json:"status"`
	ProviderStatus    string            `json:"provider_status"`
	Final             bool              `json:"final"`
	Reason            string            `json:"reason"`
	DoneAt            time.Time         `json:"done_at"`
	Correlation       string            `json:"correlation"`
	Metadata          map[string]string `json:"metadata"`
}

func decodeReport(body []byte) (report, error) {
	var r report
	if err := json.Unmarshal(body, &r); err != nil {
		return report{}, fmt.Errorf("report cannot be read: %T", err) // the error's text may quote the body
	}
	return r, nil
}

func reportEvent(r *report) Event {
	f := facts{"status": r.Status, "final": strconv.FormatBool(r.Final), "revision": strconv.Itoa(r.Revision), "correlation": r.Correlation}
	set(f, "to", r.To)
	set(f, "reason", r.Reason)
	set(f, "provider_status", r.ProviderStatus)
	set(f, "provider_message_id", r.ProviderMessageID)
	set(f, "done_at", stamp(r.DoneAt))
	return Event{Kind: ReportEvent, CommandID: r.CommandID, Facts: f}
}

func place(p sms.Position) string { return fmt.Sprintf("%s/%d/%d", p.Topic, p.Partition, p.Offset) }

// stamp writes a time as the topics do; nothing where there is none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}
