package submit

import (
	"errors"
	"slices"
	"strings"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/codec/wire"
)

// plan is a command as it is to be submitted.
type plan struct {
	// numbers are the recipients, normalised, each once. Which they are depends
	// on the command alone, as ranges of them outlive this process and its
	// configuration.
	numbers []string
	barred  []bool // of numbers: not to be submitted; nil when none is
	refused []sms.Refusal
	text    wire.Measure
	expires time.Time
	policy  sms.OnUnknown
	fault   *fault // set when the command cannot be used
}

// fault says why a command cannot be used.
type fault struct {
	reason sms.Reason
	detail string
}

// planFor reads a command. It has no effects, and asks the clock only where the
// command has no time of its own.
func (s *Submitter) planFor(cmd *sms.Command) plan {
	p := plan{expires: s.expiry(cmd), policy: cmd.OnUnknown}
	if p.policy == "" {
		p.policy = s.config.OnUnknown
	}
	s.address(&p, cmd.To)
	if !isDigits(cmd.Extension) {
		p.fault = &fault{sms.ValidationFailed, "extension: the provider takes digits only; remove everything else"}
		return p
	}
	sign := cmd.Signature
	if sign == "" {
		sign = s.config.Signature
	}
	text, err := wire.MeasureText(cmd.Text, sign)
	if err != nil {
		p.fault = &fault{textReason(err), err.Error()}
		return p
	}
	if text.Sign == "" && !s.config.SignatureBound {
		p.fault = &fault{sms.SignatureMissing, "signature: the provider requires one; give the command or the connector one, or say that the account has one bound"}
		return p
	}
	if p.fault = s.judgeSendAt(cmd); p.fault != nil {
		return p
	}
	p.text = text
	if cmd.MaxSegments > 0 && text.Segments > cmd.MaxSegments {
		p.fault = &fault{sms.ContentTooLong, "text: needs more segments than max_segments allows; shorten it or allow more"}
	}
	return p
}

// judgeSendAt says what is wrong with the time that a command is to be sent at.
func (s *Submitter) judgeSendAt(cmd *sms.Command) *fault {
	switch {
	case cmd.SendAt.IsZero():
		return nil
	case !cmd.ExpiresAt.IsZero() && cmd.SendAt.After(cmd.ExpiresAt):
		return &fault{sms.ValidationFailed, "send_at: is after expires_at, so it would be sent after its end; bring it forward or leave one of them out"}
	case s.config.SendAtMax > 0 && cmd.SendAt.After(commandedAt(cmd).Add(s.config.SendAtMax)):
		return &fault{sms.ValidationFailed, "send_at: is further ahead than SMSBRIDGE_SEND_AT_MAX allows; produce the command later"}
	}
	return nil
}

// expiry is the end of the validity: the record's timestamp and the validity of the
// class, but never later than expires_at. send_at extends nothing, as the provider
// holds the text until then.
func (s *Submitter) expiry(cmd *sms.Command) time.Time {
	end := commandedAt(cmd).Add(s.config.Validity.of(cmd.Class))
	if !cmd.ExpiresAt.IsZero() && cmd.ExpiresAt.Before(end) {
		end = cmd.ExpiresAt
	}
	return end
}

// commandedAt is the record's timestamp. A record without one counts from now.
func commandedAt(cmd *sms.Command) time.Time {
	if cmd.At.Unix() <= 0 {
		return time.Now()
	}
	return cmd.At
}

// Recipients are the numbers of a command as they are submitted, each once: those
// that the ranges of its parts are about.
func (s *Submitter) Recipients(cmd *sms.Command) []string {
	var p plan
	s.address(&p, cmd.To)
	return p.numbers
}

// fewRecipients is up to where comparing with each is cheaper than a map.
const fewRecipients = 16

// address fills in the recipients. Blanks and repeats are dropped in silence,
// what cannot be submitted is refused by its index.
func (s *Submitter) address(p *plan, to []string) {
	p.numbers = make([]string, 0, len(to))
	seen := func(number string) bool { return slices.Contains(p.numbers, number) }
	if len(to) > fewRecipients {
		all := make(map[string]struct{}, len(to))
		seen = func(number string) bool {
			before := len(all)
			all[number] = struct{}{}
			return len(all) == before
		}
	}
	for i, given := range to {
		if strings.TrimSpace(given) == "" {
			continue
		}
		number, ok := wire.NormalizeNumber(given)
		switch {
		case !ok:
			p.refused = append(p.refused, sms.Refusal{Index: i, Reason: sms.InvalidRecipient})
		case seen(number):
		default:
			p.numbers = append(p.numbers, number)
			if !s.allowed(number) {
				p.refused = append(p.refused, sms.Refusal{Index: i, Reason: sms.NumberNotAllowed})
				p.bar(len(p.numbers)-1, len(to))
			}
		}
	}
}

// refuse refuses a recipient that the plan had taken.
func (p *plan) refuse(to []string, number string, reason sms.Reason) {
	for i, given := range to {
		if digits, ok := wire.NormalizeNumber(given); ok && digits == number {
			p.refused = append(p.refused, sms.Refusal{Index: i, Reason: reason})
			slices.SortFunc(p.refused, func(a, b sms.Refusal) int { return a.Index - b.Index })
			return
		}
	}
}

func (p *plan) bar(index, most int) {
	if p.barred == nil {
		p.barred = make([]bool, most)
	}
	p.barred[index] = true
}

// allowed reports whether a number may be submitted to at all.
func (s *Submitter) allowed(number string) bool {
	if len(s.allow) == 0 {
		return true
	}
	for _, prefix := range s.allow {
		if strings.HasPrefix(number, prefix) {
			return true
		}
	}
	return false
}

// split continues the history's parts with parts of at most so many recipients.
func (p *plan) split(h History, most int) []Part {
	parts, next := slices.Clip(h.Parts), 0 // the history stays the caller's
	if len(parts) > 0 {
		next = parts[len(parts)-1].Last + 1
	}
	for next < len(p.numbers) {
		part := Part{First: next, Last: min(next+most, len(p.numbers)) - 1}
		parts = append(parts, part)
		next = part.Last + 1
	}
	return parts
}

// mobiles are the numbers of a part. It reports false for a range that does not
// lie within the command's recipients.
func (p *plan) mobiles(part *Part) ([]string, bool) {
	if part.First < 0 || part.Last < part.First || part.Last >= len(p.numbers) {
		return nil, false
	}
	all := p.numbers[part.First : part.Last+1]
	if p.barred == nil {
		return all, true
	}
	some := make([]string, 0, len(all))
	for i, number := range all {
		if !p.barred[part.First+i] {
			some = append(some, number)
		}
	}
	return some, true
}

func textReason(err error) sms.Reason {
	var (
		long     *wire.TooLong
		conflict *wire.SignatureConflict
	)
	switch {
	case errors.As(err, &long):
		return sms.ContentTooLong
	case errors.As(err, &conflict):
		return sms.SignatureConflict
	default:
		return sms.ValidationFailed
	}
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// allowList reads prefixes and numbers as people write them.
func allowList(entries []string) []string {
	var list []string
	for _, entry := range entries {
		digits, ok := wire.NormalizeNumber(entry)
		if !ok { // a prefix
			digits = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(entry), "+86"), "0086")
		}
		if digits != "" {
			list = append(list, digits)
		}
	}
	return list
}
