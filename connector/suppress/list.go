package suppress

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"smsbridge/codec"
	"smsbridge/codec/sms"
	"smsbridge/connector/kafkaio"
)

// ErrForeignKey says that there are suppressions whose people cannot be
// recognised, because the key of their HMACs is not known.
var ErrForeignKey = errors.New("there are suppressions under another NUMBER_HASH_KEY")

// List is who is suppressed now. It may be asked by many goroutines.
type List struct {
	log   *slog.Logger
	keys  []codec.HashKey
	known map[string]bool // fingerprints of keys
	count atomic.Int64    // of people and classes, so that an empty list costs no HMAC

	mu      sync.RWMutex
	people  map[short]uint8   // which classes are suppressed, by their bits
	foreign map[string]string // record keys under keys that we do not have, with the fingerprint
	unknown map[string]int    // how many of foreign each fingerprint has
}

// short is half an HMAC: enough to tell all people of the world apart, at half
// the memory.
type short [16]byte

// bitOf is 0 for a class that does not exist.
func bitOf(class sms.Class) uint8 {
	switch class {
	case sms.OTP:
		return 1
	case sms.Notice:
		return 2
	case sms.Marketing:
		return 4
	default:
		return 0
	}
}

// NewList returns an empty list that recognises people by these keys, that of
// today first. Empty keys are left out.
func NewList(log *slog.Logger, keys ...codec.HashKey) *List {
	l := &List{log: log, known: make(map[string]bool)}
	for _, key := range keys {
		if len(key) > 0 {
			l.keys = append(l.keys, key)
			l.known[key.Fingerprint()] = true
		}
	}
	l.forget()
	return l
}

// forget empties the list.
func (l *List) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.people, l.foreign, l.unknown = make(map[short]uint8), make(map[string]string), make(map[string]int)
	l.count.Store(0)
}

// Suppressed reports whether a number, in digits as they are submitted, gets no
// texts of a class.
func (l *List) Suppressed(class sms.Class, digits string) bool {
	if l.count.Load() == 0 {
		return false
	}
	for i := range l.keys {
		person := PersonOf(l.keys[i], digits)
		l.mu.RLock()
		found := l.people[shorten(person)]&bitOf(class) != 0
		l.mu.RUnlock()
		if found {
			return true
		}
	}
	return false
}

// Len is how many suppressions there are, of whatever class.
func (l *List) Len() int { return int(l.count.Load()) }

// check fails with ErrForeignKey where people cannot be recognised.
func (l *List) check() error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if len(l.foreign) == 0 {
		return nil
	}
	fingerprints := slices.Sorted(maps.Keys(l.unknown))
	return fmt.Errorf("%w: %d of them, under keys with the fingerprints %s; set NUMBER_HASH_KEY or NUMBER_HASH_KEY_PREVIOUS to that key, else people who opted out would be sent texts",
		ErrForeignKey, len(l.foreign), strings.Join(fingerprints, ", "))
}

// take puts a record of the topic on the list.
func (l *List) take(rec *kafkaio.Record) {
	if err := l.apply(rec); err != nil {
		l.log.Error("a suppression cannot be used", "topic", rec.Topic, "partition", rec.Partition, "offset", rec.Offset, "error", err)
	}
}

func (l *List) apply(rec *kafkaio.Record) error {
	s, key, err := decode(rec)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forgetForeign(string(rec.Key))
	if rec.Value == nil || key == "" || l.known[key] {
		l.set(s, rec.Value != nil)
		return nil
	}
	l.foreign[string(rec.Key)] = key
	l.unknown[key]++
	if l.unknown[key] == 1 {
		return fmt.Errorf("and others like it, under a key with the fingerprint %s: %w", key, ErrForeignKey)
	}
	return nil
}

// forgetForeign forgets that a record was under a foreign key. mu is held.
func (l *List) forgetForeign(record string) {
	key, found := l.foreign[record]
	if !found {
		return
	}
	delete(l.foreign, record)
	if l.unknown[key]--; l.unknown[key] == 0 {
		delete(l.unknown, key)
	}
}

// set adds or removes a suppression. mu is held.
func (l *List) set(s Suppression, suppressed bool) {
	bit := bitOf(s.Class)
	person := shorten(s.Person)
	old := l.people[person]
	now := old &^ bit
	if suppressed {
		now = old | bit
	}
	if now == old {
		return
	}
	if l.people[person] = now; now == 0 {
		delete(l.people, person)
	}
	if suppressed {
		l.count.Add(1)
	} else {
		l.count.Add(-1)
	}
}

func shorten(p Person) short { return short(p[:len(short{})]) }
