package journal

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Store keeps the remembered ids of all partitions of a process in a local
// folder. It is a cache of the journal, nothing else: it may be deleted at any
// time, and a partition of it is used only after it was found to belong to the
// very journal that is replayed.
type Store struct {
	dir    string
	fs     vfs.FS
	secure func(folder string) error
	log    *slog.Logger

	mu      sync.Mutex
	disk    *disk          // nil: could not be opened again
	failed  time.Time      // when the disk failed last
	shelves map[int]*shelf // the newest of each partition
}

const (
	// storeFolders is how many processes can share a state folder. One beyond
	// them remembers in memory.
	storeFolders = 16
	// storePause: a disk that fails twice within it is left alone that long.
	storePause = 10 * time.Minute

	blockCache = 8 << 20 // bytes
	memTable   = 4 << 20 // bytes, twice at most
)

// OpenStore opens the store in a folder, which is made if it is not there. One
// that another process uses is passed over for the next; one that cannot be read
// is made anew.
func OpenStore(dir string, log *slog.Logger) (*Store, error) {
	// Nobody but us may write there: a forged cache could have an id taken for
	// one that was sent. Whoever does not own the folder cannot set its mode.
	return openStore(dir, vfs.Default, func(folder string) error { return os.Chmod(folder, 0o700) }, log)
}

func openStore(dir string, fs vfs.FS, secure func(string) error, log *slog.Logger) (*Store, error) {
	s := &Store{dir: dir, fs: fs, secure: secure, log: log, shelves: make(map[int]*shelf)}
	var err error
	if s.disk, err = s.open(); err != nil {
		return nil, err
	}
	return s, nil
}

// Close writes down what is still in memory. Without it the next process reads
// a little more of the journal.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.disk
	if d == nil {
		return nil
	}
	s.disk = nil
	if d.err() != nil {
		return nil // told when it failed
	}
	d.fail(errors.New("closed"))
	return d.close()
}

// flush begins to write down what is in memory.
func (s *Store) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.disk == nil || s.disk.err() != nil {
		return
	}
	if _, err := s.disk.db.AsyncFlush(); err != nil {
		s.disk.fail(err)
	}
}

// shelf returns the part of one partition for a new owner of it; the one before
// is no longer written to. An error means that there is no store.
func (s *Store) shelf(partition int, window time.Duration) (*shelf, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.disk == nil || s.disk.err() != nil {
		if err := s.reopen(); err != nil {
			return nil, err
		}
	}
	next := &shelf{disk: s.disk, partition: partition, window: window}
	if last := s.shelves[partition]; last != nil {
		last.retire(next)
	}
	s.shelves[partition] = next
	return next, nil
}

// reopen takes another disk in the place of one that failed.
func (s *Store) reopen() error {
	if time.Since(s.failed) < storePause {
		return errors.New("the local store failed a short time ago")
	}
	s.failed = time.Now()
	if s.disk != nil {
		go func(d *disk) { _ = d.close() }(s.disk) // it may hang where its folder is gone
		s.disk = nil
	}
	var err error
	s.disk, err = s.open()
	return err
}

func (s *Store) open() (*disk, error) {
	var last error
	for n := range storeFolders {
		folder := s.fs.PathJoin(s.dir, fmt.Sprintf("ids-%d", n))
		if err := s.fs.MkdirAll(folder, 0o700); err != nil {
			return nil, fmt.Errorf("journal: local store: %w", err)
		}
		if err := s.secure(folder); err != nil {
			last = err
			continue
		}
		lock, err := pebble.LockDirectory(folder, s.fs)
		if err != nil {
			last = err
			s.log.Info("a folder for the local store is in use by another process, trying the next one", "folder", folder)
			continue
		}
		d, err := s.openFolder(folder, lock)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("journal: local store: %w", err), lock.Close())
		}
		return d, nil
	}
	return nil, fmt.Errorf("journal: no folder for the local store can be used: %w", last)
}

// openFolder opens what stands in a folder, or throws it away: the journal has it.
func (s *Store) openFolder(folder string, lock *pebble.Lock) (*disk, error) {
	d, err := newDisk(folder, s.fs, lock)
	if err == nil {
		return d, nil
	}
	s.log.Warn("the local store cannot be read, it is built anew from the journal", "folder", folder, "error", err)
	names, err := s.fs.List(folder)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if name == "LOCK" {
			continue // ours
		}
		if err := s.fs.RemoveAll(s.fs.PathJoin(folder, name)); err != nil {
			return nil, err
		}
	}
	return newDisk(folder, s.fs, lock)
}

// disk is one open Pebble folder. After its first failure nothing in it is
// believed any more: what it does not tell would be sent again.
type disk struct {
	db      *pebble.DB
	lock    *pebble.Lock
	failure atomic.Pointer[error]
}

func newDisk(folder string, fs vfs.FS, lock *pebble.Lock) (*disk, error) {
	d := &disk{lock: lock}
	cache := pebble.NewCache(blockCache)
	defer cache.Unref()
	var err error
	d.db, err = pebble.Open(folder, &pebble.Options{
		FS: fs, Lock: lock, Cache: cache, MemTableSize: memTable, MaxOpenFiles: 100,
		FormatMajorVersion: pebble.FormatNewest,
		// A kill loses what was not flushed, in the order it was written: an id
		// never sooner than a claim that covers it. So a log would only cost, and
		// Pebble ends the process when it cannot write one.
		DisableWAL: true,
		Logger:     quiet{},
		EventListener: &pebble.EventListener{
			BackgroundError: d.fail,
			DataCorruption:  func(i pebble.DataCorruptionInfo) { d.fail(i.Details) }, // also of a file that was deleted
		},
	})
	return d, err
}

func (d *disk) fail(err error) { d.failure.CompareAndSwap(nil, &err) }

func (d *disk) err() error {
	if err := d.failure.Load(); err != nil {
		return *err
	}
	return nil
}

func (d *disk) close() error {
	err := d.db.Flush() // without a log this is what keeps it
	return errors.Join(err, d.db.Close(), d.lock.Close())
}

// get returns a copy of a value, nil if there is none.
func (d *disk) get(key []byte) ([]byte, error) {
	if err := d.err(); err != nil {
		return nil, err
	}
	value, closer, err := d.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return bytes.Clone(value), closer.Close()
}

// quiet: what fails is told by whoever notices it.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}

// Fatalf is called with Pebble's locks held, when it cannot write its list of
// files; there is no way back from that but a new process.
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
