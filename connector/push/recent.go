package push

import "time"

// recent is a map that forgets. An entry is kept for at least keep and less
// than twice that, sooner only when more than limit newer ones came. Two
// generations are swapped, so forgetting costs nothing while requests come.
// It is not safe for concurrent use.
type recent[K comparable, V any] struct {
	keep  time.Duration
	limit int

	young, old map[K]V
	since      time.Time // when young began
}

func newRecent[K comparable, V any](keep time.Duration, limit int) recent[K, V] {
	return recent[K, V]{keep: keep, limit: limit, young: map[K]V{}}
}

func (r *recent[K, V]) get(key K, now time.Time) (V, bool) {
	r.turn(now)
	if v, ok := r.young[key]; ok {
		return v, true
	}
	v, ok := r.old[key]
	return v, ok
}

func (r *recent[K, V]) put(key K, value V, now time.Time) {
	r.turn(now)
	r.young[key] = value
}

func (r *recent[K, V]) turn(now time.Time) {
	switch age := now.Sub(r.since); {
	case age >= 2*r.keep:
		r.young, r.old, r.since = map[K]V{}, nil, now
	case age >= r.keep, len(r.young) >= r.limit:
		r.young, r.old, r.since = map[K]V{}, r.young, now
	}
}
