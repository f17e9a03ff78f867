package control

import (
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/connector/kafkaio"
	"smsbridge/connector/submit"
)

// Board is what operators have ordered and not taken back.
type Board struct {
	log   *slog.Logger
	mu    sync.Mutex // of whoever changes it
	state atomic.Pointer[state]

	following atomic.Bool // what stood at the start was taken
}

// Hold is a class that is held.
type Hold struct {
	Author
	Since time.Time
}

// state is never changed, only replaced.
type state struct {
	held    map[sms.Class]Hold
	newer   bool                    // there is an order that only a newer program understands
	cancels map[string]Cancellation // by key
	changed *submit.Event           // happens when it was replaced
}

// NewBoard returns an empty board.
func NewBoard(log *slog.Logger) *Board {
	b := &Board{log: log}
	b.state.Store(&state{changed: submit.NewEvent()})
	return b
}

// Standing implements submit.Orders.
func (b *Board) Standing(cmd *sms.Command) (submit.Order, *submit.Event) {
	s := b.state.Load()
	for _, c := range s.cancels {
		if c.Fits(cmd) {
			return submit.Cancel, s.changed
		}
	}
	if _, held := s.held[cmd.Class]; held || s.newer {
		return submit.Hold, s.changed
	}
	return submit.Proceed, s.changed
}

// Held lists the classes that are held, since when, by whom and why.
func (b *Board) Held() map[sms.Class]Hold {
	s := b.state.Load()
	held := maps.Clone(s.held)
	if s.newer {
		held = make(map[sms.Class]Hold, len(Classes))
		for _, class := range Classes {
			held[class] = s.held[class]
		}
	}
	return held
}

// Stale lists the keys of cancellations that are over.
func (b *Board) Stale(now time.Time) []string {
	var keys []string
	for key, c := range b.state.Load().cancels {
		if c.Over(now) {
			keys = append(keys, key)
		}
	}
	return keys
}

// Take puts a record of the topic on the board.
func (b *Board) Take(rec *kafkaio.Record) {
	if err := b.take(rec); err != nil {
		b.log.Error("an order cannot be used", "topic", rec.Topic, "partition", rec.Partition, "offset", rec.Offset, "error", err)
		return
	}
	if o, err := Read(rec); err == nil && b.following.Load() {
		b.log.Info("an operator's order was taken", o.facts()...)
	}
}

// facts are what the log says of an order. Ids and metadata are the callers'
// own, and stand in no log.
func (o *Order) facts() []any {
	list := []any{"order", o.What, "class", string(o.Class), "by", o.By, "reason", o.Reason, "at", o.At}
	if c := o.Cancel; c != nil {
		list[3] = string(c.Class)
		list = append(list, "before", c.Before, "one_id", c.ID != "", "metadata", slices.Sorted(maps.Keys(c.Metadata)))
	}
	return list
}

// Follow says that what stood in the topic was taken, and tells it once: from
// now on an order is a new one.
func (b *Board) Follow() {
	b.following.Store(true)
	s := b.state.Load()
	for _, class := range Classes {
		if h, held := s.held[class]; held {
			b.log.Info("an operator's order stands", "order", "pause", "class", string(class), "by", h.By, "reason", h.Reason, "at", h.Since)
		}
	}
	if n := len(s.cancels); n > 0 {
		b.log.Info("operators' cancellations stand", "number", n)
	}
}

func (b *Board) take(rec *kafkaio.Record) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.state.Load()
	next := &state{held: maps.Clone(old.held), newer: old.newer, cancels: maps.Clone(old.cancels), changed: submit.NewEvent()}
	if next.held == nil {
		next.held, next.cancels = make(map[sms.Class]Hold), make(map[string]Cancellation)
	}
	err := next.apply(rec)
	b.state.Store(next)
	old.changed.Happen()
	return err
}

func (s *state) apply(rec *kafkaio.Record) error {
	key := string(rec.Key)
	class := sms.Class(strings.TrimPrefix(key, classKey))
	if rec.Value == nil { // taken back
		delete(s.cancels, key)
		delete(s.held, class)
		return nil
	}
	o, err := decode(rec)
	switch {
	case errors.Is(err, errNewer):
		s.newer = true
		return err
	case err != nil:
		return err
	case o.Cancel != nil:
		s.cancels[key] = *o.Cancel
	case *o.Hold:
		s.held[class] = Hold{Author: o.Author, Since: o.At}
	default:
		delete(s.held, class)
	}
	return nil
}
