package codec

import (
	"encoding/json"
	"fmt"
	"time"

	"smsbridge/codec/sms"
)

// stored is the body of a result. What the body does not have, as the key of the
// command, is not in it.
type stored struct {
	CommandID        string            `json:"command_id"`
	Revision         int               `json:"revision"`
	Status           sms.Status        `json:"status"`
	Reason           sms.Reason        `json:"reason"`
	Detail           string            `json:"detail"`
	Recipients       int               `json:"recipients"`
	Accepted         int               `json:"accepted"`
	Invalid          int               `json:"invalid"`
	Blocked          int               `json:"blocked"`
	Segments         int               `json:"segments"`
	BillableSegments int               `json:"billable_segments"`
	Encoding         sms.Encoding      `json:"encoding"`
	Submissions      []storedPart      `json:"submissions"`
	Refused          []sms.Refusal     `json:"refused"`
	DuplicateOf      *sms.First        `json:"duplicate_of"`
	Signature        string            `json:"signature"`
	Extension        string            `json:"extension"`
	SendAt           time.Time         `json:"send_at"`
	ExpiresAt        time.Time         `json:"expires_at"`
	TextHash         string            `json:"text_hash"`
	ToHash           string            `json:"to_hash"`
	Class            sms.Class         `json:"class"`
	Warnings         []string          `json:"warnings"`
	Account          string            `json:"account"`
	Metadata         map[string]string `json:"metadata"`
	Command          sms.Position      `json:"command"`
	CommandedAt      time.Time         `json:"commanded_at"`
	SubmittedAt      time.Time         `json:"submitted_at"`
	At               time.Time         `json:"at"`
}

type storedPart struct {
	Part              int        `json:"part"`
	First             int        `json:"first"`
	Last              int        `json:"last"`
	Status            sms.Status `json:"status"`
	Reason            sms.Reason `json:"reason"`
	ProviderMessageID string     `json:"provider_message_id"`
	ProviderCode      string     `json:"provider_code"`
	ProviderText      string     `json:"provider_text"`
	Recipients        int        `json:"recipients"`
	Accepted          int        `json:"accepted"`
	Invalid           int        `json:"invalid"`
	Blocked           int        `json:"blocked"`
	Attempts          int        `json:"attempts"`
	SubmittedAt       time.Time  `json:"submitted_at"`
	LatencyMS         int64      `json:"latency_ms"`
	PossibleDuplicate bool       `json:"possible_duplicate"`
}

// DecodeResult reads the body of a result as EncodeResult made it, so that a
// later revision can be made of it. CommandKey and Trace stand beside the body,
// in the record's key and headers, and stay empty.
func DecodeResult(body []byte) (sms.Result, error) {
	var s stored
	if err := json.Unmarshal(body, &s); err != nil {
		return sms.Result{}, fmt.Errorf("result cannot be read: %T", err) // the error's text may quote the body
	}
	r := sms.Result{
		CommandID: s.CommandID, Revision: s.Revision, Status: s.Status, Reason: s.Reason, Detail: s.Detail,
		Recipients: s.Recipients, Accepted: s.Accepted, Invalid: s.Invalid, Blocked: s.Blocked,
		Segments: s.Segments, BillableSegments: s.BillableSegments, Encoding: s.Encoding,
		Refused: s.Refused, DuplicateOf: s.DuplicateOf,
		Signature: s.Signature, Extension: s.Extension, SendAt: s.SendAt, ExpiresAt: s.ExpiresAt, TextHash: s.TextHash, ToHash: s.ToHash, Class: s.Class, Warnings: s.Warnings, Account: s.Account,
		Metadata: s.Metadata, Command: s.Command, CommandedAt: s.CommandedAt, SubmittedAt: s.SubmittedAt, At: s.At,
	}
	for _, p := range s.Submissions {
		r.Submissions = append(r.Submissions, sms.Submission{
			Part: p.Part, First: p.First, Last: p.Last, Status: p.Status, Reason: p.Reason,
			ProviderMessageID: p.ProviderMessageID, ProviderCode: p.ProviderCode, ProviderText: p.ProviderText,
			Recipients: p.Recipients, Accepted: p.Accepted, Invalid: p.Invalid, Blocked: p.Blocked, Attempts: p.Attempts,
			SubmittedAt: p.SubmittedAt, Latency: time.Duration(p.LatencyMS) * time.Millisecond, PossibleDuplicate: p.PossibleDuplicate,
		})
	}
	return r, nil
}
