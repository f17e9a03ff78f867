package evidence

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"smsbridge/codec/wire"
	"smsbridge/connector/journal"
)

var histories = flag.Int("histories", 10_000, "random histories of submits and reports")

const (
	testTopic    = "sms.commands"
	testDeadline = 24 * time.Hour
)

// attempt is one request to the provider, with the truth about it.
type attempt struct {
	partition  int
	ref        journal.Ref
	numbers    []int
	begun, end time.Duration // by the clock of its process; end -1: it died
	sendid     string        // empty: the provider never had it
	answered   bool          // the sendid was read
	told       time.Duration // when sent or doubt is in Kafka
	repeated   bool          // the doubt is told once more, by the next owner
}

// history is a random world: a few phones, commands of many partitions to them,
// answers that are lost, processes that die or freeze, and clocks that differ.
type history struct {
	rng        *rand.Rand
	start      time.Time
	partitions int
	attempts   []*attempt
	index      *Index
	inferred   int
	lines      []string
}

func (h *history) upTo(d time.Duration) time.Duration { return time.Duration(h.rng.Int64N(int64(d))) }

func (h *history) one(in int) bool { return h.rng.IntN(in) == 0 }

func newHistory(seed uint64, attempts int) *history {
	h := &history{
		rng: rand.New(rand.NewPCG(seed, uint64(attempts))), start: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), partitions: 1,
	}
	h.partitions += h.rng.IntN(3)
	h.index = NewIndex(testTopic, h.partitions, testDeadline)
	span := []time.Duration{time.Minute, 10 * time.Minute, 2 * time.Hour}[h.rng.IntN(3)]
	for i := range attempts {
		h.attempts = append(h.attempts, h.attempt(i, span))
	}
	return h
}

// attempt draws one. Clocks differ by half of Slack at the most, and the provider
// keeps a request for the other half.
func (h *history) attempt(i int, span time.Duration) *attempt {
	a := &attempt{partition: h.rng.IntN(h.partitions), ref: journal.Ref{Offset: int64(i), ID: fmt.Sprint("c", i)}, numbers: []int{h.rng.IntN(2)}}
	if h.one(4) {
		a.numbers = []int{0, 1}
	}
	began := h.upTo(span)
	ended := began + h.upTo(30*time.Second)
	if n := len(h.attempts); n > 0 && h.one(4) && !h.attempts[n-1].answered && h.attempts[n-1].end >= 0 {
		last := h.attempts[n-1] // its part is sent once more
		a.partition, a.ref, a.numbers = last.partition, last.ref, last.numbers
		began = last.end + h.upTo(time.Minute)
		ended = began + h.upTo(30*time.Second)
	}
	taken := began + h.upTo(ended-began+Slack/2)
	dead := h.one(4)
	if dead && h.one(2) { // it froze, and went on
		taken += h.upTo(3 * time.Hour)
	}
	if !h.one(3) {
		clock := h.upTo(Slack) - Slack/2 // of the provider, seen from ours
		a.sendid = sendid(h.start.Add(taken+clock), i, h.one(8))
		a.answered = !dead && h.one(2)
	}
	a.begun, a.end = began, ended
	a.told = max(ended, taken) + h.upTo(time.Minute)
	if dead {
		a.end = -1
		a.told = ended + h.upTo(time.Minute)
	}
	if h.one(4) { // its partition is taken over late
		a.told += h.upTo(5 * time.Hour)
	}
	a.repeated = h.one(4)
	return a
}

// sendid begins with a time, of which some leave out the milliseconds.
func sendid(at time.Time, n int, short bool) string {
	if short {
		return at.In(wire.Zone).Format("20060102150405") + fmt.Sprintf("%02d", n)
	}
	return strings.Replace(at.In(wire.Zone).Format("20060102150405.000"), ".", "", 1) + fmt.Sprintf("%06d", n)
}

type event struct {
	at time.Duration
	do func(now time.Time) error
}

// run plays the history and returns what is wrong with what was inferred.
func (h *history) run() error {
	var events []event
	add := func(at time.Duration, do func(now time.Time) error) { events = append(events, event{at, do}) }
	for _, a := range h.attempts {
		if !a.answered {
			add(a.told, func(now time.Time) error { return h.tell(now, a) })
			if a.repeated {
				add(a.told+h.upTo(time.Hour), func(now time.Time) error { return h.tell(now, a) })
			}
		}
		if a.sendid == "" {
			continue
		}
		first := a.begun + h.upTo(time.Hour)
		for range 3 {
			add(first, func(now time.Time) error { return h.ask(now, a) })
			first += h.upTo(6 * time.Hour)
		}
	}
	for p := range h.partitions {
		for at := time.Duration(0); at < 12*time.Hour; at += 10*time.Minute + h.upTo(time.Hour) {
			add(at, func(now time.Time) error { return h.settle(now, p) })
		}
	}
	slices.SortStableFunc(events, func(a, b event) int { return int(a.at - b.at) })
	for _, e := range events {
		if err := e.do(h.start.Add(e.at)); err != nil {
			return err
		}
	}
	return nil
}

func (h *history) say(now time.Time, format string, args ...any) {
	h.lines = append(h.lines, now.Sub(h.start).Round(time.Millisecond).String()+" "+fmt.Sprintf(format, args...))
}

func (h *history) tell(now time.Time, a *attempt) error {
	d := &Doubt{Topic: testTopic, Partition: a.partition, Ref: a.ref, Last: len(a.numbers) - 1, From: h.start.Add(a.begun)}
	if a.end >= 0 {
		d.Until = h.start.Add(a.end)
	}
	for _, n := range a.numbers {
		d.Numbers = append(d.Numbers, number(n))
	}
	h.say(now, "doubt about %s, numbers %v, begun %v, ended %v", a.ref.ID, a.numbers, a.begun, a.end)
	return h.index.Read(now, DoubtRecord("sms.bridge.doubts", d).Value)
}

// settle tells what an owner would: when the first attempt began of which nothing
// is in Kafka yet, else now. Its own attempts may begin at once.
func (h *history) settle(now time.Time, partition int) error {
	until := now
	for _, a := range h.attempts {
		if began := h.start.Add(a.begun); a.partition == partition && h.start.Add(a.told).After(now) && began.Before(until) {
			until = began
		}
	}
	h.say(now, "partition %d settled up to %v", partition, until.Sub(h.start))
	return h.index.Read(now, SettledRecord("sms.bridge.doubts", testTopic, partition, until).Value)
}

// ask is a report, once its sendid is there to be reported, for one of the numbers.
func (h *history) ask(now time.Time, a *attempt) error {
	if taken, _ := wire.SendIDTime(a.sendid); now.Before(taken.Add(Slack)) || a.answered && !now.Before(h.start.Add(a.told)) {
		return nil // not yet, or known
	}
	n := a.numbers[h.rng.IntN(len(a.numbers))]
	d, ok := h.index.Match(now, a.sendid, number(n))
	h.say(now, "report of %s (truly %s's) for number %d: %v %s", a.sendid, a.ref.ID, n, ok, d.Ref.ID)
	if !ok {
		return nil
	}
	if d.Ref != a.ref || d.Partition != a.partition || a.answered {
		return fmt.Errorf("sendid %s is %s's, answered %v, and was inferred to be %s's", a.sendid, a.ref.ID, a.answered, d.Ref.ID)
	}
	h.inferred++
	return nil
}

func number(n int) Number { return NumberOf([]byte("key"), fmt.Sprint("1380000000", n)) }

// TestNothingIsEverInferredWrongly plays small histories before larger ones, so
// that the first one that is wrong is as small as one that is.
func TestNothingIsEverInferredWrongly(t *testing.T) {
	t.Parallel()
	inferred := 0
	const sizes = 12
	for size := 2; size < 2+sizes; size++ {
		for seed := range uint64(*histories / sizes) {
			h := newHistory(seed, size)
			if err := h.run(); err != nil {
				t.Fatalf("%v\n%d attempts, seed %d\n%s", err, size, seed, strings.Join(h.lines, "\n"))
			}
			inferred += h.inferred
		}
	}
	if inferred < *histories/4 {
		t.Errorf("only %d reports found their doubt in %d histories", inferred, *histories)
	}
	t.Logf("%d reports found their doubt", inferred)
}
