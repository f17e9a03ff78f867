package push

import (
	"testing"
	"time"
)

func TestDigestIsGoodForOnePush(t *testing.T) {
	t.Parallel()
	now := time.Unix(1700000000, 0)
	first, other := fingerprint{1}, fingerprint{2}
	d := newDigests()
	use := func(p fingerprint, at time.Time, wantSeen, wantOK bool) {
		t.Helper()
		if seen, ok := d.use(digest{}, p, at); seen != wantSeen || ok != wantOK {
			t.Fatalf("seen %v, ok %v, want %v, %v", seen, ok, wantSeen, wantOK)
		}
	}
	use(first, now, false, true)
	use(other, now, false, false) // another push while the first is under way
	use(first, now, false, true)  // the provider's impatient repeat
	d.settle(digest{}, first, false, now)
	use(other, now, false, false) // the repeat is still under way
	d.settle(digest{}, first, false, now)
	use(first, now, false, true) // after a 503 nothing is used up
	d.settle(digest{}, first, true, now)
	use(first, now, true, true)
	use(other, now, false, false)
	// As long as the timestamp can be within its window.
	use(other, now.Add(2*window-time.Second), false, false)
	if len(d.claims) != 0 {
		t.Errorf("%d claims left", len(d.claims))
	}
}

func TestDigestsAreForgottenWhenTheirTimestampIsTooOld(t *testing.T) {
	t.Parallel()
	now := time.Unix(1700000000, 0)
	d := newDigests()
	for i := range 1000 {
		key := digest{byte(i), byte(i >> 8)}
		d.use(key, fingerprint{}, now)
		d.settle(key, fingerprint{}, true, now)
	}
	d.use(digest{255, 255}, fingerprint{}, now.Add(4*window))
	if n := len(d.used.young) + len(d.used.old); n != 0 {
		t.Errorf("%d digests are still remembered", n)
	}
}

func TestRecentIsBounded(t *testing.T) {
	t.Parallel()
	now := time.Unix(1700000000, 0)
	r := newRecent[int, int](time.Hour, 10)
	for i := range 1000 {
		r.put(i, i, now)
		if n := len(r.young) + len(r.old); n > 20 {
			t.Fatalf("%d entries after %d", n, i)
		}
	}
	if v, ok := r.get(999, now); !ok || v != 999 {
		t.Error("the newest was forgotten")
	}
	if _, ok := r.get(1, now); ok {
		t.Error("the oldest is still there")
	}
}
