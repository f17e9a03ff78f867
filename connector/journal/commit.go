package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"smsbridge/connector/kafkaio"
)

const (
	// The beginnings of two commits are kept apart, because one carries
	// everything that waits: by the least pause where commands are few, so that
	// none waits long, and by the longest where they are many, so that commits
	// cost little. Each permit that the last commit gave adds to its pause, so
	// that the pause grows to the longest above 2,000 commands a second and
	// shrinks to the least below.
	leastPause   = time.Millisecond
	longestPause = 5 * time.Millisecond
	permitPause  = time.Second / 2000
	// againAfter is the pause before a commit that did not leave, or that was
	// refused, is tried again.
	againAfter = 100 * time.Millisecond
)

// errUnsent says that nothing of a commit was stored, nor will be.
var errUnsent = errors.New("commit not stored")

// judge tells what the outcome of a commit means for the tenure.
func (t *Tenure) judge(err error) error {
	var (
		unknown *kafkaio.CommitUnknown
		refused *kafkaio.CommitRefused
	)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kafkaio.ErrFenced):
		t.end(ErrLost)
		return ErrLost
	case errors.As(err, &unknown):
		t.end(ErrRejoin)
		return fmt.Errorf("%w: %w", ErrRejoin, err)
	case errors.As(err, &refused):
		return err
	default:
		return fmt.Errorf("%w: %w", errUnsent, err)
	}
}

func outcome(err error) string {
	var refused *kafkaio.CommitRefused
	switch {
	case err == nil:
		return "stored"
	case errors.Is(err, ErrLost):
		return "fenced"
	case errors.Is(err, ErrRejoin):
		return "unknown"
	case errors.As(err, &refused):
		return "refused"
	default:
		return "unsent"
	}
}

// sentCommit is one partition's share of a commit on its way.
type sentCommit struct {
	ledger *Ledger
	fenced int64
	replay int64
}

// run commits what changes until the tenure ends or is closed: fences,
// watermarks, and now and then nothing new, so that permits stay valid.
func (t *Tenure) run(ctx context.Context) {
	defer close(t.stopped)
	renew := time.NewTimer(t.renewal())
	defer renew.Stop()
	claim := time.NewTicker(claimPause)
	defer claim.Stop()
	for {
		select {
		case <-t.wake:
		case <-renew.C:
			t.renew()
		case <-claim.C:
			t.claim()
			continue
		case <-t.closing:
			return
		case <-t.ended:
			return
		}
		begun := time.Now()
		permits, err := t.commitChanges(ctx)
		pause := min(max(leastPause, time.Duration(permits)*permitPause), longestPause) - time.Since(begun)
		if err != nil {
			if t.alive() != nil {
				return
			}
			t.config.Log.Warn("commit not stored, trying on", "error", err)
			pause = againAfter
			t.poke()
		}
		renew.Reset(t.renewal())
		if pause > 0 && !t.sleep(pause) {
			return
		}
	}
}

func (t *Tenure) renewal() time.Duration { return t.config.SessionTimeout / 4 }

// renew makes every partition with permits commit again.
func (t *Tenure) renew() {
	for _, l := range t.ledgers {
		l.mu.Lock()
		l.dirty = l.dirty || l.permits > 0
		l.mu.Unlock()
	}
}

// commitChanges sends one commit of all partitions that changed, and returns how
// many permits it gave.
func (t *Tenure) commitChanges(ctx context.Context) (int, error) {
	batch := make(map[kafkaio.TopicPartition]kafkaio.Commit, len(t.ledgers))
	t.sent = t.sent[:0]
	for _, l := range t.ledgers {
		if c, sent, ok := l.change(); ok {
			batch[t.command(l.partition)] = c
			t.sent = append(t.sent, sent)
		}
	}
	if len(batch) == 0 {
		return 0, nil
	}
	begun := time.Now()
	err := t.commit(ctx, batch)
	t.metrics.committed(outcome(err), time.Since(begun).Seconds())
	var refused *kafkaio.CommitRefused
	if err != nil && !errors.As(err, &refused) {
		for _, s := range t.sent {
			s.ledger.unsettle()
		}
		return 0, err
	}
	permits := 0
	for _, s := range t.sent {
		if refused != nil && refused.Partitions[t.command(s.ledger.partition)] != nil {
			s.ledger.unsettle()
			continue
		}
		permits += s.ledger.settle(s, begun)
	}
	return permits, err
}

// change returns what is to be committed of a partition.
func (l *Ledger) change() (kafkaio.Commit, sentCommit, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.halted != nil || !l.dirty {
		return kafkaio.Commit{}, sentCommit{}, false
	}
	l.dirty = false
	m := l.metadata()
	s := sentCommit{ledger: l, fenced: m.Fenced, replay: m.Replay}
	return kafkaio.Commit{Offset: l.watermark, Metadata: m.String()}, s, true
}

// metadata describes the journal as it is now. The caller holds the lock.
func (l *Ledger) metadata() metadata {
	for len(l.firsts) > 0 && l.firsts[0].offset < l.watermark {
		l.firsts = l.firsts[1:]
	}
	m := metadata{Owner: l.tenure.owner, Base: l.base, Fenced: l.acked, Replay: l.acked, Tail: l.settledTail(), Told: l.published}
	if len(l.firsts) > 0 {
		m.Replay = min(m.Replay, l.firsts[0].at)
	}
	m.Replay = min(m.Replay, m.Tail)
	return m
}

// unsettle: the commit was not stored; all of it is to be sent again.
func (l *Ledger) unsettle() {
	l.mu.Lock()
	l.dirty = true
	l.mu.Unlock()
}

// settle lets go what the commit covers, and returns how much that was.
func (l *Ledger) settle(s sentCommit, begun time.Time) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fenced, l.resumed = s.fenced, s.replay
	// The time before the commit was sent: what it proves, it proves for then.
	l.lease = begun
	n := 0
	for n < len(l.waiting) && l.waiting[n].at < l.fenced {
		l.waiting[n].ready <- nil // of size 1, and told once
		l.waiting[n] = nil
		n++
	}
	l.waiting = l.waiting[n:]
	return n
}
