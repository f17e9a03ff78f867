package journal

import (
	"time"

	"smsbridge/codec/sms"
)

// Entry is one record of the journal for those who look and do not decide.
type Entry struct {
	Kind       EntryKind
	Group      string
	Generation int32
	Command    Ref

	Part, First, Last int  // intents, and what answers one
	Attempt           int  // intents
	PossibleDuplicate bool // intents: an earlier attempt may have been carried out
	Expires           time.Time

	Intent     int64           // position of the intent that is released or answered; -1: none
	Submission *sms.Submission // what came of that intent, nil where nothing is said of it

	SendID string // evidence

	Status   sms.Status // finals
	Revision int        // finals
}

// EntryKind says what an Entry is about.
type EntryKind string

// The kinds of entries that are about a command. Others are decisions.
const (
	IntentEntry   EntryKind = "intent"   // a part is about to be submitted
	ReleasedEntry EntryKind = "released" // an intent was not and will never be submitted
	DoneEntry     EntryKind = "done"     // what came of an intent
	FinalEntry    EntryKind = "final"    // what came of the command, and perhaps of its last intent
	EvidenceEntry EntryKind = "evidence" // a delivery report shows that a part in doubt was accepted
	OtherEntry    EntryKind = "other"
)

// ReadEntry reads a record of the journal topic.
func ReadEntry(value []byte) (Entry, error) {
	r, err := decode(value)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{
		Kind: OtherEntry, Group: r.group, Generation: r.gen, Command: r.ref,
		Part: r.part, First: r.first, Last: r.last, Attempt: r.attempt, PossibleDuplicate: r.flagged, Expires: r.expires,
		Intent: -1, Status: r.status, Revision: r.revision,
	}
	switch r.kind {
	case intent:
		e.Kind = IntentEntry
	case released:
		e.Kind, e.Intent = ReleasedEntry, r.names
	case done, final:
		e.Kind = DoneEntry
		if r.kind == final {
			e.Kind = FinalEntry
		}
		if r.about() {
			e.Intent, e.Submission = r.names, &r.came
		}
	case evidence:
		e.Kind, e.SendID = EvidenceEntry, r.sendid
	default:
	}
	return e, nil
}
