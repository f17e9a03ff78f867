package submit

import (
	"context"
	"slices"
	"time"
	"unicode/utf8"

	"smsbridge/codec/sms"
	"smsbridge/codec/wire"
)

// sum adds up what came of the parts. Recipients are all that the command asked
// for, each once: those submitted and those refused here. Accepted, Invalid and
// Blocked are the provider's counts.
func (s *Submitter) sum(cmd *sms.Command, p *plan, outcomes []sms.Submission) *sms.Result {
	r := s.result(cmd, p.numbers)
	r.Status, r.Reason = aggregate(outcomes, p.refused)
	r.Detail = detailOf(r.Status, r.Reason)
	if p.fault != nil {
		r.Detail = p.fault.detail
		if len(outcomes) == 0 {
			r.Status, r.Reason = sms.Invalid, p.fault.reason
		}
	}
	r.Recipients = len(p.numbers) + countInvalid(p.refused)
	if r.Recipients != 1 {
		r.ToHash = ""
	}
	r.ExpiresAt = p.expires
	if r.Segments, r.Encoding = p.text.Segments, p.text.Encoding; r.Encoding != "" {
		r.Signature = p.text.Sign // a text may bring its own
	}
	r.Refused = p.refused
	told := outcomes[:0]
	for i := range outcomes {
		if o := &outcomes[i]; o.Attempts > 0 || mayHaveLeft(o) {
			told = append(told, *o)
		}
	}
	r.Submissions = told
	count(r)
	return r
}

// count adds up what the provider said of the parts that it was shown.
func count(r *sms.Result) {
	r.Accepted, r.Invalid, r.Blocked, r.SubmittedAt = 0, 0, 0, time.Time{}
	for i := range r.Submissions {
		o := &r.Submissions[i]
		r.Accepted += o.Accepted
		r.Invalid += o.Invalid
		r.Blocked += o.Blocked
		if mayHaveLeft(o) && r.SubmittedAt.IsZero() {
			r.SubmittedAt = o.SubmittedAt
		}
	}
	r.BillableSegments = r.Segments * r.Accepted
}

// Revise is the result of a command of which more is known now than when prior
// was told: what came of some of its parts. The rest stands as it was.
func (s *Submitter) Revise(prior sms.Result, known []sms.Submission, revision int) sms.Result {
	r := prior
	r.Revision, r.At = revision, time.Now()
	r.Submissions = slices.Clone(prior.Submissions)
	for _, k := range known {
		// prior may have left some out: see where results are shortened.
		i, told := slices.BinarySearchFunc(r.Submissions, k.Part, func(s sms.Submission, part int) int { return s.Part - part })
		if told {
			r.Submissions[i] = k
		} else {
			r.Submissions = slices.Insert(r.Submissions, i, k)
		}
	}
	r.Status, r.Reason = aggregate(r.Submissions, r.Refused)
	r.Detail = detailOf(r.Status, r.Reason)
	count(&r)
	s.tell(context.Background(), &r, r.At)
	return r
}

// aggregate is the status of a command: unknown if a part is, else by how many
// of its recipients were accepted, else that of its first part.
func aggregate(outcomes []sms.Submission, refused []sms.Refusal) (sms.Status, sms.Reason) {
	if len(outcomes) == 0 {
		if len(refused) == 0 {
			return sms.Invalid, sms.InvalidRecipient
		}
		return sms.Invalid, refused[0].Reason
	}
	whole, some := len(refused) == 0, false
	var reason sms.Reason // of the first that went wrong
	for i := range outcomes {
		o := &outcomes[i]
		if o.Status == sms.Unknown {
			return sms.Unknown, o.Reason
		}
		whole = whole && o.Status == sms.Accepted
		some = some || o.Accepted > 0 || o.Status == sms.Accepted
		if reason == "" {
			reason = o.Reason
		}
	}
	switch {
	case whole:
		return sms.Accepted, ""
	case some && reason == "":
		return sms.PartiallyAccepted, refused[0].Reason
	case some:
		return sms.PartiallyAccepted, reason
	default:
		return outcomes[0].Status, outcomes[0].Reason
	}
}

// mayHaveLeft reports whether a request of the part may have reached the
// provider and been judged.
func mayHaveLeft(o *sms.Submission) bool {
	switch o.Status {
	case sms.Accepted, sms.PartiallyAccepted, sms.Rejected, sms.Unknown:
		return true
	default:
		return false
	}
}

func countInvalid(refused []sms.Refusal) int {
	n := 0
	for _, r := range refused {
		if r.Reason == sms.InvalidRecipient { // those not allowed stand among the numbers
			n++
		}
	}
	return n
}

// Invalid is the result of a command that could not be decoded. err is shown to
// people, so it must hold neither numbers nor text.
func (s *Submitter) Invalid(cmd *sms.Command, err error) *sms.Result {
	r := s.result(cmd, s.Recipients(cmd))
	r.Status, r.Reason, r.Detail = sms.Invalid, sms.ValidationFailed, err.Error()
	s.tell(context.Background(), r, r.At)
	return r
}

// Interrupted is the result of a command that made this process fail, before or
// after its submit: nobody knows.
func (s *Submitter) Interrupted(cmd *sms.Command) *sms.Result {
	r := s.result(cmd, s.Recipients(cmd))
	r.ExpiresAt = s.expiry(cmd)
	r.Status, r.Reason, r.Detail = sms.Unknown, sms.Interrupted, detailOf(sms.Unknown, sms.Interrupted)
	s.tell(context.Background(), r, r.At)
	return r
}

// Duplicate is the result of a command whose id was used before. Its revision
// is 0, so that it never replaces the first one's.
func (s *Submitter) Duplicate(cmd *sms.Command, first sms.First) *sms.Result {
	r := s.result(cmd, s.Recipients(cmd))
	r.ExpiresAt = s.expiry(cmd)
	r.Revision = 0
	r.Status, r.Reason, r.Detail = sms.Duplicate, sms.RepeatedID, "the id was used before; nothing was submitted"
	r.DuplicateOf = &first
	s.tell(context.Background(), r, r.At)
	return r
}

// result is what every result of a command has in common. numbers are its recipients
// as they are submitted.
func (s *Submitter) result(cmd *sms.Command, numbers []string) *sms.Result {
	r := &sms.Result{
		CommandID:   cmd.ID,
		Revision:    1,
		Signature:   s.signature(cmd),
		Extension:   cmd.Extension,
		SendAt:      cmd.SendAt,
		TextHash:    s.config.HashKey.Hash(cmd.Text),
		Class:       cmd.Class,
		Warnings:    cmd.Warnings,
		Account:     s.config.Account,
		Metadata:    cmd.Metadata,
		Command:     cmd.Source,
		CommandKey:  cmd.Key,
		CommandedAt: cmd.At,
		At:          time.Now(),
		Trace:       cmd.Trace,
	}
	if len(numbers) == 1 {
		r.ToHash = s.config.HashKey.Hash(numbers[0])
	}
	return r
}

// signature is the one that a command is to be sent with, none where it is longer
// than any text: a result must not grow with what was refused.
func (s *Submitter) signature(cmd *sms.Command) string {
	switch {
	case cmd.Signature == "":
		return s.config.Signature
	case utf8.RuneCountInString(cmd.Signature) > wire.MaxUnits:
		return ""
	default:
		return cmd.Signature
	}
}

// detailOf says a result in a sentence. The sentences are fixed, so that
// nothing of the command can get into them.
func detailOf(status sms.Status, reason sms.Reason) string {
	switch status {
	case sms.Accepted:
		return "the provider accepted every recipient"
	case sms.PartiallyAccepted:
		return "some recipients were not accepted; see submissions and refused"
	case sms.Rejected:
		return "the provider refused the message"
	case sms.Failed:
		return "never reached the provider: all attempts were used up"
	case sms.Expired:
		if reason == sms.ValidityExpired {
			return "not submitted: its validity was over"
		}
		return "not submitted: its validity ended while it waited; the reason says for what"
	case sms.Cancelled:
		return "not submitted: an operator cancelled it"
	case sms.Suppressed:
		return "not submitted: none of its recipients gets texts of its class; see smsbridge suppress"
	case sms.Unknown:
		return "may have been sent: the provider's answer was not received"
	case sms.Invalid:
		return "no recipient could be submitted; see refused"
	default:
		return ""
	}
}
