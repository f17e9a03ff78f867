package kafkaio

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// asideFor is how long an address that did not answer is asked last.
const asideFor = 30 * time.Second

// brokers is what is known of where brokers are: the configured addresses, and
// those that the cluster told, alike. With the one configured address gone, those
// seen before lead on; with all of them moved, the configured ones do.
type brokers struct {
	bootstrap []string

	mu    sync.Mutex
	seen  map[int32]string // by id, as the cluster told last
	aside map[string]time.Time
	last  string // the address that answered last
}

// learn takes in what the cluster told of its brokers.
func (b *brokers) learn(seen map[int32]string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(seen) > 0 {
		b.seen = seen
	}
}

// learnOne takes in where one broker is.
func (b *brokers) learnOne(id int32, address string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen = maps.Clone(b.seen) // it may be somebody's answer
	if b.seen == nil {
		b.seen = map[int32]string{}
	}
	b.seen[id] = address
}

// address returns where a broker is.
func (b *brokers) address(id int32) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	address, ok := b.seen[id]
	if !ok {
		return "", fmt.Errorf("%w: %d", errUnknownBroker, id)
	}
	return address, nil
}

// candidates returns every known address in the order in which they are to be
// asked for what any broker knows: first the one that answered last, and those
// that were silent a moment ago at the end.
func (b *brokers) candidates() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := slices.Sorted(maps.Values(b.seen))
	all = append(all, b.bootstrap...)
	slices.Sort(all)
	all = slices.Compact(all)
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	now := time.Now()
	rank := func(address string) int {
		switch until, put := b.aside[address]; {
		case put && now.Before(until):
			return 2
		case address == b.last:
			return 0
		default:
			return 1
		}
	}
	slices.SortStableFunc(all, func(x, y string) int { return rank(x) - rank(y) })
	return all
}

// answered notes that an address is well.
func (b *brokers) answered(address string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last = address
	delete(b.aside, address)
}

// silent puts an address aside.
func (b *brokers) silent(address string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(b.aside, func(_ string, until time.Time) bool { return !now.Before(until) })
	b.aside[address] = now.Add(asideFor)
}
