package spool

import (
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	// segmentSize is when a segment is ended, and so how much a crash can repeat.
	segmentSize = 1 << 20
	// batchSize bounds what is written at a time.
	batchSize = 1 << 20
	// retryPause is how often a spool that fails is tried by itself: nobody may
	// push to a process that is not ready.
	retryPause = 5 * time.Second
)

// request is one record on its way to the disk.
type request struct {
	record []byte
	size   int64      // with its frame
	done   chan error // size 1: whoever asked may have left
}

// write writes what waits until the spool is closed and nothing waits any more.
func (s *Spool) write() {
	retry := time.NewTicker(retryPause)
	defer retry.Stop()
	for {
		select {
		case <-s.wake:
		case <-retry.C:
			s.tryAgain()
		case <-s.stop:
			for s.writeBatch() {
			}
			return
		}
		for s.writeBatch() {
		}
	}
}

// tryAgain puts an empty record into the queue of a spool that fails.
func (s *Spool) tryAgain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failing != nil && !errors.Is(s.failing, ErrFull) && len(s.queue) == 0 && s.bytes+headerSize <= s.cfg.Max {
		s.bytes += headerSize
		s.queue = append(s.queue, &request{size: headerSize, done: make(chan error, 1)})
	}
}

// writeBatch writes a part of the queue, syncs once and tells everybody in it.
func (s *Spool) writeBatch() bool {
	batch, size := s.takeBatch()
	if len(batch) == 0 {
		return false
	}
	err := s.store(batch)
	s.mu.Lock()
	if err != nil {
		s.bytes -= size
	}
	if err != nil || !errors.Is(s.failing, ErrFull) { // a full one waits for room
		s.fail(err)
	}
	s.mu.Unlock()
	for _, r := range batch {
		r.done <- err
	}
	return true
}

func (s *Spool) takeBatch() (batch []*request, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for n < len(s.queue) && (n == 0 || size+s.queue[n].size <= batchSize) {
		size += s.queue[n].size
		n++
	}
	batch, s.queue = s.queue[:n:n], s.queue[n:]
	return batch, size
}

// store brings records to the disk. After an error nothing more is written to
// the segment; see the package's comment.
func (s *Spool) store(batch []*request) error {
	s.disk.Lock()
	defer s.disk.Unlock()
	seg, err := s.newest()
	if err != nil {
		return err
	}
	var frames []byte
	records := 0
	for _, r := range batch {
		frames = appendFrame(frames, seg.marker, r.record)
		if len(r.record) > 0 {
			records++
		}
	}
	if _, err = s.file.Write(frames); err == nil {
		err = s.file.Sync()
	}
	if err == nil && seg.size == 0 {
		err = s.syncFolder(s.cfg.Dir)
	}
	if err != nil {
		s.seal()
		if seg.size == 0 {
			_ = s.fs.Remove(s.path(seg.String())) // nobody was told that anything is in it
		}
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if seg.size == 0 {
		if len(s.segments) == 0 {
			s.flowing = false
			s.cfg.Log.Warn("pushes wait in the spool until Kafka takes them")
		}
		s.segments = append(s.segments, seg)
		s.move()
	}
	seg.size += int64(len(frames))
	seg.records += records
	if seg.size >= segmentSize {
		s.seal()
	}
	return nil
}

// newest is the segment that is written to. disk is held.
func (s *Spool) newest() (*segment, error) {
	if s.file != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.segments[len(s.segments)-1], nil
	}
	s.mu.Lock()
	// The clock may have gone back.
	s.last = max(s.last+1, time.Now().UnixMilli())
	seg := &segment{name: newName(s.last)}
	s.mu.Unlock()
	var err error
	s.file, err = s.fs.Create(s.path(seg.String()), vfs.WriteCategoryUnspecified)
	return seg, err
}

// seal ends the newest segment, if there is one. disk is held.
func (s *Spool) seal() {
	if s.file != nil {
		_ = s.file.Close() // all that anybody was told is synced
		s.file = nil
	}
}

// syncFolder makes the entries of new files in a folder durable.
func (s *Spool) syncFolder(dir string) error {
	d, err := s.fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
