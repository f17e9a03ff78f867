package journal

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"smsbridge/codec/sms"
)

func TestFilterForgetsNothingAndTakesFewForKnown(t *testing.T) {
	t.Parallel()
	var f filter
	const ids = 100_000
	for n := range int64(ids) {
		if n == ids*2/3 { // it is saved and read again
			var ok bool
			if f, ok = decodeFilter(f.encode()); !ok {
				t.Fatal("a saved filter cannot be read")
			}
		}
		f.add(numbered(n))
	}
	wrong := 0
	for n := range int64(ids) {
		if !f.mayHave(numbered(n)) {
			t.Fatalf("%d forgotten", n)
		}
		if f.mayHave(numbered(n + ids)) {
			wrong++
		}
	}
	if wrong > ids*3/100 {
		t.Errorf("%d of %d fresh ids would go to the disk", wrong, ids)
	}
}

func TestSavedFilterThatIsNotOneIsNotRead(t *testing.T) {
	t.Parallel()
	var f filter
	f.add(hashID("a"))
	good := f.encode()
	otherRules := append([]byte{probes + 1}, good[1:]...)
	disk := memStore(t, vfs.NewMem())
	for name, saved := range map[string][]byte{
		"none": nil, "nothing in it": good[:16], "cut": good[:len(good)-1], "too long": append(good, 0), "other rules": otherRules,
	} {
		s := openShelf(t, disk, 0)
		s.put(hashID("a"), entry{offset: 1, status: sms.Accepted, at: time.Now()})
		key := s.bucketKey(kindFilter, s.buckets[0].start)
		if err := s.disk.DB.Set(key, saved, pebble.NoSync); err != nil {
			t.Fatal(err)
		}
		reload(s)
		if _, ok := s.get(hashID("a"), 1); !ok || s.buckets[0].saved {
			t.Errorf("%s: the id is known: %v", name, ok)
		}
		// Whoever could read it must not find it again: the ids of the meantime are not in it.
		if left, err := s.disk.Get(key); err != nil || len(left) > 0 {
			t.Errorf("%s: it is left there (%v)", name, err)
		}
	}
}

// reload has the next process read what there is.
func reload(s *shelf) {
	s.loaded, s.buckets = false, nil
	s.load()
}

func TestSavedFilterIsNotThatOfABucketFilledAnew(t *testing.T) {
	t.Parallel()
	s := openShelf(t, memStore(t, vfs.NewMem()), 0)
	at := time.Now().Add(-testWindow / 2)
	s.put(hashID("a"), entry{offset: 1, status: sms.Accepted, at: at})
	s.sweep(0) // saves it
	s.drop(hashID("a"), 1)
	reload(s)
	s.put(hashID("b"), entry{offset: 2, status: sms.Accepted, at: at})
	reload(s)
	if _, ok := s.get(hashID("b"), 2); !ok {
		t.Error("an id is not known any more")
	}
}

// TestFilterIsSavedWhileItsStretchOfTimeIsOver, so that it serves after a kill too.
func TestFilterIsSavedWhileItsStretchOfTimeIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := openShelf(t, memStore(t, vfs.NewMem()), 0)
		put := func(id string, at time.Time) { s.put(hashID(id), entry{status: sms.Accepted, at: at}) }
		check := func(want ...bool) {
			t.Helper()
			next := &shelf{disk: s.disk, window: s.window, failed: s.failed}
			reload(next)
			var saved []bool
			for _, b := range next.buckets {
				saved = append(saved, b.saved)
			}
			if !slices.Equal(saved, want) {
				t.Errorf("read from filters: %v, want %v", saved, want)
			}
		}
		start := time.Now()
		put("a", start)
		s.sweep(0)
		check(false)
		time.Sleep(testWindow / buckets)
		put("b", time.Now())
		s.sweep(0)
		check(true, false)
		put("late", start)
		check(false, false)
		s.sweep(0)
		check(true, false)
	})
}
