package trail

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/connector/control"
	"smsbridge/connector/kafkaio"
)

// hold is what keeps commands waiting: since when, and what was said about it.
type hold struct {
	since time.Time
	why   string
	// remedy is the command that ends it, empty where none does.
	remedy string
}

// orders reads what operators ordered: what was about the commands found is
// told, and what still stands says why one waits.
func (e *explainer) orders(ctx context.Context) error {
	return e.Topic(ctx, e.topics.Control, Span{}, func(rec *kafkaio.Record) error {
		o, err := control.Read(rec)
		if err != nil {
			return nil //nolint:nilerr // the connectors' log tells what cannot be used
		}
		e.stand(string(rec.Key), &o)
		for _, t := range e.tracked {
			if t.concerns(&o) {
				return e.add(rec, orderEvent(&o))
			}
		}
		return nil
	})
}

// stand notes an order, or that it was taken back.
func (e *explainer) stand(key string, o *control.Order) {
	said := ""
	if o.By != "" {
		said = " by " + o.By
	}
	if o.Reason != "" {
		said += ": " + o.Reason
	}
	switch {
	case o.Cancel != nil:
		e.cancels[key] = cancelled{*o.Cancel, "a cancellation of " + stamp(o.At) + said}
	case o.What == "pause":
		e.paused[o.Class] = hold{
			since: o.At, why: fmt.Sprintf("%s is paused since %s%s", o.Class, stamp(o.At), said),
			remedy: "smsbridge resume -class " + string(o.Class),
		}
	case o.What == "resume":
		delete(e.paused, o.Class)
	default:
		delete(e.cancels, key)
		delete(e.paused, o.Class)
	}
}

// cancelled is a cancellation that stands.
type cancelled struct {
	control.Cancellation
	why string
}

// concerns reports whether an order was about a command: a cancellation that it
// fits, or a pause or its end while it was under way.
func (t *tracked) concerns(o *control.Order) bool {
	switch {
	case t.cmd == nil:
		return false
	case o.Cancel != nil:
		return o.Cancel.Fits(t.cmd)
	default:
		return o.Class == t.cmd.Class && (t.ended.IsZero() || o.At.Before(t.ended)) && (o.What == "pause" || o.At.After(t.cmd.At))
	}
}

func orderEvent(o *control.Order) Event {
	f := facts{"order": o.What}
	set(f, "class", string(o.Class))
	set(f, "by", o.By)
	set(f, "reason", o.Reason)
	if c := o.Cancel; c != nil {
		set(f, "class", string(c.Class))
		set(f, "before", stamp(c.Before))
	}
	return Event{At: o.At, Kind: OrderEvent, Facts: f}
}

// lineEvents reads what the instances said about the line while a command found
// was under way.
func (e *explainer) lineEvents(ctx context.Context) error {
	from, until := e.underWay()
	if from.IsZero() {
		return nil
	}
	last := map[string]string{}
	return e.Topic(ctx, e.topics.Account, Span{Since: from.Add(-lineLookback)}, func(rec *kafkaio.Record) error {
		var a struct {
			Instance, Line, Reason string
			At                     time.Time
		}
		if json.Unmarshal(rec.Value, &a) != nil || a.Line == "" {
			return nil //nolint:nilerr // of the balance, or somebody else's
		}
		if !a.At.Before(e.line.since) {
			e.line = hold{}
			if a.Line == string(sms.LineHeld) {
				e.line = hold{since: a.At, why: fmt.Sprintf("the line is held since %s: %s", stamp(a.At), a.Reason)}
			}
		}
		state := a.Line + " " + a.Reason
		if before, known := last[a.Instance]; before == state || !known && a.Line == string(sms.LineOpen) || a.At.Before(from) || a.At.After(until) {
			last[a.Instance] = state
			return nil
		}
		last[a.Instance] = state
		f := facts{"line": a.Line, "instance": a.Instance}
		set(f, "reason", a.Reason)
		return e.add(rec, Event{At: a.At, Kind: LineEvent, Facts: f})
	})
}

// lineLookback is how long before a command's record the line's state is looked
// for: it is told on every change, and may have changed long before.
const lineLookback = 24 * time.Hour

// underWay is the time in which any command found was, or is.
func (e *explainer) underWay() (from, until time.Time) {
	for _, t := range e.tracked {
		if t.cmd == nil {
			continue
		}
		if from.IsZero() || t.cmd.At.Before(from) {
			from = t.cmd.At
		}
		end := t.ended
		if end.IsZero() {
			end = time.Now()
		}
		if end.After(until) {
			until = end
		}
	}
	return from, until
}
