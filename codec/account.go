package codec

import "smsbridge/codec/sms"

// EncodeAccount makes the event of a balance or a state of the line.
func EncodeAccount(a sms.AccountEvent) Event {
	d := newDigest(AccountType, a.Account)
	d.text(a.Instance)
	d.text(string(a.Line))
	d.text(string(a.Reason))
	d.text(a.Balance)
	d.text(a.Unit)
	d.text(string(a.Level))
	d.time(a.At)
	e := Event{
		ID:     d.id(),
		Type:   AccountType,
		Source: source(a.Account),
		Time:   a.At,
		Key:    []byte(a.Account),
	}
	o := newObject()
	o.text("event_id", e.ID)
	o.text("account", a.Account)
	o.text("instance", a.Instance)
	o.text("line", string(a.Line))
	o.text("reason", string(a.Reason))
	o.text("balance", a.Balance)
	o.text("unit", a.Unit)
	o.text("level", string(a.Level))
	o.time("at", a.At)
	e.Body = o.end()
	return e
}
