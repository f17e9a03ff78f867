package correlate

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

var (
	histories   = flag.Uint64("histories", 20, "random histories of correlators")
	fromHistory = flag.Uint64("from-history", 1, "the seed of the first of them")
)

const (
	historyOrphans  = 8 * time.Second
	historyDeadline = 50 * time.Second
	historyLength   = 60 * time.Second
	historyParts    = 2
)

// history is one random run: submits that are told late or never, pushes that come
// early, repeatedly or oddly, correlators that are killed or frozen at any point,
// and local stores that lose what was not synced, or everything.
type history struct {
	*stage
	mu    sync.Mutex
	rng   *rand.Rand
	calm  bool
	names int
	subs  map[string]*subject
}

// subject is one sendid, and what came of it outside.
type subject struct {
	recipients int
	submitted  time.Time // zero: never
	known      time.Time // when its sent was written
	pushes     map[string]time.Time
	finals     map[string]time.Time // first final push of each number
}

func (h *history) n(n int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rng.IntN(n)
}

func (h *history) isCalm() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.calm
}

// join starts a correlator that dies or freezes at one point, and is succeeded by
// another with what a crash has left of its store.
func (h *history) join(fs *vfs.MemFS) {
	h.mu.Lock()
	h.names++
	name := fmt.Sprint("c", h.names)
	h.mu.Unlock()
	points := Points()
	at, nth, freeze := points[h.n(len(points))], 1+h.n(6), h.n(4) == 0
	var a *actor
	var once sync.Once
	begun := make(chan struct{})
	a = h.enter(name, func(c *Config) {
		h.rules(c)
		c.StateDir, c.fs = "state", fs
		c.Reached = func(point string) {
			<-begun
			h.mu.Lock()
			strikes := !h.calm && point == at
			if strikes {
				nth--
			}
			strikes = strikes && nth <= 0
			h.mu.Unlock()
			if !strikes {
				return
			}
			once.Do(func() {
				if freeze {
					if thaw, frozen := a.link.Freeze(); frozen {
						time.AfterFunc(testSession+time.Duration(h.n(6000))*time.Millisecond, thaw)
					}
					return
				}
				a.kill()
				h.running.Go(func() { h.succeed(fs) })
			})
		}
	})
	close(begun)
}

func (h *history) succeed(fs *vfs.MemFS) {
	after := time.Duration(h.n(3000)) * time.Millisecond
	left := vfs.NewCrashableMem() // the folder was deleted
	if h.n(3) > 0 {
		h.mu.Lock()
		left = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: h.rng})
		h.mu.Unlock()
	}
	time.Sleep(after)
	if !h.isCalm() {
		h.join(left)
	}
}

func (h *history) rules(c *Config) {
	c.OrphanAfter, c.ReportDeadline = historyOrphans, historyDeadline
}

// plan draws what happens outside, as moments in the order of time.
func (h *history) plan() (todo []func()) {
	type moment struct {
		at time.Duration
		do func()
	}
	var moments []moment
	for i := range 12 {
		sendid := fmt.Sprintf("20260101%04d", i)
		sub := &subject{recipients: 1 + h.n(3), pushes: map[string]time.Time{}, finals: map[string]time.Time{}}
		h.subs[sendid] = sub
		submit := time.Duration(h.n(int(historyLength)))
		if h.n(5) > 0 {
			moments = append(moments, moment{submit, func() {
				sub.submitted = time.Now()
				h.submitted(sendid, sub.recipients, nil)
				sub.known = time.Now()
				if h.n(5) == 0 {
					h.submitted(sendid, sub.recipients, nil) // redone at a take-over
				}
			}})
		}
		for range h.n(7) {
			at := submit + time.Duration(h.n(int(historyLength/2))) - historyLength/8
			state := []string{"DELIVRD", "DELIVRD", "UNDELIV", "UNKNOWN", "ID:0141"}[h.n(5)]
			var mobiles []string
			for m := range 1 + h.n(sub.recipients) {
				mobiles = append(mobiles, fmt.Sprintf("1380000000%d", m))
			}
			moments = append(moments, moment{max(0, at), func() { h.push(sub, sendid, state, mobiles) }})
		}
	}
	slices.SortFunc(moments, func(a, b moment) int { return int(a.at - b.at) })
	begin := time.Now()
	for _, m := range moments {
		todo = append(todo, func() {
			time.Sleep(time.Until(begin.Add(m.at)))
			m.do()
		})
	}
	return todo
}

func (h *history) push(sub *subject, sendid, state string, mobiles []string) {
	now := time.Now()
	h.pushed(sendid, state, mobiles...)
	for _, m := range mobiles {
		if _, again := sub.pushes[state+" "+m]; !again {
			sub.pushes[state+" "+m] = now
		}
		if _, again := sub.finals[m]; state != "UNKNOWN" && !again {
			sub.finals[m] = now
		}
	}
}

func TestEveryHistoryEndsInTheSameEventsWhoeverDiesWherever(t *testing.T) {
	t.Parallel()
	for seed := *fromHistory; seed < *fromHistory+*histories; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			perform(t, historyParts, func(s *stage) {
				h := &history{stage: s, rng: rand.New(rand.NewPCG(seed, 3)), subs: map[string]*subject{}}
				for range 1 + h.n(2) {
					h.join(vfs.NewCrashableMem())
				}
				for _, do := range h.plan() {
					do()
				}
				h.mu.Lock()
				h.calm = true
				h.mu.Unlock()
				h.enter("last", h.rules)
				time.Sleep(historyDeadline + 2*testSession + historyOrphans)
				h.judge()
			})
		})
	}
}

// judge holds what was published against what happened outside.
func (h *history) judge() {
	h.t.Helper()
	got := map[string]map[string][]event{} // by sendid and report
	for _, e := range h.reports() {
		key := strings.TrimSpace(e.Provider + " " + e.To)
		if got[e.SendID] == nil {
			got[e.SendID] = map[string][]event{}
		}
		if !slices.ContainsFunc(got[e.SendID][key], func(o event) bool { return o.ID == e.ID }) {
			got[e.SendID][key] = append(got[e.SendID][key], e)
		}
	}
	for sendid, sub := range h.subs {
		for key, at := range sub.pushes {
			h.judgePush(sendid, sub, key, at, got[sendid][key])
			delete(got[sendid], key)
		}
		h.judgeMissing(sendid, sub, got[sendid][""])
		delete(got[sendid], "")
		if len(got[sendid]) > 0 {
			h.t.Errorf("sendid %s: nobody pushed %v", sendid, got[sendid])
		}
	}
}

// judgePush: one report is matched; or it is an orphan, and matched with revision 2
// if its sendid came at last.
func (h *history) judgePush(sendid string, sub *subject, key string, at time.Time, events []event) {
	h.t.Helper()
	said := map[string]int{}
	for _, e := range events {
		said[fmt.Sprint(e.Correlation, " ", e.Revision, " ", e.Exact)]++
	}
	for _, exact := range []string{"true", "false"} {
		matched, orphan, again := said["matched 1 "+exact], said["orphan 1 "+exact], said["matched 2 "+exact]
		if matched+orphan+again == 0 {
			continue
		}
		ok := matched == 1 && orphan+again == 0 || matched == 0 && orphan == 1 && again == 1
		if sub.known.IsZero() {
			ok = matched+again == 0 && orphan == 1
		} else if at.Sub(sub.known) > 0 || sub.known.Sub(at) < historyOrphans-time.Second {
			ok = matched == 1 && orphan+again == 0
		}
		if !ok {
			h.t.Errorf("sendid %s known %v, %q pushed %v: told %v", sendid, sub.known, key, at, said)
		}
	}
	if len(events) == 0 {
		h.t.Errorf("sendid %s known %v, %q pushed %v: nothing told", sendid, sub.known, key, at)
	}
}

// judgeMissing: who had no final report at the deadline is missing, told once.
func (h *history) judgeMissing(sendid string, sub *subject, events []event) {
	h.t.Helper()
	if sub.known.IsZero() {
		if len(events) > 0 {
			h.t.Errorf("sendid %s was never submitted: told %+v", sendid, events)
		}
		return
	}
	due := sub.submitted.Add(historyDeadline)
	surely, perhaps := 0, 0
	for _, at := range sub.finals {
		if at.Before(due.Add(-time.Second)) {
			surely++
		}
		perhaps++ // one that was read before the deadline was looked at
	}
	most, least := max(0, sub.recipients-surely), max(0, sub.recipients-perhaps)
	switch {
	case len(events) == 0 && least == 0:
	case len(events) == 1 && events[0].Missing >= max(least, 1) && events[0].Missing <= most:
	default:
		h.t.Errorf("sendid %s of %d recipients, %d to %d missing: told %+v", sendid, sub.recipients, least, most, events)
	}
}
