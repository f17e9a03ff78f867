package correlate

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// entry is what the sendids topic says of one sendid, up to some position. It
// changes by apply alone, and apply asks neither the clock nor anybody else: every
// correlator that has read as far holds the same entry. What is to be published
// follows from it, so it matters neither who publishes nor how often.
type entry struct {
	sent       json.RawMessage // the first one; nil while the sendid is not known
	recipients int
	due        int64  // deadline, Unix ms
	seen       []hash // recipients with a final report
	missing    int    // without one when the deadline was over; 0: it was not, or nobody is
	closed     bool   // missing was told
	pushes     []parked
}

// parked is a push that came before its sendid was known.
type parked struct {
	offset int64
	digest hash
	at     int64 // when it was first seen, Unix ms
	orphan bool  // it became an orphan before its sendid was known
	// What was published of it:
	toldOrphan, toldMatched bool
}

// rules are the times by which an entry moves on.
type rules struct {
	orphanAfter, deadline time.Duration
}

// apply takes in the next fact. It reports whether there may be something new to
// publish. What contradicts an earlier fact, because it was written by somebody who
// did not know of it yet, is void.
func (e *entry) apply(f *fact, r rules) (work bool) {
	switch f.Kind {
	case kindSent:
		if e.sent != nil {
			return false
		}
		e.sent = f.Sent.append(nil)
		e.expect(f, r)
		return len(e.pushes) > 0
	case kindSeen:
		for _, to := range f.To {
			if e.sent != nil && !slices.Contains(e.seen, to) {
				e.seen = append(e.seen, to)
			}
		}
	case kindOverdue:
		if e.sent == nil || e.missing > 0 {
			return false
		}
		e.missing = e.open()
		return e.missing > 0
	case kindClosed:
		e.closed = e.missing > 0
	default:
		return e.applyPush(f)
	}
	return false
}

// expect says how many reports are to come, and until when. A sent may be written
// once more, by a take-over after a long outage, when the life of its entry is
// over and with it all that was known of its reports. It lets late ones be matched;
// that others did not come it could not say. So that clocks which differ do not
// matter, this begins in the middle of the second deadline.
func (e *entry) expect(f *fact, r rules) {
	from := later(f.Sent.SubmittedAt, f.Sent.SendAt)
	if from.IsZero() {
		from = f.At
	}
	due := from.Add(r.deadline)
	if f.At.Sub(due) > r.deadline/2 {
		e.due = f.At.UnixMilli()
		return
	}
	e.recipients, e.due = f.Sent.Recipients, due.UnixMilli()
}

// applyPush takes in what is about a parked push.
func (e *entry) applyPush(f *fact) (work bool) {
	p := e.push(f.Push)
	switch {
	case f.Kind == kindParked && p == nil:
		e.pushes = append(e.pushes, parked{offset: f.Push, digest: f.Digest, at: f.At.UnixMilli()})
		return e.sent != nil
	case p == nil:
	case f.Kind == kindOrphan && e.sent == nil && !p.orphan:
		p.orphan = true
		return true
	case f.Kind == kindTold && f.Orphan:
		p.toldOrphan = true
	case f.Kind == kindTold:
		p.toldMatched = true
	}
	return false
}

// push returns that of an offset, or nil.
func (e *entry) push(offset int64) *parked {
	i := slices.IndexFunc(e.pushes, func(p parked) bool { return p.offset == offset })
	if i < 0 {
		return nil
	}
	return &e.pushes[i]
}

// revision of the reports of a push with their command: the second one where what
// it says was told as an orphan, even if by another push.
func (e *entry) revision(digest hash) int {
	if slices.ContainsFunc(e.pushes, func(p parked) bool { return p.orphan && p.digest == digest }) {
		return secondRevision
	}
	return firstRevision
}

// open counts the recipients without a final report.
func (e *entry) open() int { return max(0, e.recipients-len(e.seen)) }

// untold reports whether something is to be published.
func (e *entry) untold() bool {
	return e.missing > 0 && !e.closed || slices.ContainsFunc(e.pushes, func(p parked) bool { return e.owes(&p) })
}

// owes reports whether something of a parked push is to be published.
func (e *entry) owes(p *parked) bool { return e.owesOrphan(p) || e.owesMatched(p) }

func (e *entry) owesOrphan(p *parked) bool  { return p.orphan && !p.toldOrphan }
func (e *entry) owesMatched(p *parked) bool { return e.sent != nil && !p.toldMatched }

// waits reports whether a push may still become an orphan.
func (e *entry) waits(p *parked) bool { return e.sent == nil && !p.orphan }

// lives says how many deadlines an entry lives: one in which reports are expected,
// and one more in which late ones still find their command.
const lives = 2

// moment is what the clock does with an entry.
type moment byte

const (
	forget   moment = 'f' // it can no longer matter
	deadline moment = 'd' // who has no final report is missing
	orphaned moment = 'o' // a parked push has waited long enough
)

// next is what the clock has to do with the entry, and when, in Unix ms.
func (e *entry) next(r rules) (int64, moment) {
	if e.sent != nil {
		if e.missing == 0 && e.open() > 0 {
			return e.due, deadline
		}
		return e.due + (lives-1)*r.deadline.Milliseconds(), forget
	}
	var first, last int64
	for i := range e.pushes {
		p := &e.pushes[i]
		last = max(last, p.at)
		if e.waits(p) && (first == 0 || p.at < first) {
			first = p.at
		}
	}
	if first != 0 {
		return first + r.orphanAfter.Milliseconds(), orphaned
	}
	return last + lives*r.deadline.Milliseconds(), forget
}

// waiting counts the pushes that may still become orphans.
func (e *entry) waiting() (n int) {
	for i := range e.pushes {
		if e.waits(&e.pushes[i]) {
			n++
		}
	}
	return n
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// encode writes the entry for the local store.
func (e *entry) encode() []byte {
	b := make([]byte, 0, 32+len(e.sent)+len(e.seen)*len(hash{})+len(e.pushes)*32)
	b = binary.AppendUvarint(b, uint64(len(e.sent)))
	b = append(b, e.sent...)
	b = binary.AppendVarint(b, int64(e.recipients))
	b = binary.AppendVarint(b, e.due)
	b = binary.AppendUvarint(b, uint64(len(e.seen)))
	for _, h := range e.seen {
		b = append(b, h[:]...)
	}
	b = binary.AppendVarint(b, int64(e.missing))
	b = append(b, bits(e.closed, false, false))
	b = binary.AppendUvarint(b, uint64(len(e.pushes)))
	for i := range e.pushes {
		p := &e.pushes[i]
		b = binary.AppendVarint(b, p.offset)
		b = append(b, p.digest[:]...)
		b = binary.AppendVarint(b, p.at)
		b = append(b, bits(p.orphan, p.toldOrphan, p.toldMatched))
	}
	return b
}

func bits(a, b, c bool) (set byte) {
	for i, on := range []bool{a, b, c} {
		if on {
			set |= 1 << i
		}
	}
	return set
}

// decodeEntry reads what encode wrote. The value may be used again afterwards.
func decodeEntry(value []byte) (*entry, error) {
	d := decoder{rest: value}
	e := &entry{}
	if sent := d.take(int(d.uint())); len(sent) > 0 {
		e.sent = slices.Clone(sent)
	}
	e.recipients = int(d.int())
	e.due = d.int()
	for range d.count(len(hash{})) {
		e.seen = append(e.seen, hash(d.take(len(hash{}))))
	}
	e.missing = int(d.int())
	e.closed = d.byte()&1 != 0
	for range d.count(3 + len(hash{})) {
		p := parked{offset: d.int(), digest: hash(d.take(len(hash{}))), at: d.int()}
		set := d.byte()
		p.orphan, p.toldOrphan, p.toldMatched = set&1 != 0, set&2 != 0, set&4 != 0
		e.pushes = append(e.pushes, p)
	}
	if d.bad || len(d.rest) > 0 {
		return nil, errors.New("an entry of the local store cannot be read")
	}
	return e, nil
}

// decoder reads fields one after the other; what is cut short makes it bad.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.rest)
	d.skip(n)
	return v
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.rest)
	d.skip(n)
	return v
}

func (d *decoder) skip(n int) {
	if n <= 0 {
		d.bad, d.rest = true, nil
		return
	}
	d.rest = d.rest[n:]
}

// count of things that take at least size bytes each.
func (d *decoder) count(size int) int {
	n := d.uint()
	if n > uint64(len(d.rest)/size) {
		d.bad, d.rest = true, nil
		return 0
	}
	return int(n)
}

// take returns n bytes, zeros when there are fewer.
func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.rest) {
		d.bad, d.rest = true, nil
		if n < 0 || n > len(hash{}) {
			return nil
		}
		return make([]byte, n)
	}
	taken := d.rest[:n]
	d.rest = d.rest[n:]
	return taken
}

func (d *decoder) byte() byte { return d.take(1)[0] }
