package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

var (
	// ErrFull says that the spool holds as much as it may.
	ErrFull = errors.New("the spool is full")
	errEnd  = errors.New("the spool is closed")
)

// Config says where and how much.
type Config struct {
	Dir string
	Max int64 // bytes
	Log *slog.Logger
}

// Spool is a folder of records that wait. It belongs to one process.
type Spool struct {
	cfg  Config
	fs   vfs.FS
	lock io.Closer

	wake  chan struct{} // size 1: a wish to write is kept while the disk is busy
	stop  chan struct{}
	wrote sync.WaitGroup // the goroutine that writes

	disk sync.Mutex // of who writes to the newest segment, or ends it; taken before mu
	file vfs.File   // of the newest segment; nil: the next record begins another one

	mu       sync.Mutex
	closed   bool
	queue    []*request
	segments []*segment // oldest first
	last     int64      // the newest name's time
	bytes    int64      // of all segments, and of what is in the queue
	aside    int        // damaged segments in the folder
	failing  error      // why nothing can be appended
	blocked  error      // why nothing is taken
	flowing  bool       // the last attempt to hand something out succeeded
	moved    chan struct{}
}

// segment is one file.
type segment struct {
	name
	size    int64
	records int // not taken yet
}

// Open takes the folder, which is made if it is not there, and looks at what an
// earlier process left in it.
func Open(c Config) (*Spool, error) { return open(c, private{vfs.Default}) }

func open(c Config, fs vfs.FS) (*Spool, error) {
	s := &Spool{cfg: c, fs: fs, wake: make(chan struct{}, 1), stop: make(chan struct{}), moved: make(chan struct{})}
	if err := s.makeFolder(); err != nil {
		return nil, fmt.Errorf("the folder cannot be made: %w", err)
	}
	var err error
	if s.lock, err = fs.Lock(s.path("LOCK")); err != nil {
		return nil, fmt.Errorf("the folder cannot be locked, another process may be using it: %w", err)
	}
	if err := s.look(); err != nil {
		return nil, errors.Join(err, s.lock.Close())
	}
	s.wrote.Go(s.write)
	return s, nil
}

// makeFolder makes the folder, and its entry in those above it durable.
func (s *Spool) makeFolder() error {
	var above []string
	for dir := s.cfg.Dir; ; dir = s.fs.PathDir(dir) {
		if _, err := s.fs.Stat(dir); err == nil || dir == s.fs.PathDir(dir) {
			break
		}
		above = append(above, s.fs.PathDir(dir))
	}
	if err := s.fs.MkdirAll(s.cfg.Dir, 0o700); err != nil {
		return err
	}
	for _, dir := range above {
		if err := s.syncFolder(dir); err != nil {
			return err
		}
	}
	return nil
}

// look finds the segments that are there.
func (s *Spool) look() error {
	files, err := s.fs.List(s.cfg.Dir)
	if err != nil {
		return fmt.Errorf("the folder cannot be read: %w", err)
	}
	slices.Sort(files)
	records := 0
	for _, file := range files {
		if strings.HasSuffix(file, setAside) {
			s.aside++
		}
		if !strings.HasSuffix(file, extension) {
			continue
		}
		n, ok := parseName(file)
		if !ok {
			return fmt.Errorf("the folder holds %s, which another version has written; run that version until it is taken", file)
		}
		seg := &segment{name: n}
		if data, err := s.read(seg); err == nil { // else Drain tells
			c := parse(data, n.marker)
			seg.size, seg.records = int64(len(data)), len(c.records)
			if c.torn > 0 {
				s.cfg.Log.Warn("the end of a segment was not written completely and is cut; it was never acknowledged", "file", file, "bytes", c.torn)
			}
		}
		s.segments = append(s.segments, seg)
		s.bytes += seg.size
		s.last = max(s.last, n.begun)
		records += seg.records
	}
	if len(s.segments) > 0 {
		s.cfg.Log.Info("pushes of an earlier run wait in the spool", "pushes", records, "bytes", s.bytes)
	}
	return nil
}

// Close ends the spool. What is in it stays for the next process. Append and
// Drain must have returned.
func (s *Spool) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	close(s.stop)
	s.wrote.Wait()
	s.disk.Lock()
	defer s.disk.Unlock()
	s.seal()
	return s.lock.Close()
}

// Wait reports whether nothing waits, so that what comes now need not queue. When
// only a little is left and leaves without trouble, it waits for that until ctx
// ends: with all that comes queuing behind, a spool would never be empty again.
func (s *Spool) Wait(ctx context.Context) (empty bool) {
	for {
		s.mu.Lock()
		waiting, flowing, moved := 0, s.flowing, s.moved
		for _, seg := range s.segments {
			waiting += seg.records
		}
		empty := len(s.segments) == 0
		s.mu.Unlock()
		if empty || !flowing || waiting > drainBatch {
			return empty
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return false
		}
	}
}

// Status is what can be told about a spool.
type Status struct {
	Bytes, Max int64
	Waiting    int       // records not taken yet
	Oldest     time.Time // since when the oldest segment exists; zero: nothing waits
	SetAside   int       // damaged files, for people to look at
	Failing    error     // why nothing can be appended, nil if all is well
	Blocked    error     // why nothing was taken at the last attempt
}

// Status looks at the spool.
func (s *Spool) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Status{Bytes: s.bytes, Max: s.cfg.Max, SetAside: s.aside, Failing: s.failing, Blocked: s.blocked}
	for _, seg := range s.segments {
		st.Waiting += seg.records
	}
	if len(s.segments) > 0 {
		st.Oldest = time.UnixMilli(s.segments[0].begun)
	}
	return st
}

// Append returns nil when the record is on the disk. When ctx ends before, it may
// still get there. Records are kept in the order of the calls.
func (s *Spool) Append(ctx context.Context, record []byte) error {
	r := &request{record: record, size: int64(headerSize + len(record)), done: make(chan error, 1)}
	if err := s.enqueue(r); err != nil {
		return err
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("the disk is slow: %w", context.Cause(ctx))
	}
}

func (s *Spool) enqueue(r *request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return errEnd
	case s.bytes+r.size > s.cfg.Max:
		s.fail(ErrFull)
		return ErrFull
	}
	s.bytes += r.size
	s.queue = append(s.queue, r)
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return nil
}

// fail remembers whether the spool can be written to, and tells when that
// changes. mu is held.
func (s *Spool) fail(err error) {
	switch {
	case err != nil && s.failing == nil:
		s.cfg.Log.Error("pushes cannot be kept in the spool, they are answered 503", "error", err)
	case err == nil && s.failing != nil:
		s.cfg.Log.Info("pushes can be kept in the spool again")
	}
	s.failing = err
}

// move wakes who waits for something to change. mu is held.
func (s *Spool) move() {
	close(s.moved)
	s.moved = make(chan struct{})
}

func (s *Spool) path(file string) string { return s.fs.PathJoin(s.cfg.Dir, file) }

func (s *Spool) read(seg *segment) ([]byte, error) {
	f, err := s.fs.Open(s.path(seg.String()))
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(f)
	return data, errors.Join(err, f.Close())
}

// private is a file system whose files nobody else may read.
type private struct{ vfs.FS }

func (p private) MkdirAll(dir string, mode os.FileMode) error {
	if err := p.FS.MkdirAll(dir, mode); err != nil {
		return err
	}
	// Of a mounted volume that belongs to another user the mode cannot be set. Its
	// owner has decided then; the files are ours alone all the same.
	_ = os.Chmod(dir, mode)
	return nil
}

func (p private) Create(file string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := p.FS.Create(file, c)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(file, 0o600); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
