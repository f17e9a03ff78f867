package journal

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"smsbridge/codec/sms"
	"smsbridge/connector/kafkaio"
)

// claimPause is how often the store is told how far it is complete. A killed
// process reads as much of the journal more.
const claimPause = 30 * time.Second

// claim is what the store says of one partition: that it holds every id whose
// final done stands below a position, in one certain journal. It is written
// behind those ids, so that no crash leaves it without them.
type claim struct {
	// Identity of cluster, topics and group, and the window.
	Identity string
	// Position is the replay start of the last commit that succeeded. What stands
	// below it was there before anybody succeeded us, so it is known; a zombie
	// also reads what its successor writes, and remembers nothing of it.
	Position int64
	// Witness is the newest record that was known, Sum its hash. Where another
	// record or none stands, the journal is not the same one.
	Witness int64
	Sum     [sha256.Size]byte
	// Stories of commands below the watermark that are not at their end: a late
	// answer may still revise them.
	Stories []savedStory
}

// savedStory is a story as JSON has it.
type savedStory struct {
	Ref      Ref
	Attempts []savedAttempt
	Finals   []savedFinal
	Lost     bool
	Evidence []Evidence
}

type savedAttempt struct {
	At                int64
	Owner             uint64
	Part, First, Last int
	Number            int
	Freed, Again      bool
	Came              *sms.Submission
}

type savedFinal struct {
	At       int64
	Gen      int32
	Status   sms.Status
	Revision int
	Sent     []int
}

func (s *story) save() savedStory {
	saved := savedStory{Ref: s.ref, Lost: s.lost, Evidence: s.evidence}
	for _, a := range s.attempts {
		saved.Attempts = append(saved.Attempts, savedAttempt{a.at, a.owner, a.part, a.first, a.last, a.number, a.freed, a.again, a.came})
	}
	for _, v := range s.finals {
		saved.Finals = append(saved.Finals, savedFinal{v.at, v.gen, v.status, v.revision, v.sent})
	}
	return saved
}

func (s *savedStory) story() *story {
	restored := &story{ref: s.Ref, lost: s.Lost, evidence: s.Evidence}
	for _, a := range s.Attempts {
		restored.attempts = append(restored.attempts, attempt{
			at: a.At, owner: a.Owner, part: a.Part, first: a.First, last: a.Last, number: a.Number, freed: a.Freed, again: a.Again, came: a.Came,
		})
	}
	for _, v := range s.Finals {
		restored.finals = append(restored.finals, verdictAt{v.At, v.Gen, v.Status, v.Revision, v.Sent})
	}
	return restored
}

// spot is a record of the journal.
type spot struct {
	at    int64
	value []byte // nil: no record is known
}

// readClaim returns what the store says, none if it cannot be read.
func (s *shelf) readClaim() (c claim, ok bool) {
	s.use(func() error {
		value, err := s.disk.Get(s.key(kindClaim))
		ok = err == nil && value != nil && json.Unmarshal(value, &c) == nil
		return err
	})
	return c, ok
}

func (s *shelf) writeClaim(c *claim) {
	s.use(func() error {
		value, err := json.Marshal(c)
		if err != nil {
			return err
		}
		return s.disk.DB.Set(s.key(kindClaim), value, pebble.NoSync)
	})
}

// openShelves puts the store behind the ledgers. Without one they remember in
// memory.
func (t *Tenure) openShelves(ctx context.Context) error {
	if t.config.Store == nil {
		return nil
	}
	name, err := t.config.Identity(ctx)
	if err != nil {
		return fmt.Errorf("journal: cluster and topics of the local store: %w", err)
	}
	t.identity = fmt.Sprintf("%s, group %q, window %s", name, t.config.Group, t.config.Window)
	for _, l := range t.ledgers {
		s, err := t.config.Store.shelf(l.partition, t.config.Window)
		if err != nil {
			t.config.Log.Warn("no local store, ids are remembered in memory", "partition", l.partition, "error", err)
			continue
		}
		s.failed = func(err error) { t.end(fmt.Errorf("%w: ids cannot be looked up: %w", ErrClosed, err)) }
		l.ids, l.shelf = s, s
	}
	return nil
}

// resume returns the position from which the journal is to be replayed: start,
// or a later one when the store knows everything below that matters. That is
// never above the metadata's replay start, as a command that is not committed
// must be judged by all of its records.
func (l *Ledger) resume(ctx context.Context, start int64) (int64, error) {
	if l.shelf == nil {
		return start, nil
	}
	c, ok := l.shelf.readClaim()
	if ok {
		var err error
		if ok, err = l.holds(ctx, &c, start); err != nil {
			return 0, err
		}
	}
	if !ok {
		l.shelf.clear()
		return start, l.tenure.alive()
	}
	l.shelf.load()
	for i := range c.Stories {
		if s := c.Stories[i].story(); s.ref.Offset < l.start {
			l.stories[s.ref.Offset] = s
		}
	}
	return min(c.Position, l.previous.Replay), l.tenure.alive()
}

// holds reports whether a claim is about this journal as it is now.
func (l *Ledger) holds(ctx context.Context, c *claim, start int64) (bool, error) {
	if !l.known || c.Identity != l.tenure.identity || c.Position < start || c.Position > l.base || c.Witness < start || c.Witness >= l.base {
		return false, nil
	}
	rec, err := l.recordAt(ctx, c.Witness)
	var (
		batch *kafkaio.BatchError
		out   *kafkaio.OutOfRangeError
	)
	switch {
	case errors.Is(err, errGone), errors.As(err, &batch), errors.As(err, &out):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("journal: witness of the local store: %w", err)
	}
	if sha256.Sum256(rec.Value) != c.Sum {
		return false, nil
	}
	l.newest = spot{c.Witness, rec.Value}
	return true, nil
}

// forgetAll undoes a replay, and what the store added to it.
func (l *Ledger) forgetAll() {
	l.shelf.clear()
	l.forget()
}

// claim tells the store how far it is complete, and lets it write that down.
func (t *Tenure) claim() {
	for _, l := range t.ledgers {
		l.claim()
	}
	if t.config.Store != nil {
		t.config.Store.Flush()
	}
}

func (l *Ledger) claim() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.halted != nil {
		return
	}
	l.ids.sweep(l.watermark)
	l.sweepStories()
	if l.shelf == nil || l.newest.value == nil {
		return
	}
	c := claim{
		Identity: l.tenure.identity, Position: l.resumed,
		Witness: l.newest.at, Sum: sha256.Sum256(l.newest.value),
	}
	for _, s := range l.stories {
		if s.ref.Offset < l.watermark {
			c.Stories = append(c.Stories, s.save())
		}
	}
	l.shelf.writeClaim(&c)
}
