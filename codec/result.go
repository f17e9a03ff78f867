package codec

import "smsbridge/codec/sms"

// EncodeResult makes the event of a result. Its id is that of the verdict on
// that record of the command topic and leaves out when it was reached: an owner
// that reaches the same verdict again after a crash tells no news.
func EncodeResult(r sms.Result) Event { return EncodeResultAs(r, resultID(&r)) }

// EncodeResultAs makes it with the id of an event that said the same in more words.
func EncodeResultAs(r sms.Result, id string) Event {
	e := Event{
		ID:      id,
		Type:    ResultType,
		Source:  source(r.Account),
		Subject: r.CommandID,
		Time:    r.At,
		Key:     r.CommandKey,
		Trace:   r.Trace,
	}
	if e.Key == nil {
		e.Key = []byte(r.CommandID)
	}
	o := newObject()
	o.text("event_id", e.ID)
	o.text("command_id", r.CommandID)
	o.count("revision", r.Revision)
	o.text("status", string(r.Status))
	o.text("reason", string(r.Reason))
	o.text("detail", r.Detail)
	o.count("recipients", r.Recipients)
	o.count("accepted", r.Accepted)
	o.count("invalid", r.Invalid)
	o.count("blocked", r.Blocked)
	o.measure(&r)
	o.text("provider_message_id", r.ProviderMessageID())
	o.submissions(r.Submissions)
	o.refused(r.Refused)
	o.duplicateOf(r.DuplicateOf)
	o.text("signature", r.Signature)
	o.text("extension", r.Extension)
	o.time("send_at", r.SendAt)
	o.time("expires_at", r.ExpiresAt)
	o.text("text_hash", r.TextHash)
	o.text("to_hash", r.ToHash)
	o.text("class", string(r.Class))
	o.texts("warnings", r.Warnings)
	o.text("account", r.Account)
	o.metadata(r.Metadata)
	o.position("command", r.Command)
	o.time("commanded_at", r.CommandedAt)
	o.time("submitted_at", r.SubmittedAt)
	o.time("at", r.At)
	e.Body = o.end()
	return e
}

func resultID(r *sms.Result) string {
	d := newDigest(ResultType, r.Account)
	d.position(r.Command)
	d.time(r.CommandedAt) // tells a topic made anew from the old one
	d.text(r.CommandID)
	d.number(int64(r.Revision))
	d.text(string(r.Status))
	d.text(string(r.Reason))
	for i := range r.Submissions {
		s := &r.Submissions[i]
		d.number(int64(s.Part))
		d.text(string(s.Status))
		d.text(string(s.Reason))
		d.text(s.ProviderMessageID)
		d.text(s.ProviderCode)
	}
	return d.id()
}

// measure writes the size of the text, which is not known before it was
// measured.
func (o *object) measure(r *sms.Result) {
	if r.Encoding == "" {
		o.null("segments")
		o.null("billable_segments")
	} else {
		o.count("segments", r.Segments)
		o.count("billable_segments", r.BillableSegments)
	}
	o.text("encoding", string(r.Encoding))
}

func (o *object) submissions(all []sms.Submission) {
	o.name("submissions")
	o.raw("[")
	for i := range all {
		o.next()
		o.submission(&all[i])
	}
	o.raw("]")
}

func (o *object) submission(s *sms.Submission) {
	o.raw("{")
	o.count("part", s.Part)
	o.count("first", s.First)
	o.count("last", s.Last)
	o.text("status", string(s.Status))
	o.text("reason", string(s.Reason))
	o.text("provider_message_id", s.ProviderMessageID)
	o.text("provider_code", s.ProviderCode)
	o.text("provider_text", s.ProviderText)
	o.count("recipients", s.Recipients)
	o.count("accepted", s.Accepted)
	o.count("invalid", s.Invalid)
	o.count("blocked", s.Blocked)
	o.count("attempts", s.Attempts)
	o.time("submitted_at", s.SubmittedAt)
	if s.SubmittedAt.IsZero() {
		o.null("latency_ms")
	} else {
		o.number("latency_ms", s.Latency.Milliseconds())
	}
	o.flag("possible_duplicate", s.PossibleDuplicate)
	o.raw("}")
}

func (o *object) refused(all []sms.Refusal) {
	o.name("refused")
	o.raw("[")
	for _, r := range all {
		o.next()
		o.raw("{")
		o.count("index", r.Index)
		o.text("reason", string(r.Reason))
		o.raw("}")
	}
	o.raw("]")
}

func (o *object) duplicateOf(first *sms.First) {
	if first == nil {
		o.null("duplicate_of")
		return
	}
	o.name("duplicate_of")
	o.raw("{")
	o.place(first.Position)
	o.text("status", string(first.Status))
	o.raw("}")
}
