package trail

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"smsbridge/codec"
	"smsbridge/codec/sms"
	"smsbridge/codec/wire"
	"smsbridge/connector/journal"
	"smsbridge/connector/kafkaio"
)

// Query says whose story is wanted. Of what is given, all must fit.
type Query struct {
	ID       string
	To       string // a recipient
	Key      string // of the record
	Metadata map[string]string
	// Commands of this span are looked for. What became of them is followed up
	// to now.
	Span  Span
	Group string // whose progress says what a command waits for
	// Show leaves numbers readable and adds texts.
	Show bool
}

// mostCommands bounds what one query may find, and with it memory.
const mostCommands = 1000

// mostEvents likewise.
const mostEvents = 100_000

// ErrTooMany says that a query finds more than can be told.
var ErrTooMany = errors.New("the query fits too much; narrow it, for example by -since and -until")

// Explain tells all that happened to the commands that a query fits, in order of
// time; the last event says how things stand now. Numbers are masked, and texts left out, unless the query says Show.
func Explain(ctx context.Context, r Reader, t Topics, q Query) ([]Event, error) {
	if digits, ok := wire.NormalizeNumber(q.To); ok {
		q.To = digits
	}
	e := explainer{
		Reader: r, topics: t, query: q, ids: map[string]bool{}, places: map[sms.Position]string{},
		tracked: map[sms.Position]*tracked{}, delivered: map[string]map[string]string{},
		paused: map[sms.Class]hold{}, cancels: map[string]cancelled{},
	}
	if err := e.steps(ctx, e.commands, e.results, e.reports, e.journal, e.deadLetters); err != nil || len(e.events) == 0 {
		return nil, err
	}
	if err := e.steps(ctx, e.orders, e.lineEvents); err != nil {
		return nil, err
	}
	slices.SortStableFunc(e.events, func(a, b Event) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Kind.rank(), b.Kind.rank()), cmp.Compare(a.Offset, b.Offset))
	})
	now, err := e.closing(ctx)
	return append(e.events, now), err
}

func (e *explainer) steps(ctx context.Context, steps ...func(context.Context) error) error {
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// explainer gathers. Commands are found first; the other topics are then asked
// for what is about them, and for what fits by itself, because the command's
// record may be gone.
type explainer struct {
	Reader
	topics Topics
	query  Query
	ids    map[string]bool         // of the commands found
	places map[sms.Position]string // where their records stand: the id
	counts int                     // partitions of the command topic
	events []Event

	// For saying how things stand.
	tracked   map[sms.Position]*tracked
	delivered map[string]map[string]string // final states by command and recipient
	paused    map[sms.Class]hold
	cancels   map[string]cancelled // by key
	line      hold
}

// found notes a command.
func (e *explainer) found(id string, at sms.Position) error {
	e.ids[id], e.places[at] = true, id
	if len(e.places) > mostCommands {
		return ErrTooMany
	}
	return nil
}

func (e *explainer) add(rec *kafkaio.Record, event Event) error {
	event.Topic, event.Partition, event.Offset = rec.Topic, rec.Partition, rec.Offset
	if event.At.IsZero() {
		event.At = rec.Time
	}
	if !e.query.Show {
		event.mask()
	}
	e.events = append(e.events, event)
	if len(e.events) > mostEvents {
		return ErrTooMany
	}
	return nil
}

// visit reads a topic, with a key only the partition where all of that key
// stands.
func (e *explainer) visit(ctx context.Context, topic string, s Span, visit func(*kafkaio.Record) error) error {
	n, err := e.Partitions(ctx, topic)
	if err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("topic %s does not exist", topic)
	}
	if topic == e.topics.Commands {
		e.counts = n
	}
	if e.query.Key == "" || n != e.counts {
		return e.Topic(ctx, topic, s, visit)
	}
	return e.Partition(ctx, topic, kafkaio.Partition([]byte(e.query.Key), n), s, visit)
}

func (e *explainer) commands(ctx context.Context) error {
	return e.visit(ctx, e.topics.Commands, e.query.Span, func(rec *kafkaio.Record) error {
		cmd, err := decodeCommand(rec)
		if !e.query.fits(cmd.ID, rec.Key, cmd.Metadata) || !e.query.isFor(cmd.To) {
			return nil
		}
		if err := e.found(cmd.ID, cmd.Source); err != nil {
			return err
		}
		e.track(cmd.ID, cmd.Source).cmd = &cmd
		return e.add(rec, commandEvent(&cmd, err, e.query.Show))
	})
}

// later is what follows on the commands: clocks of producers and of the
// connectors may differ a little.
func (q *Query) later() Span {
	if q.Span.Since.IsZero() {
		return Span{}
	}
	return Span{Since: q.Span.Since.Add(-clockSlack)}
}

// clockSlack is by how much clocks of producers and connectors may differ.
const clockSlack = time.Minute

func (e *explainer) results(ctx context.Context) error {
	return e.visit(ctx, e.topics.Results, e.query.later(), func(rec *kafkaio.Record) error {
		r, err := codec.DecodeResult(rec.Value)
		if err != nil {
			return nil //nolint:nilerr // somebody else's record
		}
		if !e.ids[r.CommandID] && (e.query.To != "" || !e.query.fits(r.CommandID, rec.Key, r.Metadata) || !e.query.Span.holds(r.CommandedAt)) {
			return nil
		}
		if err := e.found(r.CommandID, r.Command); err != nil {
			return err
		}
		e.track(r.CommandID, r.Command).tell(&r)
		return e.add(rec, resultEvent(&r))
	})
}

func (e *explainer) reports(ctx context.Context) error {
	return e.visit(ctx, e.topics.Reports, e.query.later(), func(rec *kafkaio.Record) error {
		r, err := decodeReport(rec.Value)
		if err != nil {
			return nil //nolint:nilerr // somebody else's record
		}
		byItself := e.query.fits(r.CommandID, rec.Key, r.Metadata) && e.query.isFor([]string{r.To}) && e.query.Span.holds(rec.Time)
		if !e.ids[r.CommandID] && !byItself || e.query.To != "" && !e.query.isFor([]string{r.To}) {
			return nil
		}
		e.deliver(&r)
		return e.add(rec, reportEvent(&r))
	})
}

// journal reads the partitions of the commands found: their numbers are the
// same. Where neither command nor result is there any more, all of them are read
// for the id.
func (e *explainer) journal(ctx context.Context) error {
	if len(e.places) == 0 && e.query.ID == "" {
		return nil
	}
	partitions := map[int]bool{}
	for at := range e.places {
		partitions[at.Partition] = true
	}
	n, err := e.Partitions(ctx, e.topics.Journal)
	if err != nil {
		return err
	}
	for p := range n {
		if len(partitions) > 0 && !partitions[p] {
			continue
		}
		err := e.Partition(ctx, e.topics.Journal, p, e.query.later(), func(rec *kafkaio.Record) error {
			entry, err := journal.ReadEntry(rec.Value)
			if err != nil || entry.Kind == journal.OtherEntry || !e.about(&entry, rec) {
				return nil //nolint:nilerr // smsbridge journal status tells what cannot be read
			}
			if len(e.places) > 0 {
				at := sms.Position{Topic: e.topics.Commands, Partition: rec.Partition, Offset: entry.Command.Offset}
				e.track(entry.Command.ID, at).note(&entry, rec)
			}
			return e.add(rec, entryEvent(&entry))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *explainer) about(entry *journal.Entry, rec *kafkaio.Record) bool {
	if len(e.places) == 0 {
		return entry.Command.ID == e.query.ID && e.query.Span.holds(rec.Time)
	}
	at := sms.Position{Topic: e.topics.Commands, Partition: rec.Partition, Offset: entry.Command.Offset}
	return e.places[at] == entry.Command.ID
}

func (e *explainer) deadLetters(ctx context.Context) error {
	return e.Topic(ctx, e.topics.DeadLetter, e.query.later(), func(rec *kafkaio.Record) error {
		at, cause := letterOf(rec)
		id, found := e.places[at]
		if !found {
			return nil
		}
		return e.add(rec, Event{Kind: DeadLetterEvent, CommandID: id, Facts: facts{"error": cause}})
	})
}

// fits reports whether id, key and metadata are those asked for.
func (q *Query) fits(id string, key []byte, metadata map[string]string) bool {
	if q.ID != "" && q.ID != id || q.Key != "" && q.Key != string(key) {
		return false
	}
	for name, value := range q.Metadata {
		if have, ok := metadata[name]; !ok || have != value {
			return false
		}
	}
	return true
}

func (q *Query) isFor(to []string) bool {
	if q.To == "" {
		return true
	}
	return slices.ContainsFunc(to, func(number string) bool {
		digits, ok := wire.NormalizeNumber(number)
		return number == q.To || ok && digits == q.To
	})
}

func (s Span) holds(t time.Time) bool {
	return (s.Since.IsZero() || !t.Before(s.Since)) && (s.Until.IsZero() || !t.After(s.Until))
}

// letterOf reads where a dead letter's record came from, and why it is dead.
func letterOf(rec *kafkaio.Record) (at sms.Position, cause string) {
	for _, h := range rec.Headers {
		text := string(h.Value)
		switch h.Key {
		case "smsbridge-error":
			cause = text
		case "smsbridge-topic":
			at.Topic = text
		case "smsbridge-partition":
			at.Partition, _ = strconv.Atoi(text)
		case "smsbridge-offset":
			at.Offset, _ = strconv.ParseInt(text, 10, 64)
		}
	}
	return at, cause
}
