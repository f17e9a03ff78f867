package spool

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// life is one process that appends, has some taken and appends again, until it
// crashes before its step-th change of the disk.
type life struct {
	mem     *vfs.MemFS
	step    int
	unsaved int // percent of what was not synced that survives

	mu      sync.Mutex
	steps   int
	crashed *vfs.MemFS // the disk as the crash leaves it
	acked   []string
	taken   []string
	// What was so when it crashed.
	safe, gone []string
}

var errCrashed = errors.New("crashed")

func (l *life) ask(op, _ string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if op == "open" {
		return nil
	}
	if l.steps++; l.steps == l.step {
		l.crashed = l.mem.CrashClone(vfs.CrashCloneCfg{
			UnsyncedDataPercent: l.unsaved, RNG: rand.New(rand.NewPCG(uint64(l.step), uint64(l.unsaved))),
		})
		l.safe, l.gone = slices.Clone(l.acked), slices.Clone(l.taken)
	}
	if l.crashed != nil {
		return errCrashed
	}
	return nil
}

func (l *life) append(t *testing.T, s *Spool, records ...string) {
	t.Helper()
	for _, r := range records {
		if s.Append(t.Context(), []byte(r)) == nil {
			l.mu.Lock()
			l.acked = append(l.acked, r)
			l.mu.Unlock()
		}
	}
}

func (l *life) run(t *testing.T) {
	t.Helper()
	s, err := open(Config{Dir: dir, Max: roomy, Log: discard}, faulty{l.mem, l.ask})
	if err != nil {
		return // crashed at the start
	}
	defer s.Close()
	l.append(t, s, "a", "b", strings.Repeat("c", segmentSize), "d")
	drained(t, s, &taker{before: func(records []string) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.taken = append(l.taken, records...)
		return nil
	}})
	l.append(t, s, "e", "f")
}

// However little or much of what was not synced survives, and whenever the
// process dies: what was acknowledged is handed out, in order, and again only if
// it was handed out shortly before.
func TestCrashAtAnyStepLosesNothing(t *testing.T) {
	t.Parallel()
	for _, unsaved := range []int{0, 50, 100} {
		t.Run(fmt.Sprintf("%d percent survive", unsaved), func(t *testing.T) {
			t.Parallel()
			for step := 1; ; step++ {
				l := &life{mem: vfs.NewCrashableMem(), step: step, unsaved: unsaved}
				l.run(t)
				if l.crashed == nil {
					if step < 15 {
						t.Errorf("only %d steps", step)
					}
					return
				}
				s := opened(t, l.crashed, roomy)
				got := drained(t, s, &taker{})
				missing := slices.DeleteFunc(slices.Clone(l.safe), func(r string) bool {
					return slices.Contains(got, r) || slices.Contains(l.gone, r)
				})
				if len(missing) > 0 {
					t.Errorf("step %d: lost %.40q", step, missing)
				}
				if !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
					t.Errorf("step %d: order %.40q", step, got)
				}
				if n := s.Status().SetAside; n > 0 && unsaved == 0 {
					t.Errorf("step %d: %d files set aside", step, n)
				}
				closed(t, s)
			}
		})
	}
}
