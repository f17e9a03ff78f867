package journal

import (
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"smsbridge/codec/sms"
	"smsbridge/connector/local"
)

// buckets is how many stretches of time the window has. What left the window is
// dropped a stretch at a time, which costs one write.
const buckets = 8

// errRetired: a newer owner of this process has the partition.
var errRetired = errors.New("the partition's ids have a newer owner")

// shelf is what the store holds of one partition, for one owner.
//
// A key is the partition, a kind, for filters and ids the stretch of time, and the
// id. Its value holds the entries of the id in that stretch, mostly one.
type shelf struct {
	disk      *local.Disk
	partition int
	window    time.Duration
	failed    func(error) // ends the tenure

	mu      sync.Mutex
	retired bool
	loaded  bool // buckets tell what is on disk
	buckets []*bucket
}

// bucket is one stretch of time.
type bucket struct {
	start  int64 // seconds since 1970
	top    int64 // highest offset that this owner put there
	filter filter
	saved  bool // the filter is on disk too, just as it is
}

const (
	kindClaim  = 'c'
	kindFilter = 'f'
	kindID     = 'i'
)

func (s *shelf) key(kind byte) []byte {
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, 32), uint32(s.partition)), kind)
}

func (s *shelf) bucketKey(kind byte, start int64) []byte {
	return binary.BigEndian.AppendUint64(s.key(kind), uint64(start))
}

func (s *shelf) idKey(b *bucket, id idHash) []byte {
	return append(s.bucketKey(kindID, b.start), id[:]...)
}

// retire hands the filters to the next owner, who need not read them anew.
func (s *shelf) retire(next *shelf) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if next.disk == s.disk && next.window == s.window && s.loaded && !s.retired {
		next.loaded, next.buckets = true, s.buckets
		for _, b := range next.buckets {
			b.top = -1
		}
	}
	s.retired, s.buckets = true, nil
}

// fail: an answer that the store cannot give must not be taken for "never heard
// of it".
func (s *shelf) fail(err error) {
	if !errors.Is(err, errRetired) {
		s.disk.Fail(err)
	}
	s.failed(err)
}

// use runs f while the shelf may be used, and ends the tenure if it may not.
func (s *shelf) use(f func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.disk.Err()
	if s.retired {
		err = errRetired
	}
	if err == nil {
		err = f()
	}
	if err != nil {
		s.fail(err)
	}
}

// clear throws everything of the partition away.
func (s *shelf) clear() {
	s.use(func() error {
		s.loaded, s.buckets = true, nil
		end := binary.BigEndian.AppendUint32(nil, uint32(s.partition)+1)
		return s.disk.DB.DeleteRange(s.key(0), end, pebble.NoSync)
	})
}

// bucket returns that of a start.
func (s *shelf) bucket(start int64) *bucket {
	i, ok := slices.BinarySearchFunc(s.buckets, start, func(b *bucket, start int64) int {
		return int(min(max(b.start-start, -1), 1))
	})
	if !ok {
		s.buckets = slices.Insert(s.buckets, i, &bucket{start: start, top: -1})
	}
	return s.buckets[i]
}

func (s *shelf) width() int64 { return max(int64((s.window/buckets)/time.Second), 1) }

// bucketOf a time. A clock that ran wild must not make a bucket that stays for
// ever, nor very many of them.
func (s *shelf) bucketOf(at time.Time) *bucket {
	now := time.Now().Unix()
	seconds := max(min(at.Unix(), now), now-int64(s.window/time.Second)-s.width())
	return s.bucket(seconds - seconds%s.width())
}

// look goes through what is known of an id. It stops when f wants no more.
func (s *shelf) look(id idHash, f func(b *bucket, entries []entry) (more bool)) error {
	for _, b := range s.buckets {
		if !b.filter.mayHave(id) {
			continue
		}
		value, err := s.disk.Get(s.idKey(b, id))
		if err != nil {
			return err
		}
		entries, err := decodeEntries(value)
		if err != nil {
			return err
		}
		if len(entries) > 0 && !f(b, entries) {
			return nil
		}
	}
	return nil
}

func (s *shelf) get(id idHash, offset int64) (found entry, ok bool) {
	s.use(func() error {
		return s.look(id, func(_ *bucket, entries []entry) bool {
			if i := slices.IndexFunc(entries, func(e entry) bool { return e.offset == offset }); i >= 0 {
				found, ok = entries[i], true
			}
			return !ok
		})
	})
	return found, ok
}

func (s *shelf) first(id idHash, offset int64) (best entry, found bool) {
	s.use(func() error {
		return s.look(id, func(_ *bucket, entries []entry) bool {
			for _, e := range entries {
				if e.offset != offset && e.bars() && time.Since(e.at) < s.window && (!found || e.offset < best.offset) {
					best, found = e, true
				}
			}
			return true
		})
	})
	return best, found
}

func (s *shelf) put(id idHash, e entry) {
	s.use(func() error {
		if err := s.forget(id, e.offset); err != nil {
			return err
		}
		b := s.bucketOf(e.at)
		var entries []entry
		if b.filter.mayHave(id) {
			value, err := s.disk.Get(s.idKey(b, id))
			if err != nil {
				return err
			}
			if entries, err = decodeEntries(value); err != nil {
				return err
			}
		} else if err := s.widen(b, id); err != nil {
			return err
		}
		b.top = max(b.top, e.offset)
		return s.disk.DB.Set(s.idKey(b, id), encodeEntries(append(entries, e)), pebble.NoSync)
	})
}

func (s *shelf) drop(id idHash, offset int64) {
	s.use(func() error { return s.forget(id, offset) })
}

func (s *shelf) forget(id idHash, offset int64) error {
	var failure error
	err := s.look(id, func(b *bucket, entries []entry) bool {
		left := slices.DeleteFunc(slices.Clone(entries), func(e entry) bool { return e.offset == offset })
		switch {
		case len(left) == len(entries):
		case len(left) == 0:
			failure = s.disk.DB.Delete(s.idKey(b, id), pebble.NoSync)
		default:
			failure = s.disk.DB.Set(s.idKey(b, id), encodeEntries(left), pebble.NoSync)
		}
		return failure == nil
	})
	return errors.Join(failure, err)
}

func (s *shelf) sweep(below int64) {
	s.use(func() error {
		gone := func(b *bucket) bool {
			end := time.Unix(b.start+s.width(), 0)
			return b.top < below && time.Since(end) >= s.window
		}
		for _, b := range s.buckets {
			if !gone(b) {
				continue
			}
			for _, kind := range []byte{kindFilter, kindID} {
				if err := s.disk.DB.DeleteRange(s.bucketKey(kind, b.start), s.bucketKey(kind, b.start+1), pebble.NoSync); err != nil {
					return err
				}
			}
		}
		s.buckets = slices.DeleteFunc(s.buckets, gone)
		return s.save(time.Now().Unix() - s.width())
	})
}

func encodeEntries(entries []entry) []byte {
	b := make([]byte, 0, 64*len(entries))
	for i := range entries {
		e := &entries[i]
		b = binary.AppendVarint(b, e.offset)
		b = append(b, e.fingerprint[:]...)
		b = appendText(b, string(e.status))
		b = binary.AppendVarint(b, int64(e.revision))
		b = binary.AppendVarint(b, e.at.UnixMilli())
		b = binary.AppendVarint(b, e.done)
	}
	return b
}

func decodeEntries(value []byte) ([]entry, error) {
	if len(value) == 0 {
		return nil, nil
	}
	entries := make([]entry, 0, 1)
	d := decoder{rest: value}
	for len(d.rest) > 0 && d.err == nil {
		var e entry
		e.offset = d.int()
		copy(e.fingerprint[:], d.take(len(e.fingerprint)))
		e.status = sms.Status(d.text())
		e.revision = int(d.int())
		e.at = time.UnixMilli(d.int())
		e.done = d.int()
		entries = append(entries, e)
	}
	return entries, d.err
}
