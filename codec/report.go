package codec

import (
	"strings"

	"smsbridge/codec/sms"
)

// EncodeReport makes the event of a delivery report. The event is the report and
// how it found its command: pushed twice it is the same event, matched later it
// is another one. When it was received stands in the body and not in the id.
//
// ce_time is when the state was reached, so that a repeat bears the same; only
// where the provider gave none it is when the report was received.
func EncodeReport(n Numbers, r sms.Report) Event {
	return encodeReport(n, &r, false)
}

// EncodeShortReport makes the same event, with the same id, for a topic that does
// not take the whole one: metadata is null, provider_status is cut, and a longer
// key than a command may have is the command's id.
func EncodeShortReport(n Numbers, r sms.Report) Event {
	return encodeReport(n, &r, true)
}

// shortStatus is how much of provider_status is left in a shortened report.
const shortStatus = 64

func encodeReport(n Numbers, r *sms.Report, short bool) Event {
	origin := sms.Origin{}
	if r.Origin != nil {
		origin = *r.Origin
	}
	e := Event{
		ID:      reportEventID(n, r, &origin),
		Type:    ReportType,
		Source:  source(r.Account),
		Subject: origin.CommandID,
		Time:    firstTime(r.DoneAt, r.ReceivedAt),
		Key:     origin.Key,
		Trace:   origin.Trace,
	}
	if e.Subject == "" {
		e.Subject = r.ProviderMessageID
	}
	status := r.ProviderStatus
	if short {
		origin.Metadata = nil
		status = strings.ToValidUTF8(status[:min(len(status), shortStatus)], "")
		if len(e.Key) > MaxKey {
			e.Key = nil
		}
	}
	if e.Key == nil {
		e.Key = []byte(e.Subject)
	}
	o := newObject()
	o.text("event_id", e.ID)
	o.text("report_id", reportDigest(n, r).id())
	o.count("revision", r.Revision)
	o.text("command_id", origin.CommandID)
	o.text("provider_message_id", r.ProviderMessageID)
	o.text("to", n.show(r.To))
	o.text("to_hash", n.Key.Hash(r.To))
	if r.Foreign == nil {
		o.null("foreign")
	} else {
		o.flag("foreign", *r.Foreign)
	}
	if r.Status == sms.DeliveryUnreported {
		o.count("missing", r.Missing)
	} else {
		o.null("missing")
	}
	o.text("status", string(r.Status))
	o.text("provider_status", status)
	o.flag("final", r.Final)
	o.text("reason", string(r.Reason))
	o.time("done_at", r.DoneAt)
	o.flag("done_at_exact", r.DoneAtExact)
	o.time("submitted_at", origin.SubmittedAt)
	o.time("received_at", r.ReceivedAt)
	o.text("correlation", string(r.Correlation))
	o.text("class", string(origin.Class))
	if r.Origin == nil {
		o.null("command")
	} else {
		o.position("command", origin.Command)
	}
	o.text("account", r.Account)
	o.metadata(origin.Metadata)
	e.Body = o.end()
	return e
}

// ReportID is the same for the same report of the provider, whether its command
// is known or not.
func ReportID(n Numbers, r sms.Report) string { return reportDigest(n, &r).id() }

func reportDigest(n Numbers, r *sms.Report) *digest {
	d := newDigest(ReportType, r.Account)
	d.text(r.ProviderMessageID)
	d.text(n.identity(r.To))
	d.text(string(r.Status))
	d.text(r.ProviderStatus)
	d.time(r.DoneAt)
	return d
}

func reportEventID(n Numbers, r *sms.Report, origin *sms.Origin) string {
	d := reportDigest(n, r)
	d.number(int64(r.Revision))
	d.text(string(r.Correlation))
	d.flag(r.DoneAtExact)
	d.number(int64(r.Missing))
	d.text(origin.CommandID)
	d.position(origin.Command)
	return d.id()
}
