package journal

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"smsbridge/codec/sms"
	"smsbridge/connector/kafkaio"
)

const (
	chaosPartitions = 2
	chaosCommands   = 6
)

var (
	seeds    = flag.Uint64("seeds", 400, "random runs of the real code")
	fromSeed = flag.Uint64("from-seed", 0, "the first of them")
)

// chaos plays the real code against random faults: processes die at named
// points, freeze, lose answers of commits that come into force late, and are
// succeeded while they still work.
type chaos struct {
	*cluster
	t        *testing.T
	mu       sync.Mutex
	rng      *rand.Rand
	commands [chaosPartitions][]Ref
	resend   map[Ref]bool
	outcomes map[Ref][]sms.Status // what the provider did, in order
	flags    map[Ref][]bool
	disks    []*vfs.MemFS
	calm     atomic.Bool // no more faults
	at       map[Ref]int // partition
}

func (c *chaos) n(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rng.IntN(n)
}

func (c *chaos) one(in int) bool { return c.n(in) == 0 }

func newChaos(t *testing.T, seed uint64) *chaos {
	t.Helper()
	c := &chaos{
		cluster: newCluster(), t: t, rng: rand.New(rand.NewPCG(seed, 1)),
		resend: map[Ref]bool{}, outcomes: map[Ref][]sms.Status{}, flags: map[Ref][]bool{}, at: map[Ref]int{},
	}
	for p := range chaosPartitions {
		for o := range chaosCommands {
			id := fmt.Sprintf("p%d-%d", p, o)
			if o > 0 && c.one(4) {
				id = c.commands[p][c.n(o)].ID
			}
			ref := Ref{Offset: int64(o), ID: id, Fingerprint: FingerprintOf(nil, fmt.Append(nil, p, o))}
			c.commands[p] = append(c.commands[p], ref)
			c.resend[ref], c.at[ref] = c.one(3), p
		}
	}
	return c
}

var crashPoints = []point{
	afterRead, afterList, afterReplay, afterReleases, afterTakeOver, beforeIntent, afterIntent, beforeFence, afterFence,
	afterPermit, beforeDone, afterDone, afterFinal, beforeLastCommit,
}

// spawn starts a process with a fate.
func (c *chaos) spawn() *process {
	p := c.process(c.t, c.host())
	p.slow = time.Duration(c.n(8)) * time.Millisecond
	if !c.calm.Load() && c.one(2) {
		p.crashAt = crashPoints[c.n(len(crashPoints))]
		p.times.Store(int32(1 + c.n(4)))
	}
	p.commitFault = func(apply func() error) error {
		time.Sleep(time.Duration(c.n(6)) * time.Millisecond)
		if c.calm.Load() || !c.one(12) {
			return apply()
		}
		switch c.n(3) {
		case 0:
			_ = apply()
		case 1:
			late := time.Duration(c.n(400)) * time.Millisecond
			go func() {
				time.Sleep(late)
				_ = apply()
			}()
		}
		return &kafkaio.CommitUnknown{Err: errors.New("no answer")}
	}
	return p
}

// host gives a process a local store or none: an empty one, or what is left of
// another process's.
func (c *chaos) host() func(*Config) {
	if c.one(4) {
		return nil
	}
	fs := vfs.NewCrashableMem()
	if n := len(c.disks); n > 0 && !c.one(4) {
		fs = c.disks[c.n(n)].CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: c.n(101), RNG: rand.New(rand.NewPCG(uint64(c.n(1<<30)), 2))})
	}
	c.disks = append(c.disks, fs)
	return withStore(memStore(c.t, fs), "here")
}

// serve works on the partitions of one generation.
func (c *chaos) serve(p *process, gen int32, partitions []int) {
	if p.joinAs(gen, partitions...) != nil {
		return
	}
	c.cluster.mu.Lock()
	tenure := p.tenure
	c.cluster.mu.Unlock()
	go c.revise(p, tenure)
	var all sync.WaitGroup
	for _, partition := range partitions {
		l := tenure.Ledger(partition)
		w := &window{ledger: l, done: map[int64]bool{}, next: l.Start()}
		for _, ref := range c.commands[partition][l.Start():] {
			v := l.Judge(ref)
			policy := sms.ReportUnknown
			if c.resend[ref] {
				policy = sms.ResendUnknown
			}
			all.Go(func() {
				for tenure.alive() == nil && p.ctx.Err() == nil {
					if err := p.carry(l, ref, v, policy, c.provider(p), w.finish); err == nil || !errors.Is(err, errNotValid) {
						return
					}
					v.Kind = Fresh // its intent is released
				}
			})
		}
	}
	all.Wait()
	if !c.calm.Load() {
		_ = tenure.Close(p.ctx)
	}
}

func (c *chaos) provider(p *process) answer {
	return func(ref Ref, flagged bool) *sms.Submission {
		p.rest()
		time.Sleep(time.Duration(c.n(40)) * time.Millisecond)
		if c.one(20) && !c.calm.Load() {
			return nil // lost on its way
		}
		s := yes(ref)
		if c.one(8) {
			s = &sms.Submission{Status: sms.Rejected, Reason: sms.ContentRejected, Attempts: 1}
		}
		c.mu.Lock()
		c.outcomes[ref] = append(c.outcomes[ref], s.Status)
		c.flags[ref] = append(c.flags[ref], flagged)
		c.mu.Unlock()
		p.rest()
		if c.one(12) && !c.calm.Load() {
			return nil // its answer is lost
		}
		return s
	}
}

func (c *chaos) revise(p *process, tenure *Tenure) {
	for {
		r, err := tenure.NextRevision(p.ctx)
		if err != nil {
			return
		}
		if r.Finished {
			_ = p.publish(r.Ref, r.Previous)
		} else if p.finish(r.Ledger(), r.Ref, nil, r.Parts[0].Status, r.Number, r.Parts) != nil {
			return
		}
		r.Ledger().Revised(r)
	}
}

// window gives the watermark.
type window struct {
	mu     sync.Mutex
	ledger *Ledger
	done   map[int64]bool
	next   int64
}

func (w *window) finish(offset int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done[offset] = true
	for w.done[w.next] {
		w.next++
	}
	w.ledger.Advance(w.next)
}

func (c *chaos) run() {
	var living []*process
	for range 2 + c.n(6) {
		p := c.spawn()
		if len(living) > 0 && c.one(2) {
			p = living[c.n(len(living))] // the same process joins anew
		} else {
			living = append(living, p)
		}
		partitions := []int{0, 1}
		if c.one(3) {
			partitions = []int{c.n(2)}
		}
		if p.dead.Load() {
			continue
		}
		go c.serve(p, c.generation(), partitions)
		time.Sleep(time.Duration(c.n(250)) * time.Millisecond)
		switch c.n(4) {
		case 0:
			p.die()
		case 1:
			wake := p.freeze()
			asleep := time.Duration(c.n(900)) * time.Millisecond
			go func() {
				time.Sleep(asleep)
				wake()
			}()
		}
		if c.one(12) {
			c.cluster.mu.Lock()
			delete(c.committed, c.rng.IntN(2))
			c.cluster.mu.Unlock()
		}
	}
	c.calm.Store(true)
	last := c.spawn()
	c.serve(last, c.generation(), []int{0, 1})
	time.Sleep(3 * session)
	_ = last.tenure.Close(last.ctx)
}

func (c *chaos) check() {
	c.mu.Lock() // a submit that hangs may end as late as now
	defer c.mu.Unlock()
	told := map[Ref]string{}
	revision := map[Ref]int{}
	for _, r := range c.results {
		var id, status string
		var number int
		if _, err := fmt.Sscan(r.value, &id, &status, &number); err != nil {
			c.t.Fatal(err)
		}
		if number >= revision[r.ref] {
			told[r.ref], revision[r.ref] = status, number
		}
	}
	yesByID := map[string]int{}
	for p := range chaosPartitions {
		if got := c.committed[p].Offset; got != chaosCommands {
			c.t.Errorf("partition %d committed %d of %d", p, got, chaosCommands)
		}
		for _, ref := range c.commands[p] {
			c.checkOne(ref, told[ref])
			if slices.Contains(c.outcomes[ref], sms.Accepted) {
				yesByID[ref.ID]++
			}
		}
	}
	for id, n := range yesByID {
		if n > 1 {
			c.t.Errorf("id %s was sent at %d offsets", id, n)
		}
	}
}

func (c *chaos) checkOne(ref Ref, told string) {
	most := 1
	if c.resend[ref] {
		most = 2
	}
	done := c.outcomes[ref]
	if len(done) > most {
		c.t.Errorf("%+v was submitted %d times", ref, len(done))
	}
	if len(done) == 2 && !c.flags[ref][0] && !c.flags[ref][1] {
		c.t.Errorf("%+v: second submission is not flagged", ref)
	}
	accepted := false
	for _, s := range done {
		accepted = accepted || s == sms.Accepted
	}
	switch {
	case told == "":
		c.t.Errorf("%+v has no result", ref)
	case told == "accepted" && !accepted:
		c.t.Errorf("%+v is told accepted and was not", ref)
	case told != "accepted" && told != "unknown" && accepted:
		c.t.Errorf("%+v is told %s and was accepted", ref, told)
	}
}

// explain prints what the journal and the topic of results say in the end.
func (c *chaos) explain() {
	for p := range chaosPartitions {
		c.t.Logf("partition %d, metadata %s", p, c.committed[p].Metadata)
		for _, rec := range c.logs[p] {
			r, _ := decode(rec.Value)
			c.t.Logf("%s at %d: kind %d owner %x gen %d offset %d names %d came %s final %s revision %d", rec.Time.Format("05.000"),
				rec.Offset, r.kind, r.owner>>48, r.gen, r.ref.Offset, r.names, r.came.Status, r.status, r.revision)
		}
	}
	for _, r := range c.results {
		c.t.Logf("told partition %d offset %d: %s", c.at[r.ref], r.ref.Offset, r.value)
	}
}

func TestRandomFaultsBreakNoPromise(t *testing.T) {
	t.Parallel()
	for seed := *fromSeed; seed < *fromSeed+*seeds; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newChaos(t, seed)
				c.run()
				if c.check(); t.Failed() {
					c.explain()
				}
			})
		})
		if t.Failed() {
			return
		}
	}
}
