package journal

import (
	"encoding/binary"
	"errors"

	"github.com/cockroachdb/pebble/v2"
)

// A filter is saved when its stretch of time is over and when the store closes:
// reading it takes a twentieth of the time that reading its ids takes. A saved one
// that lacks an id would have a text sent twice. So it is deleted before an id is
// added to its bucket; and as a kill loses the latest writes first, no id stays on
// the disk without that deletion.

// load reads which ids there are into the filters, once for a process.
func (s *shelf) load() {
	s.use(func() error {
		if s.loaded {
			return nil
		}
		err := s.readFilters()
		s.loaded = err == nil
		return err
	})
}

// readFilters reads the saved filters, and where there is none the ids.
func (s *shelf) readFilters() (err error) {
	from := s.key(kindID)
	it, err := s.disk.DB.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: s.key(kindID + 1)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Error(), it.Close()) }()
	for ok := it.First(); ok; {
		key := it.Key()[len(from):]
		b := s.bucket(int64(binary.BigEndian.Uint64(key)))
		if len(b.filter.layers) == 0 { // the first id of the bucket
			if err := s.readFilter(b); err != nil {
				return err
			}
		}
		if b.saved {
			ok = it.SeekGE(s.bucketKey(kindID, b.start+1))
			continue
		}
		b.filter.add(idHash(key[8:]))
		ok = it.Next()
	}
	return nil
}

// readFilter reads a saved filter. One of other rules is deleted: the program that
// knows them may come back, and the ids of the meantime are not in it.
func (s *shelf) readFilter(b *bucket) error {
	key := s.bucketKey(kindFilter, b.start)
	value, err := s.disk.Get(key)
	if err != nil {
		return err
	}
	if b.filter, b.saved = decodeFilter(value); b.saved || value == nil {
		return nil
	}
	return s.disk.DB.Delete(key, pebble.NoSync)
}

// widen adds an id to a bucket's filter. A new bucket may have a saved one too, if
// all of its ids were dropped.
func (s *shelf) widen(b *bucket, id idHash) error {
	if b.saved || len(b.filter.layers) == 0 {
		if err := s.disk.DB.Delete(s.bucketKey(kindFilter, b.start), pebble.NoSync); err != nil {
			return err
		}
		b.saved = false
	}
	b.filter.add(id)
	return nil
}

// save saves the filters of the buckets that begin up to then, in seconds since 1970.
func (s *shelf) save(until int64) error {
	for _, b := range s.buckets {
		if b.saved || b.start > until {
			continue
		}
		if err := s.disk.DB.Set(s.bucketKey(kindFilter, b.start), b.filter.encode(), pebble.NoSync); err != nil {
			return err
		}
		b.saved = true
	}
	return nil
}
