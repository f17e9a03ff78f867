package evidence

import (
	"strings"
	"sync"
	"time"

	"smsbridge/codec/wire"
	"smsbridge/connector/journal"
)

// Slack is how far a sendid's time may lie outside of its attempt: half of it for
// the clocks of the provider and of ours (they stamp the sendid, we the attempt),
// half for a request that waits at the provider after we gave it up. It costs
// little: two doubts about one number must be that near to hinder each other.
const Slack = 2 * time.Minute

// mostNumbers bounds what an Index keeps, about 20 MB. Doubts are few: a line
// whose submits remain unanswered is held.
const mostNumbers = 200_000

// Index is what a correlator keeps of the doubts topic. It is safe for many
// goroutines.
type Index struct {
	commands string
	deadline time.Duration

	mu       sync.Mutex
	settled  []time.Time // by command partition
	byNumber map[Number][]*candidate
	byPart   map[partKey]*candidate
	numbers  int       // kept, over all doubts
	blind    time.Time // up to here a doubt may be missing
	swept    time.Time
}

type partKey struct {
	partition int
	ref       journal.Ref
	part      int
}

// candidate is a doubt, and the sendid that was found to be its.
type candidate struct {
	Doubt
	sendid string
}

// NewIndex makes an empty Index of the doubts about a command topic with so many
// partitions. No report comes later than the deadline after its submit.
func NewIndex(commands string, partitions int, deadline time.Duration) *Index {
	return &Index{
		commands: commands, deadline: deadline, settled: make([]time.Time, partitions),
		byNumber: make(map[Number][]*candidate), byPart: make(map[partKey]*candidate),
	}
}

// Expect says how many partitions the command topic has by now. Of one that was
// added nothing is settled.
func (x *Index) Expect(partitions int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for len(x.settled) < partitions {
		x.settled = append(x.settled, time.Time{})
	}
}

// Read takes up the value of a record. An error is for the log: what could not be
// read may be the one doubt that matters, so nothing matches before it would have
// expired.
func (x *Index) Read(now time.Time, value []byte) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.sweep(now)
	r, err := decode(value)
	if err != nil {
		x.miss(now.Add(x.deadline))
		return err
	}
	if r.Topic != x.commands {
		return nil
	}
	if r.Kind == kindSettled {
		for len(x.settled) <= r.Partition && r.Partition < mostPartitions {
			x.settled = append(x.settled, time.Time{})
		}
		if r.Partition < len(x.settled) && r.Until.After(x.settled[r.Partition]) {
			x.settled[r.Partition] = r.Until
		}
		return nil
	}
	d, err := r.doubt()
	if err != nil {
		x.miss(now.Add(x.deadline))
		return err
	}
	x.add(now, d)
	return nil
}

// mostPartitions bounds what a broken record may claim.
const mostPartitions = 100_000

// miss: a doubt that is not kept may concern sendids up to a time.
func (x *Index) miss(until time.Time) {
	if until.After(x.blind) {
		x.blind = until
	}
}

func (x *Index) add(now time.Time, d *Doubt) {
	if x.expired(now, d) {
		return
	}
	key := partKey{d.Partition, d.Ref, d.Part}
	if c := x.byPart[key]; c != nil { // told again, perhaps by the next owner, or after another attempt
		c.widen(d)
		return
	}
	if x.numbers+len(d.Numbers) > mostNumbers {
		x.miss(x.end(d))
		return
	}
	c := &candidate{Doubt: *d}
	x.byPart[key] = c
	x.numbers += len(d.Numbers)
	for _, n := range d.Numbers {
		x.byNumber[n] = append(x.byNumber[n], c)
	}
}

func (c *candidate) widen(d *Doubt) {
	if d.From.Before(c.From) {
		c.From = d.From
	}
	if c.Until.IsZero() || d.Until.IsZero() {
		c.Until = time.Time{}
	} else if d.Until.After(c.Until) {
		c.Until = d.Until
	}
}

// end is when the last attempt ended. Where nobody saw it, it did before the
// deadline: the provider drops a connection that says nothing for so long.
func (x *Index) end(d *Doubt) time.Time {
	if d.Until.IsZero() {
		return d.From.Add(x.deadline)
	}
	return d.Until
}

// expired: no sendid that is asked about can be the doubt's.
func (x *Index) expired(now time.Time, d *Doubt) bool {
	return x.end(d).Add(Slack).Before(now.Add(-x.deadline))
}

// Match returns the doubt that a sendid must be of, when a report names it with
// the number. It returns none when there is no such doubt, or another one that it
// could be of as well. What the caller must see to stands in the package's
// documentation.
func (x *Index) Match(now time.Time, sendid string, number Number) (Doubt, bool) {
	sendid = strings.TrimSpace(sendid)
	taken, ok := wire.SendIDTime(sendid)
	if !ok || taken.Before(now.Add(-x.deadline)) { // doubts of that time may be forgotten
		return Doubt{}, false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if !taken.After(x.blind.Add(Slack)) && !x.blind.IsZero() || !x.settledBeyond(taken.Add(Slack)) {
		return Doubt{}, false
	}
	var only *candidate
	for _, c := range x.byNumber[number] {
		if taken.Before(c.From.Add(-Slack)) || taken.After(x.end(&c.Doubt).Add(Slack)) || c == only {
			continue
		}
		if only != nil {
			return Doubt{}, false
		}
		only = c
	}
	if only == nil || only.sendid != "" && only.sendid != sendid {
		return Doubt{}, false
	}
	only.sendid = sendid
	return only.Doubt, true
}

// settledBeyond reports whether nothing that began up to a time is open in any
// partition.
func (x *Index) settledBeyond(at time.Time) bool {
	for _, until := range x.settled {
		if !until.After(at) {
			return false
		}
	}
	return len(x.settled) > 0
}

// sweepPause: looking at all doubts costs as much as taking them up once more.
const sweepPause = time.Minute

func (x *Index) sweep(now time.Time) {
	if now.Sub(x.swept) < sweepPause {
		return
	}
	x.swept = now
	for key, c := range x.byPart {
		if !x.expired(now, &c.Doubt) {
			continue
		}
		delete(x.byPart, key)
		x.numbers -= len(c.Numbers)
		for _, n := range c.Numbers {
			x.drop(n, c)
		}
	}
}

func (x *Index) drop(n Number, gone *candidate) {
	list := x.byNumber[n]
	kept := list[:0]
	for _, c := range list {
		if c != gone {
			kept = append(kept, c)
		}
	}
	if len(kept) == 0 {
		delete(x.byNumber, n)
		return
	}
	clear(list[len(kept):])
	x.byNumber[n] = kept
}
