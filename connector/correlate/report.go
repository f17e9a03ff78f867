package correlate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/codec/wire"
	"smsbridge/connector/kafkaio"
)

const (
	firstRevision  = 1
	secondRevision = 2 // of what was told as an orphan before
)

// output is what is written together, and what to count when it is durable.
type output struct {
	messages    []kafkaio.Message
	short       map[int]func() kafkaio.Message // by index of messages: those that can be told shortened
	counts      [4]int64                       // by correlations
	unreported  int64
	deadLetters int64
	received    []time.Time     // of the pushes whose command is known
	final       []time.Duration // from a submit to its final report
}

var correlations = [...]sms.Correlation{sms.Matched, sms.Inferred, sms.Orphan}

func (o *output) add(m kafkaio.Message) { o.messages = append(o.messages, m) }

// addWith takes a message that has a short form.
func (o *output) addWith(m kafkaio.Message, short func() kafkaio.Message) {
	if o.short == nil {
		o.short = make(map[int]func() kafkaio.Message)
	}
	o.short[len(o.messages)] = short
	o.add(m)
}

// told takes the event of a report.
func (p *partition) told(out *output, r sms.Report) {
	out.addWith(p.c.cfg.Report(r, false), func() kafkaio.Message { return p.c.cfg.Report(r, true) })
}

// deadLetter takes a record that cannot be read. In its short form it says where
// the record stands.
func (p *partition) deadLetter(rec kafkaio.Record, cause error) {
	p.out.addWith(p.c.cfg.DeadLetter(rec, cause), func() kafkaio.Message {
		rec.Key, rec.Value, rec.Headers = nil, nil, nil
		return p.c.cfg.DeadLetter(rec, cause)
	})
	p.out.deadLetters++
}

// match collects the reports of a push whose command is known, and which
// recipients have their final report now.
func (p *partition) match(out *output, e *entry, push *pushed) error {
	s, err := e.command()
	if err != nil {
		return err
	}
	mobiles := p.report(out, push, e.revision(digestOf(p.key(), push)), s.correlation(), s.origin())
	out.received = append(out.received, push.ReceivedAt)
	if m, ok := p.seen(e, push, mobiles); ok {
		out.add(m)
		out.final = append(out.final, max(0, push.ReceivedAt.Sub(later(s.SubmittedAt, s.SendAt))))
	}
	return nil
}

// command is what the first sent of the sendid said.
func (e *entry) command() (*sent, error) {
	var s sent
	if err := json.Unmarshal(e.sent, &s); err != nil {
		return nil, fmt.Errorf("the local store: %w", errUnreadable)
	}
	return &s, nil
}

func (s *sent) correlation() sms.Correlation {
	if s.Inferred {
		return sms.Inferred
	}
	return sms.Matched
}

// report collects one event for each number of a push. Nothing in it but the
// push and the sendids topic says: told again it is the same event.
func (p *partition) report(out *output, push *pushed, revision int, how sms.Correlation, origin *sms.Origin) (mobiles []string) {
	state := wire.JudgeState(push.State)
	for mobile := range strings.SplitSeq(push.Mobile, ",") {
		if slices.Contains(mobiles, mobile) {
			continue
		}
		p.told(out, sms.Report{
			Revision: revision, ProviderMessageID: push.SendID, To: mobile,
			Status: state.Status, ProviderStatus: push.State, Final: state.Final, Reason: state.Reason,
			DoneAt: push.Time, DoneAtExact: len(mobiles) == 0 && !push.Time.IsZero(), ReceivedAt: push.ReceivedAt,
			Correlation: how, Origin: origin, Account: p.c.cfg.Account,
		})
		mobiles = append(mobiles, mobile)
	}
	out.counts[slices.Index(correlations[:], how)] += int64(len(mobiles))
	return mobiles
}

// seen makes the record of the recipients for whom this is the first final
// report. A state that is not final says nothing about them, before or after.
func (p *partition) seen(e *entry, push *pushed, mobiles []string) (kafkaio.Message, bool) {
	if !wire.JudgeState(push.State).Final {
		return kafkaio.Message{}, false
	}
	var to []hash
	for _, mobile := range mobiles {
		if h := hashOf(p.key(), push.SendID, mobile); !slices.Contains(e.seen, h) {
			to = append(to, h)
		}
	}
	return p.fact(push.SendID, &fact{Kind: kindSeen, To: to}), len(to) > 0
}

// unreported collects the event that says that some recipients have no report.
func (p *partition) unreported(out *output, sendid string, e *entry) error {
	s, err := e.command()
	if err != nil {
		return err
	}
	p.told(out, sms.Report{
		Revision: firstRevision, ProviderMessageID: sendid, Missing: e.missing, Status: sms.DeliveryUnreported,
		ReceivedAt: time.UnixMilli(e.due), Correlation: s.correlation(), Origin: s.origin(), Account: p.c.cfg.Account,
	})
	out.unreported++
	return nil
}
