package codec

import "smsbridge/codec/sms"

// EncodeInbound makes the event of an inbound message. Its subject stays empty:
// all that names the message is the sender's number, and headers are logged by
// others more freely than bodies.
func EncodeInbound(n Numbers, m sms.Inbound) Event {
	d := newDigest(InboundType, m.Account)
	d.text(n.identity(m.From))
	d.text(m.Text)
	d.text(m.Extension)
	d.time(m.SentAt)
	e := Event{
		ID:     d.id(),
		Type:   InboundType,
		Source: source(m.Account),
		Time:   firstTime(m.SentAt, m.ReceivedAt),
	}
	hash := n.Key.Hash(m.From)
	e.Key = []byte(hash)
	o := newObject()
	o.text("event_id", e.ID)
	o.text("from", n.show(m.From))
	o.text("from_hash", hash)
	o.text("text", m.Text)
	o.text("extension", m.Extension)
	o.text("system_extension", m.SystemExtension)
	o.text("command_extension", m.CommandExtension)
	o.time("sent_at", m.SentAt)
	o.time("received_at", m.ReceivedAt)
	o.text("keyword", string(m.Keyword))
	o.text("confidence", string(m.Confidence))
	o.count("records", m.Records)
	o.text("account", m.Account)
	e.Body = o.end()
	return e
}
