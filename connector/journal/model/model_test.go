package model

import (
	"flag"
	"fmt"
	"strings"
	"testing"
)

// maxSteps of faults at the most precede the calm that ends a schedule.
const maxSteps = 600

var schedules = flag.Int("schedules", 100_000, "random schedules for each set of rules")

func TestNoScheduleBreaksThePromises(t *testing.T) {
	t.Parallel()
	n := *schedules
	if testing.Short() {
		n /= 10
	}
	if bad, ok := search(rules{}, n); ok {
		t.Fatal(bad)
	}
}

func TestEachMistakeIsFound(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]rules{
		"no fence":                             {NoFence: true},
		"fence before intent":                  {FenceBeforeIntent: true},
		"heartbeat as the fence":               {HeartbeatIsFence: true},
		"unknown fence taken for success":      {UnknownFenceIsSuccess: true},
		"no rejoining after an unknown fence":  {NoRejoinAfterUnknown: true},
		"missing metadata read as position 0":  {MissingMetaIsZero: true},
		"released matched by attempt":          {ReleasedByAttempt: true},
		"result without done":                  {ResultWithoutDone: true},
		"result before done":                   {ResultBeforeDone: true},
		"commit before result":                 {CommitBeforeResult: true},
		"unsent outcome told without a fence":  {DecisionNotFenced: true},
		"late decision hides a doubt":          {DecisionBeatsDoubt: true},
		"journal end listed before joining":    {EndBeforeJoin: true},
		"replay before joining":                {ReplayBeforeJoin: true},
		"acks none":                            {AcksNone: true},
		"repeated ids not looked for":          {NoDedupe: true},
		"replay from the fenced position":      {ReplayFromFence: true},
		"a no after a doubt":                   {RejectedForgetsDoubt: true},
		"resends counted by process":           {NoResendLimit: true},
		"new owner releases nothing":           {NoOwnerReleases: true},
		"fence taken to cover others' intents": {FenceCoversOthers: true},
		"late answers not followed":            {LateDoneIgnored: true},
		"split begun is cut anew":              {SplitAnew: true},
		"work before the take-over's commit":   {WorkBeforeCommit: true},
		"release by one who may be a zombie":   {ReleaseUnconfirmed: true},
		"unanswered submit released":           {ReleaseAfterPost: true},
		"evidence for any part in doubt":       {EvidenceForAnyPart: true},
		"evidence not followed":                {EvidenceIgnored: true},
		"evidence told by who has it":          {EvidenceByNonOwner: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad, ok := search(r, *schedules)
			if !ok {
				t.Fatalf("%d schedules did not show what is wrong with it", *schedules)
			}
			t.Log(bad)
		})
	}
}

// search runs schedules until one breaks, and shrinks that one.
func search(r rules, n int) (counterexample string, found bool) {
	var w world
	tape := make([]uint32, maxSteps)
	for seed := range uint64(n) {
		d := draw(mix(seed ^ 0x5eed))
		steps := maxSteps/4 + d.n(maxSteps*3/4)
		for i := range steps {
			d = draw(mix(uint64(d)))
			tape[i] = uint32(d >> 16)
		}
		if w.run(seed, r, tape[:steps], nil); w.failed != "" {
			return explain(&w, seed, r, tape[:steps]), true
		}
	}
	return "", false
}

func (w *world) run(seed uint64, r rules, tape []uint32, trace *[]string) {
	w.trace = trace
	w.reset(seed, r)
	for _, number := range tape {
		if w.step(number); w.failed != "" {
			return
		}
	}
	w.calmDown()
}

// calmDown ends the faults: late messages arrive, one instance that is awake
// takes over and works to the end; then the frozen ones wake, write what they
// know, and the owner deals with that too.
func (w *world) calmDown() {
	w.calm = true
	d := draw(1)
	for i := range w.commits {
		w.settle(i)
	}
	owner := w.lastOwner(&d)
	w.toTheEnd(owner, &d)
	for i := range w.instances {
		w.freeze(i, false)
	}
	for i := range w.posts {
		if po := &w.posts[i]; !po.executed && !po.dropped {
			w.carryOut(po, false)
		}
	}
	w.toTheEnd(owner, &d)
	if w.failed == "" {
		w.checkEnd()
	}
}

func (w *world) lastOwner(d *draw) int {
	inst := 0
	for inst < maxInstances-1 && w.instances[inst].frozen {
		inst++
	}
	w.freeze(inst, false)
	w.start(inst, d)
	w.gen++
	owner := len(w.sessions)
	w.grow()
	w.sessions[owner].begin(inst, w.gen)
	for p := range w.partitions {
		w.sessions[owner].parts[p].owned = true
	}
	w.say("the faults are over; session %d of instance %d owns everything", owner, inst)
	return owner
}

func (w *world) toTheEnd(owner int, d *draw) {
	for range 40 {
		for i := range w.posts {
			if po := &w.posts[i]; po.sess == owner && !po.executed && !po.dropped {
				w.carryOut(po, false)
			}
		}
		idle := true
		for s := range w.sessions {
			w.sweep(s, d)
			for p := range w.partitions {
				l := &w.sessions[s].parts[p]
				idle = idle && l.sent == len(l.queue)
			}
		}
		if w.failed != "" || idle && w.finished(owner) {
			return
		}
	}
}

func (w *world) sweep(s int, d *draw) {
	if w.sessions[s].gen != w.gen {
		w.sessions[s].lost = true
	}
	for p := range w.partitions {
		l := &w.sessions[s].parts[p]
		if !l.owned {
			continue
		}
		w.takeOver(s, p)
		for off := range w.commands[p] {
			w.work(s, p, off, d)
		}
		for l.sent < len(l.queue) {
			w.append(s, p, d)
		}
		for l.answered < l.sent && w.runs(s) {
			w.ack(s, p)
		}
		for range 4 {
			w.follow(s, p)
		}
	}
	w.issueCommit(s)
	if c := w.sessions[s].commit; c >= 0 {
		w.settle(c)
		w.answerCommit(s, false)
	}
}

func (w *world) finished(owner int) bool {
	for p := range w.partitions {
		l := &w.sessions[owner].parts[p]
		if w.store[p].off != len(w.commands[p]) || (l.tail < len(w.log[p])) || l.sent < len(l.queue) {
			return false
		}
	}
	return true
}

// explain cuts steps out of a breaking schedule as long as it still breaks.
func explain(w *world, seed uint64, r rules, tape []uint32) string {
	tape = append([]uint32(nil), tape...)
	for size := len(tape) / 2; size > 0; {
		cut := false
		for at := 0; at+size <= len(tape); {
			shorter := append(append([]uint32(nil), tape[:at]...), tape[at+size:]...)
			if w.run(seed, r, shorter, nil); w.failed != "" {
				tape, cut = shorter, true
				continue
			}
			at += size
		}
		if !cut || size > len(tape) {
			size /= 2
		}
	}
	var lines []string
	w.run(seed, r, tape, &lines)
	return fmt.Sprintf("seed %d, %d steps\n%v partitions, commands %+v\n%s",
		seed, len(tape), w.partitions, w.commands[:w.partitions], strings.Join(lines, "\n"))
}
