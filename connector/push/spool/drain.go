package spool

import (
	"context"
	"errors"
	"time"
)

const (
	// drainBatch and drainBytes bound what is handed out at a time.
	drainBatch = 256
	drainBytes = 512 << 10
	// drainPause is between two attempts to hand out the same records.
	drainPause = 250 * time.Millisecond
	// readAttempts is how often a segment is read before it is set aside.
	readAttempts = 20
)

// Drain hands out what waits, oldest first, until ctx ends. What take returns an
// error for is handed out again after a pause; nothing behind it overtakes it.
func (s *Spool) Drain(ctx context.Context, take func(ctx context.Context, records [][]byte) error) {
	for ctx.Err() == nil {
		seg, moved := s.oldest()
		if seg != nil {
			s.hand(ctx, seg, take)
			continue
		}
		select {
		case <-moved:
		case <-ctx.Done():
		}
	}
}

func (s *Spool) oldest() (*segment, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.segments) == 0 {
		return nil, s.moved
	}
	return s.segments[0], nil
}

// hand hands out one segment and removes it.
func (s *Spool) hand(ctx context.Context, seg *segment, take func(context.Context, [][]byte) error) {
	s.endIfNewest(seg)
	data, err := s.readPatiently(ctx, seg)
	if ctx.Err() != nil {
		return
	}
	c := parse(data, seg.marker)
	for rest := c.records; len(rest) > 0; {
		n := batchOf(rest)
		for {
			err := take(ctx, rest[:n])
			if ctx.Err() != nil {
				return
			}
			s.took(seg, n, err)
			if err == nil {
				break
			}
			sleep(ctx, drainPause)
		}
		rest = rest[n:]
	}
	s.remove(seg, c.damaged, err)
}

// endIfNewest sees to it that nothing is written to the segment any more.
func (s *Spool) endIfNewest(seg *segment) {
	s.disk.Lock()
	defer s.disk.Unlock()
	s.mu.Lock()
	newest := s.segments[len(s.segments)-1] == seg
	s.mu.Unlock()
	if newest {
		s.seal()
	}
}

// readPatiently reads a segment; what fails may be only for the moment, such as
// too many open files.
func (s *Spool) readPatiently(ctx context.Context, seg *segment) ([]byte, error) {
	for attempt := 1; ; attempt++ {
		data, err := s.read(seg)
		if err == nil || attempt == readAttempts || ctx.Err() != nil {
			return data, err
		}
		s.took(seg, 0, err)
		sleep(ctx, drainPause)
	}
}

// took counts what was taken of a segment, or remembers why nothing was.
func (s *Spool) took(seg *segment, n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		seg.records = max(0, seg.records-n)
		s.move()
	case s.blocked == nil:
		s.cfg.Log.Warn("what waits in the spool cannot be delivered yet", "error", err)
	}
	s.blocked, s.flowing = err, err == nil
}

// remove ends a segment that was taken. A damaged one is kept under another
// name. Where even that fails it stays, to be taken again by the next process.
func (s *Spool) remove(seg *segment, damaged int, unread error) {
	file := s.path(seg.String())
	var err error
	bad := damaged > 0 || unread != nil
	if bad {
		err = s.fs.Rename(file, file+setAside)
		s.cfg.Log.Error("a segment of the spool is damaged, it is set aside; what could be read of it was delivered",
			"file", seg.String()+setAside, "damaged_bytes", damaged, "error", unread)
	} else {
		err = s.fs.Remove(file)
	}
	if err != nil {
		s.cfg.Log.Error("a segment of the spool that was delivered cannot be removed, the next start delivers it again", "file", seg.String(), "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if bad {
		s.aside++
	}
	s.segments = s.segments[1:]
	s.bytes -= seg.size
	if errors.Is(s.failing, ErrFull) {
		s.fail(nil)
	}
	s.move()
	if len(s.segments) == 0 {
		s.cfg.Log.Info("the spool is empty, pushes go to Kafka again")
	}
}

func batchOf(records [][]byte) int {
	n, size := 0, 0
	for n < len(records) && n < drainBatch && (n == 0 || size+len(records[n]) <= drainBytes) {
		size += len(records[n])
		n++
	}
	return n
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
