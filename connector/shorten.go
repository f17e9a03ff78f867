package connector

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"smsbridge/codec"
	"smsbridge/codec/sms"
	"smsbridge/connector/evidence"
	"smsbridge/connector/kafkaio"
)

// This is the one place that says what is left out of an event that its topic does
// not take whole, and in which order: what people miss least goes first, and what
// tells one fact from another (ids, status, counts, position) never. So no record
// can make an event that is tried again for ever.

// told is an event and how it is made smaller. shorter is the event with its first
// so many cuts made, false when there are no more.
type told struct {
	whole   kafkaio.Message
	shorter func(cuts int) (kafkaio.Message, bool)
}

// errNeverFits says that an event is refused in its shortest form too.
var errNeverFits = errors.New("not even the shortest form of an event fits into its topic; raise its max.message.bytes")

// tell publishes events, each as whole as its topic takes it. They are durable
// when it returns nil.
func (e *events) tell(ctx context.Context, all ...told) error {
	messages := make([]kafkaio.Message, len(all))
	for i := range all {
		messages[i] = all[i].whole
	}
	err := e.patiently(ctx, messages...)
	if !errors.Is(err, kafkaio.ErrTooLarge) || len(all) == 1 && all[0].shorter == nil {
		return err
	}
	// Which of them it was is not known. Those that were written come again, as
	// they are, which every reader bears.
	for i := range all {
		if err := e.tellOne(ctx, &all[i]); err != nil {
			return err
		}
	}
	return nil
}

func (e *events) tellOne(ctx context.Context, t *told) error {
	m, ok := t.whole, true
	for cuts := 1; ; cuts++ {
		err := e.patiently(ctx, m)
		if !errors.Is(err, kafkaio.ErrTooLarge) {
			return err
		}
		if m, ok = t.shorter(cuts); !ok {
			return fmt.Errorf("%w: %w", errNeverFits, err)
		}
	}
}

// overloadPause is how long it takes the producer to write some of what waits.
const overloadPause = 50 * time.Millisecond

// patiently publishes, and waits while too much waits to be written: that is no
// fault of these records.
func (e *events) patiently(ctx context.Context, messages ...kafkaio.Message) error {
	for {
		err := e.publish(ctx, messages...)
		if !errors.Is(err, kafkaio.ErrOverloaded) || ctx.Err() != nil {
			return err
		}
		sleep(ctx, overloadPause)
	}
}

// mostListed is how many entries a list in a shortened result still has: enough to
// see what they are like. A list is never emptied, as that says something else.
const mostListed = 100

// resultCuts are made of a result, one after the other. What they leave out is
// named in its warnings.
var resultCuts = []func(*sms.Result){
	func(r *sms.Result) {
		if len(r.Refused) > mostListed {
			r.Refused = slices.Clip(r.Refused[:mostListed])
			r.Warnings = append(slices.Clone(r.Warnings), "shortened: refused")
		}
		if len(r.Submissions) > mostListed {
			r.Submissions = slices.Clip(r.Submissions[:mostListed])
			r.Warnings = append(slices.Clone(r.Warnings), "shortened: submissions")
		}
	},
	func(r *sms.Result) {
		r.Refused, r.Submissions = slices.Clone(r.Refused[:min(len(r.Refused), 1)]), slices.Clone(r.Submissions[:min(len(r.Submissions), 1)])
		for i := range r.Submissions {
			r.Submissions[i].ProviderText = ""
		}
		r.Warnings = []string{"shortened: refused, submissions, warnings"}
	},
	func(r *sms.Result) {
		r.Metadata = nil
		r.Warnings = []string{"shortened: refused, submissions, warnings, metadata"}
	},
	func(r *sms.Result) {
		r.CommandKey, r.Trace = nil, sms.Trace{}
		r.Warnings = []string{"shortened: refused, submissions, warnings, metadata, key"}
	},
}

// toldResult is one that is about to be told, or was, as it stands in the journal. Its
// id stays that of the whole: it is the same fact.
func (e *events) toldResult(m kafkaio.Message) told {
	return told{m, func(cuts int) (kafkaio.Message, bool) {
		r, err := published(m)
		if err != nil || cuts > len(resultCuts) {
			return kafkaio.Message{}, false
		}
		for _, cut := range resultCuts[:cuts] {
			cut(&r)
		}
		event := codec.EncodeResultAs(r, headerOf(m, "ce_id"))
		short := replaceEvent(m, event)
		if r.CommandKey == nil {
			short = e.message(m.Topic, kafkaio.AnyPartition, event)
		}
		return short, true
	}}
}

// remember returns shorter, which puts each form that it returns into m: what the
// journal took is what is published, so that a repeated result has the same bytes.
func (t told) remember(m *kafkaio.Message) func(int) (kafkaio.Message, bool) {
	return func(cuts int) (kafkaio.Message, bool) {
		short, ok := t.shorter(cuts)
		if ok {
			*m = short
		}
		return short, ok
	}
}

func headerOf(m kafkaio.Message, name string) string {
	for _, h := range m.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

// originCuts are made of what a sendid's record says of its command.
var originCuts = []func(*sms.Origin){
	func(o *sms.Origin) { o.Trace.State = "" },
	func(o *sms.Origin) { o.Metadata = nil },
	func(o *sms.Origin) { o.Key = nil },
}

// toldDoubt: one without its numbers is known to be there, and hinders conclusions
// about others that it might be confused with.
func toldDoubt(topic string, d evidence.Doubt) told {
	return told{evidence.DoubtRecord(topic, &d), func(cuts int) (kafkaio.Message, bool) {
		d.Numbers = nil
		return evidence.DoubtRecord(topic, &d), cuts == 1
	}}
}

// toldDeadRecord is a record that cannot be used: with all that it has, then without
// the headers that came with it, then without the value, then without the key. It
// still stands where our own headers say.
func (e *events) toldDeadRecord(rec kafkaio.Record, cause error) told {
	if len(rec.Key) > codec.MaxKey {
		rec.Key = rec.Key[:codec.MaxKey]
		cause = fmt.Errorf("%w (of the key, its beginning is kept here)", cause)
	}
	return told{e.deadRecord(rec, cause), func(cuts int) (kafkaio.Message, bool) {
		short := rec
		short.Headers = nil
		what := "headers"
		if cuts > 1 {
			short.Value, what = nil, "headers and value"
		}
		if cuts > 2 {
			short.Key, what = nil, "headers, value and key"
		}
		return e.deadRecord(short, fmt.Errorf("%w (too large to be kept here: %s left out)", cause, what)), cuts <= 3
	}}
}
