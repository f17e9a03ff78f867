package correlate

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"smsbridge/connector/kafkaio"
	"smsbridge/connector/local"
)

// sendidsKind: each report has its entry read and written anew. The buffer gathers the
// writes, so that files are merged less often.
var sendidsKind = local.Kind{Name: "sendids", Cache: 16 << 20, Buffer: 16 << 20}

// shelf is what one partition of the sendids topic says, as entries in the local
// store, for one goroutine. What is changed is in memory until save, which writes
// it together with the position it belongs to: no crash parts the two.
//
// A key is the partition, a kind, and mostly a sendid. Beside the entries stand
// lists of those that somebody has to look at, so that nothing ever goes through
// all of them.
type shelf struct {
	disk      *local.Disk
	partition int
	rules     rules

	held    map[string]*held // changed ones, and some of the others
	changed []string
	parked  int // pushes that wait for their sendid
}

// held is an entry in memory. It is nil where there is none.
type held struct {
	*entry
	stored  marks // as it stands in the store
	changed bool
}

// marks are the lists that an entry is in.
type marks struct {
	exists  bool
	at      int64
	what    moment
	untold  bool
	unknown bool
	waiting int
}

const (
	kindClaim   = 'c'
	kindEntry   = 'e'
	kindDue     = 'd' // by time: what the clock has to do
	kindUntold  = 't' // something is to be published
	kindUnknown = 'u' // no sendid, but pushes of it

	// mostHeld bounds the entries that are kept in memory because they were
	// used a moment ago: a report and its seen meet the same one.
	mostHeld = 1024
)

func (s *shelf) key(kind byte) []byte {
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, 96), uint32(s.partition)), kind)
}

func (s *shelf) sendidKey(kind byte, sendid string) []byte { return append(s.key(kind), sendid...) }

func (s *shelf) dueKey(at int64, sendid string) []byte {
	return append(binary.BigEndian.AppendUint64(s.key(kindDue), uint64(max(at, 0))), sendid...)
}

// look returns the entry of a sendid, nil if there is none. It is not to be
// changed.
func (s *shelf) look(sendid string) (*entry, error) {
	h, err := s.hold(sendid)
	if err != nil {
		return nil, err
	}
	return h.entry, nil
}

// apply takes in a fact, see entry.apply.
func (s *shelf) apply(sendid string, f *fact) (work bool, err error) {
	h, err := s.hold(sendid)
	if err != nil {
		return false, err
	}
	if h.entry == nil {
		if f.Kind != kindSent && f.Kind != kindParked {
			return false, nil // what it is about left the topic before it, or was forgotten
		}
		h.entry = &entry{}
	}
	if !h.changed {
		h.changed = true
		s.changed = append(s.changed, sendid)
	}
	return h.apply(f, s.rules), nil
}

// drop forgets an entry.
func (s *shelf) drop(sendid string) error {
	h, err := s.hold(sendid)
	if err != nil {
		return err
	}
	h.entry = nil
	if !h.changed {
		h.changed = true
		s.changed = append(s.changed, sendid)
	}
	return nil
}

func (s *shelf) hold(sendid string) (*held, error) {
	if h, ok := s.held[sendid]; ok {
		return h, nil
	}
	value, err := s.disk.Get(s.sendidKey(kindEntry, sendid))
	if err != nil {
		return nil, err
	}
	h := &held{}
	if value != nil {
		if h.entry, err = decodeEntry(value); err != nil {
			s.disk.Fail(err)
			return nil, err
		}
		h.stored = s.marks(h.entry)
	}
	if len(s.held) >= mostHeld && len(s.changed) == 0 {
		clear(s.held)
	}
	s.held[sendid] = h
	return h, nil
}

func (s *shelf) marks(e *entry) marks {
	if e == nil {
		return marks{}
	}
	m := marks{exists: true, untold: e.untold(), unknown: e.sent == nil, waiting: e.waiting()}
	m.at, m.what = e.next(s.rules)
	return m
}

// save writes what changed, and the claim that says up to where.
func (s *shelf) save(c *claim) error {
	batch := s.disk.DB.NewBatch()
	for _, sendid := range s.changed {
		h := s.held[sendid]
		if err := s.write(batch, sendid, h); err != nil {
			return errors.Join(err, batch.Close())
		}
		h.changed = false
	}
	s.changed = s.changed[:0]
	value, err := json.Marshal(c)
	if err == nil {
		err = batch.Set(s.key(kindClaim), value, nil)
	}
	if err == nil {
		err = batch.Commit(pebble.NoSync)
	}
	if len(s.held) > mostHeld {
		clear(s.held)
	}
	return errors.Join(err, batch.Close(), s.disk.Err())
}

// write replaces an entry, and its place in the lists.
func (s *shelf) write(b *pebble.Batch, sendid string, h *held) error {
	before, after := h.stored, s.marks(h.entry)
	h.stored = after
	s.parked += after.waiting - before.waiting
	var errs [6]error
	if after.exists {
		errs[0] = b.Set(s.sendidKey(kindEntry, sendid), h.encode(), nil)
	} else {
		errs[0] = b.Delete(s.sendidKey(kindEntry, sendid), nil)
	}
	if before.exists && (!after.exists || before.at != after.at) {
		errs[1] = b.Delete(s.dueKey(before.at, sendid), nil)
	}
	if after.exists && (!before.exists || before.at != after.at || before.what != after.what) {
		errs[2] = b.Set(s.dueKey(after.at, sendid), []byte{byte(after.what)}, nil)
	}
	list := func(kind byte, was, is bool, value []byte, same bool) error {
		switch {
		case is && (!was || !same):
			return b.Set(s.sendidKey(kind, sendid), value, nil)
		case was && !is:
			return b.Delete(s.sendidKey(kind, sendid), nil)
		}
		return nil
	}
	errs[3] = list(kindUntold, before.untold, after.untold, nil, true)
	errs[4] = list(kindUnknown, before.unknown, after.unknown, binary.AppendUvarint(nil, uint64(after.waiting)), before.waiting == after.waiting)
	return errors.Join(errs[:]...)
}

// clear throws everything of the partition away.
func (s *shelf) clear() error {
	clear(s.held)
	s.changed, s.parked = nil, 0
	end := binary.BigEndian.AppendUint32(nil, uint32(s.partition)+1)
	return errors.Join(s.disk.DB.DeleteRange(s.key(0), end, pebble.NoSync), s.disk.Err())
}

// each goes through the keys of a kind, up to without a last one, and shows what
// stands behind the kind in them. The shelf must have been saved, and must not be
// changed meanwhile.
func (s *shelf) each(kind byte, end []byte, f func(rest, value []byte) (more bool)) error {
	if end == nil {
		end = s.key(kind + 1)
	}
	from := s.key(kind)
	it, err := s.disk.DB.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: end})
	if err != nil {
		return err
	}
	for more := it.First(); more; {
		more = f(it.Key()[len(from):], it.Value()) && it.Next()
	}
	return errors.Join(it.Error(), it.Close(), s.disk.Err())
}

// sendids lists those of a kind.
func (s *shelf) sendids(kind byte) (list []string, err error) {
	err = s.each(kind, nil, func(rest, _ []byte) bool {
		list = append(list, string(rest))
		return true
	})
	return list, err
}

// count tells how many pushes wait, when the shelf is opened.
func (s *shelf) count() error {
	s.parked = 0
	return s.each(kindUnknown, nil, func(_, value []byte) bool {
		waiting, _ := binary.Uvarint(value)
		s.parked += int(waiting)
		return true
	})
}

// due goes through what the clock has to do until now, oldest first.
func (s *shelf) due(now int64, f func(sendid string, what moment) (more bool)) error {
	return s.each(kindDue, s.dueKey(now+1, ""), func(rest, value []byte) bool {
		return len(rest) < 8 || len(value) != 1 || f(string(rest[8:]), moment(value[0]))
	})
}

// claim says what the shelf is about: everything below a position of one certain
// topic.
type claim struct {
	// Identity of cluster, topics and rules.
	Identity string
	Position int64
	// Witness is the last record below Position, Sum its hash. Where another
	// record or none stands, the topic is not the same one. -1: there was none.
	Witness int64
	Sum     [sha256.Size]byte
}

func (c *claim) note(rec kafkaio.Record) { c.Witness, c.Sum = rec.Offset, sha256.Sum256(rec.Value) }

// claim returns what the shelf says, none if it cannot be read.
func (s *shelf) claim() (c claim, ok bool, err error) {
	value, err := s.disk.Get(s.key(kindClaim))
	if err != nil || value == nil {
		return c, false, err
	}
	return c, json.Unmarshal(value, &c) == nil, nil
}
