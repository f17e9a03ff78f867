package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/connector/kafkaio"
	"smsbridge/connector/submit"
)

// Ledger is the journal of one partition, while it is ours.
type Ledger struct {
	tenure    *Tenure
	partition int
	halted    *Halt // set by the take-over

	// Set by the take-over.
	start    int64 // committed offset
	found    kafkaio.Committed
	previous metadata // of the commit that was found
	known    bool     // previous was found and is not stale
	newer    error    // the metadata is of a newer version
	decided  decisions
	base     int64          // the journal's end when we listed it
	unsent   []unsentIntent // others' open intents that were never fenced

	mu        sync.Mutex
	dirty     bool
	watermark int64
	acked     int64 // our records below are durable
	fenced    int64
	resumed   int64     // replay start of the last commit that succeeded
	lease     time.Time // when the last commit that succeeded was sent
	permits   int       // not yet released or done
	waiting   []*waiter // for a fence, by position
	firsts    []first   // first records of offsets that may be open, by position
	ids       store
	shelf     *shelf                    // ids, where they are on disk; else nil
	newest    spot                      // the newest record of the journal that we know
	stories   map[int64]*story          // by offset: what is not at its end, or may be revised
	unsettled map[int64]time.Time       // by offset: when the first attempt began whose result is not published
	underWay  map[idHash]int64          // lowest offset at which an id is being worked on
	published offsets                   // those at or above the watermark whose result is published
	answers   map[int64]kafkaio.Message // results that are to be published again, by position; read at the take-over
	tail      tail
}

// unsentIntent is an intent that cannot have been submitted.
type unsentIntent struct {
	ref Ref
	at  int64
}

// first is the first record of a command in the journal.
type first struct{ at, offset int64 }

// waiter waits for a fence over a position.
type waiter struct {
	at    int64
	ready chan error // of size 1: told once, by whoever holds the lock
}

func newLedger(t *Tenure, partition int) *Ledger {
	return &Ledger{
		tenure: t, partition: partition,
		ids: newMemory(t.config.Window), stories: make(map[int64]*story), underWay: make(map[idHash]int64),
		unsettled: make(map[int64]time.Time),
		answers:   make(map[int64]kafkaio.Message),
	}
}

// Halted says why the partition must not be worked on, nil if it may.
func (l *Ledger) Halted() error {
	if l.halted == nil {
		return nil // not a nil pointer in an error
	}
	return l.halted
}

// Start is the committed offset: where fetching begins.
func (l *Ledger) Start() int64 { return l.start }

// Advance says that every record below the watermark has its result published.
// It is committed with the next commit.
func (l *Ledger) Advance(watermark int64) {
	l.mu.Lock()
	moved := watermark > l.watermark
	if moved {
		l.published.move(l.watermark, watermark)
		l.watermark, l.dirty = watermark, true
	}
	l.mu.Unlock()
	if moved {
		l.tenure.poke()
	}
}

// Published says that the result of a command is published. While an earlier
// command waits, its offset cannot be committed; then the next commit says so.
func (l *Ledger) Published(offset int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.published.add(l.watermark, offset)
	delete(l.unsettled, offset)
	l.dirty = true // with whatever else is committed, at the latest by Close
}

// Kind of a Verdict.
type Kind uint8

const (
	// Fresh says that nothing of it was or may have been submitted.
	Fresh Kind = iota
	// Answered says that it has its final done; that same result is to be published again.
	Answered
	// Settled says that its result is published already; nothing is left to do.
	Settled
	// Repeat says that its id bars it; First is the other one.
	Repeat
	// Begun says that others left it under way; History goes to submit.
	Begun
	// Lost says that what the journal knew of it may be lost, which an operator
	// accepted: it is told as unknown and never submitted.
	Lost
)

// Judge says what is known of a command. It must be asked for every command in
// the order of offsets, and before anything is done about it. It does no I/O.
func (l *Ledger) Judge(ref Ref) Verdict {
	id := hashID(ref.ID)
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stories[ref.Offset]
	if s != nil && s.ref != ref {
		s = nil // of a topic that was made anew
	}
	if e, ok := l.ids.get(id, ref.Offset); ok && e.fingerprint == ref.Fingerprint {
		if l.known && l.previous.Told.has(l.start, ref.Offset) {
			return Verdict{Kind: Settled}
		}
		return Verdict{Kind: Answered, done: e.done}
	}
	if s != nil && s.tried() {
		l.begin(id, ref.Offset)
		if l.decided.lost(ref.Offset) {
			return Verdict{Kind: Lost}
		}
		_, inferred := s.submissions()
		return Verdict{Kind: Begun, History: s.history(), Inferred: inferred}
	}
	if first, ok := l.repeats(id, ref); ok {
		return Verdict{Kind: Repeat, First: first}
	}
	l.begin(id, ref.Offset)
	if l.decided.lost(ref.Offset) {
		return Verdict{Kind: Lost}
	}
	return Verdict{Kind: Fresh}
}

func (l *Ledger) begin(id idHash, offset int64) {
	if at, ok := l.underWay[id]; !ok || offset < at {
		l.underWay[id] = offset
	}
}

// repeats looks for another command with the same id that bars this one.
func (l *Ledger) repeats(id idHash, ref Ref) (sms.First, bool) {
	first := sms.First{Position: sms.Position{Topic: l.tenure.config.Commands, Partition: l.partition}}
	// An id that was made from its place is that of another record only after the
	// topic was made anew: then it says nothing.
	if ref.ID == fmt.Sprintf("%s:%d:%d", l.tenure.config.Commands, l.partition, ref.Offset) {
		return first, false
	}
	if at, ok := l.underWay[id]; ok && at != ref.Offset {
		first.Offset = at
		return first, true
	}
	if e, ok := l.ids.first(id, ref.Offset); ok {
		first.Offset, first.Status = e.offset, e.status
		return first, true
	}
	// At the same offset, but with another content: of a topic made anew.
	if e, ok := l.ids.get(id, ref.Offset); ok && e.bars() {
		first.Offset, first.Status = e.offset, e.status
		return first, true
	}
	return first, false
}

// Verdict is what Judge says.
type Verdict struct {
	Kind    Kind
	First   sms.First      // of a Repeat; Status is empty while that one is under way
	History submit.History // of one Begun
	// Inferred are the parts in History whose outcome nobody was told: a report is
	// the evidence.
	Inferred []int

	done int64
}

// Final is the outcome of a command.
type Final struct {
	Status      sms.Status
	Revision    int
	Submissions []sms.Submission
	Message     kafkaio.Message // the result, as it is published
	// Shorter is the result with its first so many cuts made, for where the journal
	// does not take it whole; false when there are no more. It may be nil.
	Shorter func(cuts int) (kafkaio.Message, bool)
}

// Finish makes a command's outcome durable, with its result, and returns when
// the result may be published. Every result is preceded by it: else a clock
// step or another configuration decides anew after a crash. g is the command's
// Guard, nil if it had none. An error means that nothing may be published: the
// next owner decides.
func (l *Ledger) Finish(ctx context.Context, ref Ref, g *Guard, f Final) error {
	r := l.record(final, ref)
	r.status, r.revision, r.message = f.Status, f.Revision, f.Message
	for i := range f.Submissions {
		if s := &f.Submissions[i]; mayBeAccepted(s.Status) {
			r.sent = append(r.sent, s.Part)
		}
	}
	if g != nil {
		g.attach(&r)
	}
	if l.decided.lost(ref.Offset) {
		r.sent = append(r.sent, l.sentParts(ref)...)
	}
	err := l.finish(ctx, &r)
	for cuts := 1; errors.Is(err, kafkaio.ErrTooLarge); cuts++ {
		shorter, ok := kafkaio.Message{}, false
		if f.Shorter != nil {
			shorter, ok = f.Shorter(cuts)
		}
		if !ok {
			l.writeFact(&r) // the outcome that the final done would have carried
			return err
		}
		r.message = shorter
		err = l.finish(ctx, &r)
	}
	return err
}

// mayBeAccepted: a part told as rejected is not among what a final done accounts
// for, as that says nothing of a successor's attempt.
func mayBeAccepted(s sms.Status) bool {
	return s == sms.Accepted || s == sms.PartiallyAccepted || s == sms.Unknown
}

func (l *Ledger) record(k kind, ref Ref) record {
	return record{
		kind: k, owner: l.tenure.owner, gen: l.tenure.gen.ID(), group: l.tenure.config.Group, ref: ref, names: -1,
	}
}

// send writes a record and tells acked where it stands. acked runs in the
// producer's goroutine, under the ledger's lock, in the order of positions.
func (l *Ledger) send(r *record, acked func(at int64, err error)) {
	messages := []kafkaio.Message{{Topic: l.tenure.config.Topic, Partition: l.partition, Value: r.encode(make([]byte, 0, 256+len(r.message.Value)))}}
	about := *r // the caller's may change once we return
	about.message = kafkaio.Message{}
	l.tenure.writing(1)
	l.post(messages, func(acks []kafkaio.Ack, err error) {
		defer l.tenure.writing(-1) // after whatever acked writes in its turn
		if err == nil && acks[0].Offset < 0 && (about.kind == intent || about.kind == final) {
			// It is durable, and nobody knows where: taken for a position, -1 would
			// lie below every fence. A take-over finds its place.
			err = errPlaceless
		}
		if err != nil && (!errors.Is(err, kafkaio.ErrTooLarge) || errors.Is(err, kafkaio.ErrUndecided)) { // else it is this record's fault alone
			// The producer gives nothing up before it is closed: the process is
			// at its end, or Kafka refuses our writes for good.
			l.tenure.end(fmt.Errorf("%w: %w", ErrClosed, err))
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if err != nil {
			acked(-1, err)
			return
		}
		at := acks[0].Offset
		if at >= 0 {
			l.noteAck(&about, at)
			l.newest = spot{at, messages[0].Value}
		}
		acked(at, nil)
	})
}

// errPlaceless says that a record is in the journal and the broker no longer
// knows where (code 46).
var errPlaceless = errors.New("journal: the place of a record is not known")

// post writes messages, and again while the producer's buffer is full: then
// nothing was written. Others' records may overtake the ones that wait; that
// costs a doubt if the process dies meanwhile, never a second text, as what
// counts is the position that a release or an outcome names.
func (l *Ledger) post(messages []kafkaio.Message, done func([]kafkaio.Ack, error)) {
	l.tenure.config.Producer.Send(messages, func(acks []kafkaio.Ack, err error) {
		if errors.Is(err, kafkaio.ErrOverloaded) {
			time.AfterFunc(againAfter, func() { l.post(messages, done) })
			return
		}
		done(acks, err)
	})
}

// noteAck: a record of ours stands at a position. The caller holds the lock.
func (l *Ledger) noteAck(r *record, at int64) {
	l.acked = max(l.acked, at+1)
	if l.tail.own(at); l.tail.from < l.tail.to {
		l.tenure.gap()
	}
	if r.ref.Offset >= l.watermark {
		l.firsts = append(l.firsts, first{at: at, offset: r.ref.Offset})
	}
	s := l.stories[r.ref.Offset]
	if r.kind == intent && (s == nil || s.ref != r.ref) {
		s = &story{ref: r.ref}
		l.stories[r.ref.Offset] = s
	}
	if s != nil && s.ref == r.ref {
		s.add(r, at)
		l.noteAttempt(r, s)
	} else {
		s = nil
	}
	if r.kind == final {
		l.remember(r, at, s)
	}
}

// remember takes up a final done of ours. The caller holds the lock.
func (l *Ledger) remember(r *record, at int64, s *story) {
	id := hashID(r.ref.ID)
	l.ids.put(id, entry{
		offset: r.ref.Offset, fingerprint: r.ref.Fingerprint, status: r.status, revision: r.revision, at: time.Now(), done: at,
	})
	if l.underWay[id] == r.ref.Offset {
		delete(l.underWay, id)
	}
	switch {
	case s == nil:
	case r.status != sms.Unknown:
		delete(l.stories, r.ref.Offset)
	case s.resolved(): // the answer came while the verdict was on its way
		l.revise(s, at)
	}
}

// write writes a record and waits until it is durable.
func (l *Ledger) write(ctx context.Context, r *record) (int64, error) {
	type answer struct {
		at  int64
		err error
	}
	durable := make(chan answer, 1) // told once, and nobody may be there to hear it
	l.send(r, func(at int64, err error) { durable <- answer{at, err} })
	select {
	case a := <-durable:
		return a.at, a.err
	case <-ctx.Done():
		return -1, context.Cause(ctx)
	}
}

// writeFact writes down what came of an attempt when the final done that would
// have carried it may not be written any more. Nobody waits for it.
func (l *Ledger) writeFact(r *record) {
	if r.names < 0 {
		return
	}
	fact := *r
	fact.kind, fact.message = done, kafkaio.Message{}
	l.send(&fact, func(int64, error) {})
}

// awaitFence waits until a commit covers a position.
func (l *Ledger) awaitFence(ctx context.Context, at int64) error {
	w := &waiter{at: at, ready: make(chan error, 1)}
	l.mu.Lock()
	if at < l.fenced {
		l.mu.Unlock()
		return nil
	}
	l.queue(w)
	l.mu.Unlock()
	l.tenure.poke()
	select {
	case err := <-w.ready:
		return err
	case <-l.tenure.ended:
		return l.tenure.alive()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// queue adds a waiter and asks for a commit. The caller holds the lock.
func (l *Ledger) queue(w *waiter) {
	l.dirty = true
	i := len(l.waiting)
	for i > 0 && l.waiting[i-1].at > w.at {
		i--
	}
	l.waiting = slices.Insert(l.waiting, i, w)
}
