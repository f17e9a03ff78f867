package local

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	// folders is how many processes can share a state folder.
	folders = 16
	// pause: a disk that fails twice within it is left alone that long.
	pause = 10 * time.Minute
)

// Store is a cache of one kind, in a folder of its own. It opens another Disk in
// the place of one that failed.
type Store struct {
	dir  string
	kind Kind
	fs   vfs.FS
	log  *slog.Logger

	mu     sync.Mutex
	disk   *Disk     // nil: could not be opened again
	failed time.Time // when the disk failed last
}

// Open opens the store of a kind under dir, which is made if it is not there.
// A folder that another process uses is passed over for the next; one that cannot
// be read is made anew.
func Open(dir string, kind Kind, log *slog.Logger) (*Store, error) {
	return OpenOn(vfs.Default, dir, kind, log)
}

// OpenOn is Open on another file system, such as vfs.NewMem.
func OpenOn(fs vfs.FS, dir string, kind Kind, log *slog.Logger) (*Store, error) {
	s := &Store{dir: dir, kind: kind, fs: fs, log: log}
	var err error
	if s.disk, err = s.open(); err != nil {
		return nil, err
	}
	return s, nil
}

// Disk returns what is to be used now. An error means that there is nothing: the
// disk failed a short time ago, or cannot be opened.
func (s *Store) Disk() (*Disk, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.disk != nil && s.disk.Err() == nil {
		return s.disk, nil
	}
	if time.Since(s.failed) < pause {
		return nil, errors.New("the local store failed a short time ago")
	}
	s.failed = time.Now()
	if s.disk != nil {
		go func(d *Disk) { _ = d.close() }(s.disk) // it may hang where its folder is gone
		s.disk = nil
	}
	var err error
	s.disk, err = s.open()
	return s.disk, err
}

// Flush begins to write down what is in memory.
func (s *Store) Flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.disk == nil || s.disk.Err() != nil {
		return
	}
	if _, err := s.disk.DB.AsyncFlush(); err != nil {
		s.disk.Fail(err)
	}
}

// Close writes down what is still in memory. Without it the next process reads
// a little more of the topic.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.disk
	if d == nil {
		return nil
	}
	s.disk = nil
	if d.Err() != nil {
		return nil // told when it failed
	}
	d.Fail(errors.New("closed"))
	return d.close()
}

func (s *Store) open() (*Disk, error) {
	var last error
	for n := range folders {
		folder := s.fs.PathJoin(s.dir, fmt.Sprintf("%s-%d", s.kind.Name, n))
		if err := s.fs.MkdirAll(folder, 0o700); err != nil {
			return nil, fmt.Errorf("local store: %w", err)
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
			return nil, errors.Join(fmt.Errorf("local store: %w", err), lock.Close())
		}
		return d, nil
	}
	return nil, fmt.Errorf("no folder for the local store can be used: %w", last)
}

// secure keeps everybody else out: a forged cache could have us believe what never
// was. Whoever does not own the folder cannot set its mode.
func (s *Store) secure(folder string) error {
	if s.fs != vfs.Default {
		return nil
	}
	return os.Chmod(folder, 0o700) //nolint:gosec // without the x nobody can go into a folder
}

// openFolder opens what stands in a folder, or throws it away: the topic has it.
func (s *Store) openFolder(folder string, lock *pebble.Lock) (*Disk, error) {
	d, err := newDisk(folder, s.kind, s.fs, lock)
	if err == nil {
		return d, nil
	}
	s.log.Warn("the local store cannot be read, it is built anew from its topic", "folder", folder, "error", err)
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
	return newDisk(folder, s.kind, s.fs, lock)
}
