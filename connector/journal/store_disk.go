package journal

import (
	"log/slog"
	"math"
	"sync"
	"time"

	"smsbridge/connector/local"
)

// idsKind: filters answer nearly all that is asked, so little is read.
var idsKind = local.Kind{Name: "ids", Cache: 8 << 20, Buffer: 4 << 20}

// Store keeps the remembered ids of all partitions of a process in a local
// folder. It is a cache of the journal, nothing else: a partition of it is used
// only after it was found to belong to the very journal that is replayed.
type Store struct {
	*local.Store

	mu      sync.Mutex
	shelves map[int]*shelf // the newest of each partition
}

// OpenStore opens the store in a folder. One process too many in it remembers in
// memory.
func OpenStore(dir string, log *slog.Logger) (*Store, error) {
	s, err := local.Open(dir, idsKind, log)
	if err != nil {
		return nil, err
	}
	return newStore(s), nil
}

func newStore(s *local.Store) *Store { return &Store{Store: s, shelves: make(map[int]*shelf)} }

// shelf returns the part of one partition for a new owner of it; the one before
// is no longer written to. An error means that there is no store.
func (s *Store) shelf(partition int, window time.Duration) (*shelf, error) {
	disk, err := s.Disk()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next := &shelf{disk: disk, partition: partition, window: window}
	if last := s.shelves[partition]; last != nil {
		last.retire(next)
	}
	s.shelves[partition] = next
	return next, nil
}

// Close saves the filters and writes down what is still in memory. Without it the
// next process reads a little more.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, shelf := range s.shelves {
		shelf.use(func() error { return shelf.save(math.MaxInt64) })
	}
	return s.Store.Close()
}
