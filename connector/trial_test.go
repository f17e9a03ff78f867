package connector

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"smsbridge/cmd/smslab/trial"
)

var (
	trials    = flag.Uint64("trials", 12, "random runs of whole connectors")
	fromTrial = flag.Uint64("from-trial", 1, "the seed of the first of them")
)

// points are the named places of the journal's order of steps at which a
// connector is killed or frozen.
var points = []string{
	"after_read", "after_list", "after_replay", "after_releases", "after_take_over", "before_intent", "after_intent",
	"before_fence", "after_fence", "after_permit", "before_done", "after_done", "after_final", "before_last_commit",
}

const (
	trialSession  = 6 * time.Second
	trialInFlight = 4
	trialParts    = 2 // partitions of each topic
	trialCommands = 60
	trialLength   = 60 * time.Second // during which commands come and faults strike
)

// theatre is one run: a broker, a provider and connectors on a virtual network,
// in virtual time, with faults that follow from the seed. The moment of a fault
// also depends on the scheduler: the same seed need not give the same run.
type theatre struct {
	t        *testing.T
	network  kfake.VirtualNetwork
	cluster  *kfake.Cluster
	client   *kgo.Client
	calm     atomic.Bool // no more faults
	running  sync.WaitGroup
	struck   *tally
	stateDir string // of all of them: whoever comes back may find what another left
	change   func(*Config)
	swallow  func(url.Values) bool // submits that are carried out and not answered, beside the faults; may be nil

	mu      sync.Mutex
	rng     *rand.Rand
	actors  map[string]*actor
	sendids int
	h       trial.History
}

// tally counts over all runs what was struck where.
type tally struct {
	mu sync.Mutex
	at map[string]int
}

func (c *tally) add(at string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at[at]++
}

func (th *theatre) n(n int) int {
	th.mu.Lock()
	defer th.mu.Unlock()
	return th.rng.IntN(n)
}

func (th *theatre) note(e trial.Event) {
	th.mu.Lock()
	defer th.mu.Unlock()
	th.h.Events = append(th.h.Events, e)
}

// TestWholeConnectorsKeepTheirPromisesWhateverDiesWherever runs whole connectors
// over seeded faults: killed or frozen for longer than their session at any named
// point or while the provider has their request, and a provider that loses,
// resets, delays and refuses. The history is judged by the checker of every tier.
func TestWholeConnectorsKeepTheirPromisesWhateverDiesWherever(t *testing.T) {
	struck := &tally{at: map[string]int{}}
	for seed := *fromTrial; seed < *fromTrial+*trials; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { play(t, seed, struck) })
		})
		if t.Failed() {
			return
		}
	}
	t.Logf("struck: %v", struck.at)
}

func play(t *testing.T, seed uint64, struck *tally) {
	t.Helper()
	th := &theatre{t: t, rng: rand.New(rand.NewPCG(seed, 7)), actors: map[string]*actor{}, struck: struck, stateDir: t.TempDir()}
	th.h.MaxInFlight, th.h.Session, th.h.Ordered = trialInFlight, trialSession, true
	th.raise()
	for i := range 2 + th.n(2) {
		th.enter(fmt.Sprint("i", i), th.fate(seed, i))
	}
	th.h.Connectors = len(th.actors)
	th.produce()
	th.calm.Store(true)
	th.enter("last", nil)
	th.settle()
	th.leave()
	th.read()

	verdict := trial.Check(&th.h)
	if !verdict.OK() {
		var out bytes.Buffer
		verdict.Figures.Print(&out)
		verdict.Print(&out)
		for _, e := range th.h.Events {
			fmt.Fprintf(&out, "%s %s %s %s\n", e.At.Format("04:05.000"), e.Kind, e.Instance, e.Detail)
		}
		t.Errorf("seed %d\n%s", seed, out.String())
	}
	if f := verdict.Figures; f.Answered != len(th.h.Commands) || len(th.h.Submissions) == 0 {
		t.Errorf("%d of %d commands answered after %d submissions", f.Answered, len(th.h.Commands), len(th.h.Submissions))
	}
}

// raise starts the broker and the provider.
func (th *theatre) raise() {
	th.t.Helper()
	var err error
	th.cluster, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(th.network.Listen), kfake.SeedTopics(trialParts, append(testTopics.used(Roles{true, true, true}), testDoubts)...))
	if err != nil {
		th.t.Fatal(err)
	}
	th.client, err = kgo.NewClient(kgo.SeedBrokers(th.cluster.ListenAddrs()...), kgo.Dialer(th.network.DialContext))
	if err != nil {
		th.t.Fatal(err)
	}
	listener, err := th.network.Listen("tcp", "localhost:80")
	if err != nil {
		th.t.Fatal(err)
	}
	th.t.Cleanup(func() {
		listener.Close()
		th.client.Close()
		th.cluster.Close()
	})
	go th.provide(listener)
	stop := make(chan struct{})
	th.t.Cleanup(func() { close(stop) })
	go th.sample(stop)
}

// produce has commands come evenly.
func (th *theatre) produce() {
	th.t.Helper()
	for n := range trialCommands {
		c, value := th.compose(n)
		r := &kgo.Record{Topic: testTopics.Commands, Value: value}
		if c.Key != "" {
			r.Key = []byte(c.Key)
		}
		if err := th.client.ProduceSync(th.t.Context(), r).FirstErr(); err != nil {
			th.t.Fatal(err)
		}
		c.Position, c.At = trial.Position{Partition: r.Partition, Offset: r.Offset}, time.Now()
		th.mu.Lock()
		th.h.Commands = append(th.h.Commands, c)
		th.mu.Unlock()
		time.Sleep(time.Duration(th.n(int(2 * trialLength / trialCommands))))
	}
}

// settle waits until everything is committed, and some time for revisions.
func (th *theatre) settle() {
	for range 600 {
		time.Sleep(500 * time.Millisecond)
		if th.committed() == trialCommands {
			break
		}
	}
	time.Sleep(15 * time.Second)
}

// committed sums up the committed offsets, which begin at 0.
func (th *theatre) committed() int {
	sum := 0
	if g := th.cluster.GroupInfo("g"); g != nil {
		for _, c := range g.Commits[testTopics.Commands] {
			sum += int(c.Offset)
		}
	}
	return sum
}

func (th *theatre) sample(stop chan struct{}) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	last := map[int32]int64{}
	for {
		select {
		case <-tick.C:
		case <-stop:
			return
		}
		g := th.cluster.GroupInfo("g")
		if g == nil {
			continue
		}
		for p, c := range g.Commits[testTopics.Commands] {
			if seen, ok := last[p]; ok && seen == c.Offset {
				continue
			}
			last[p] = c.Offset
			th.mu.Lock()
			th.h.Samples = append(th.h.Samples, trial.Sample{Partition: p, Offset: c.Offset, At: time.Now()})
			th.mu.Unlock()
		}
	}
}

// leave stops the connectors in order and waits for all that ever ran.
func (th *theatre) leave() {
	th.mu.Lock()
	for _, a := range th.actors {
		a.asked.Store(true)
		a.stop()
	}
	th.mu.Unlock()
	th.running.Wait()
	th.h.End = time.Now()
	for _, a := range th.actors {
		a.link.Cut()
	}
}

func (th *theatre) read() {
	th.t.Helper()
	reader, err := kgo.NewClient(kgo.SeedBrokers(th.cluster.ListenAddrs()...), kgo.Dialer(th.network.DialContext),
		kgo.ConsumeTopics(testTopics.Results), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		th.t.Fatal(err)
	}
	defer reader.Close()
	for {
		ctx, cancel := context.WithTimeout(th.t.Context(), 10*time.Second)
		records := reader.PollFetches(ctx).Records()
		cancel()
		if len(records) == 0 {
			return
		}
		for _, r := range records {
			th.h.Results = append(th.h.Results, resultOf(th.t, r))
		}
	}
}
