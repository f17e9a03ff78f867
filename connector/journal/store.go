package journal

import (
	"slices"
	"time"

	"smsbridge/codec/sms"
)

// entry is what is remembered of a command that has its final done.
type entry struct {
	offset      int64
	fingerprint Fingerprint
	status      sms.Status
	revision    int
	at          time.Time // of the final done: the window counts from it
	done        int64     // position of the final done, which holds the result
}

// bars reports whether the id may not come again. One that ended unsent may.
func (e *entry) bars() bool {
	switch e.status {
	case sms.Accepted, sms.PartiallyAccepted, sms.Unknown:
		return true
	default:
		return false
	}
}

// yields reports whether another final done of the same command takes the
// entry's place: one of a higher revision, or one that weighs more.
func (e *entry) yields(status sms.Status, revision int) bool {
	if revision != e.revision {
		return revision > e.revision
	}
	return weight(status) > weight(e.status)
}

// weight orders final dones of one revision. What was told as unknown is only
// taken back by a revision, and what was accepted is a fact. All else are
// decisions: a zombie writes one down without knowing what its successor sent.
func weight(s sms.Status) int {
	switch s {
	case sms.Unknown:
		return 3
	case sms.Accepted:
		return 2
	case sms.PartiallyAccepted:
		return 1
	default:
		return 0
	}
}

// store remembers the ids of one partition. It is a cache of the journal: what
// it says stands there too. It is used under the ledger's lock.
type store interface {
	// get returns what is known of an id at an offset, however old it is.
	get(id idHash, offset int64) (entry, bool)
	// first returns the lowest other offset at which the id bars this one.
	first(id idHash, offset int64) (entry, bool)
	// put replaces what is known of the id at the entry's offset.
	put(id idHash, e entry)
	// drop forgets what is known of an id at an offset.
	drop(id idHash, offset int64)
	// sweep forgets what left the window, now and then. It spares the commands
	// from an offset on: what was found of them is still to be told, however old.
	sweep(below int64)
}

// memory is a store without a disk. It serves where no folder can be used, and
// each take-over fills it anew.
type memory struct {
	window time.Duration
	ids    map[idHash]entry
	more   map[idHash][]entry // further offsets of an id: few have any
	swept  time.Time
}

func newMemory(window time.Duration) *memory {
	return &memory{window: window, ids: make(map[idHash]entry), more: make(map[idHash][]entry), swept: time.Now()}
}

func (m *memory) get(id idHash, offset int64) (entry, bool) {
	e, ok := m.ids[id]
	if !ok || e.offset == offset {
		return e, ok
	}
	for _, e := range m.more[id] {
		if e.offset == offset {
			return e, true
		}
	}
	return entry{}, false
}

func (m *memory) first(id idHash, offset int64) (best entry, found bool) {
	e, ok := m.ids[id]
	if !ok {
		return entry{}, false
	}
	try := func(e entry) {
		if e.offset != offset && e.bars() && m.fresh(&e) && (!found || e.offset < best.offset) {
			best, found = e, true
		}
	}
	try(e)
	for _, e := range m.more[id] {
		try(e)
	}
	return best, found
}

func (m *memory) put(id idHash, e entry) {
	old, ok := m.ids[id]
	if !ok || old.offset == e.offset {
		m.ids[id] = e
		return
	}
	list := m.more[id]
	for i := range list {
		if list[i].offset == e.offset {
			list[i] = e
			return
		}
	}
	m.more[id] = append(list, e)
}

func (m *memory) drop(id idHash, offset int64) {
	list := m.more[id]
	if e, ok := m.ids[id]; ok && e.offset == offset {
		delete(m.ids, id)
		if len(list) > 0 {
			m.ids[id] = list[0]
			m.keep(id, list[1:])
		}
		return
	}
	m.keep(id, slices.DeleteFunc(list, func(e entry) bool { return e.offset == offset }))
}

func (m *memory) keep(id idHash, list []entry) {
	if len(list) == 0 {
		delete(m.more, id)
		return
	}
	m.more[id] = list
}

func (m *memory) fresh(e *entry) bool { return time.Since(e.at) < m.window }

// Looking at everything costs as much as putting it there once more.
func (m *memory) sweep(below int64) {
	if time.Since(m.swept) < m.window/buckets {
		return
	}
	m.swept = time.Now()
	gone := func(e entry) bool { return !m.fresh(&e) && e.offset < below }
	for id, list := range m.more {
		m.keep(id, slices.DeleteFunc(list, gone))
	}
	for id, e := range m.ids {
		if gone(e) {
			m.drop(id, e.offset)
		}
	}
}
