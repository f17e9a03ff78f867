package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const roomy = 1 << 30

func TestWhatWasAppendedIsHandedOutInOrderByTheNextProcess(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	var want []string
	for run := range 3 {
		s := opened(t, fs, roomy)
		for i := range 700 { // several segments
			record := fmt.Sprintf("%d-%d %s", run, i, strings.Repeat("x", 1000+i))
			want = append(want, record)
			add(t, s, record)
		}
		if st := s.Status(); st.Waiting != len(want) || st.Bytes < int64(1000*len(want)) || st.Oldest.IsZero() {
			t.Errorf("status %+v with %d records", st, len(want))
		}
		closed(t, s)
	}
	s := opened(t, fs, roomy)
	if st := s.Status(); st.Waiting != len(want) {
		t.Errorf("%d wait, want %d", st.Waiting, len(want))
	}
	if got := drained(t, s, &taker{}); !slices.Equal(got, want) {
		t.Errorf("%d records, want %d, or another order", len(got), len(want))
	}
	if st := s.Status(); st != (Status{Max: roomy}) {
		t.Errorf("status %+v when all is taken", st)
	}
	if left := files(t, fs); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	closed(t, s)
}

func TestNothingOvertakesWhatIsNotTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := opened(t, vfs.NewMem(), roomy)
		attempts := 0
		away := &taker{before: func(records []string) error {
			if attempts++; records[0] == "a" && attempts < 4 {
				return errors.New("away")
			}
			return nil
		}}
		add(t, s, "a", "b")
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { s.Drain(ctx, away.take); close(ended) }()
		synctest.Wait()
		if st := s.Status(); st.Blocked == nil || st.Waiting != 2 {
			t.Errorf("status %+v", st)
		}
		add(t, s, "c")
		time.Sleep(time.Second)
		if got := away.all(); !slices.Equal(got, []string{"a", "b", "c"}) {
			t.Errorf("taken %q", got)
		}
		if st := s.Status(); st.Blocked != nil {
			t.Errorf("still blocked: %v", st.Blocked)
		}
		stop()
		<-ended
		closed(t, s)
	})
}

func TestConcurrentAppendsShareOneSyncAndKeepTheirOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var syncs atomic.Int64
		slow := faulty{vfs.NewMem(), func(op, _ string) error {
			if op == "sync" {
				syncs.Add(1)
				time.Sleep(10 * time.Millisecond)
			}
			return nil
		}}
		s := opened(t, slow, roomy)
		var all sync.WaitGroup
		var want []string
		for i := range 200 {
			record := fmt.Sprint(i)
			want = append(want, record)
			all.Go(func() { add(t, s, record) })
			synctest.Wait() // it is in the queue, and nobody is told
		}
		all.Wait()
		if n := syncs.Load(); n != 2 {
			t.Errorf("%d syncs for 200 records", n)
		}
		if got := drained(t, s, &taker{}); !slices.Equal(got, want) {
			t.Errorf("order %q", got)
		}
		closed(t, s)
	})
}

// Whatever the disk refuses, and whenever: it is told, what was acknowledged
// before is safe, and the spool works again when the disk does.
func TestFaultOfTheDiskIsToldAndCostsNothingAcknowledged(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"create", "write", "sync", "sync folder"} {
		for _, fault := range []error{syscall.ENOSPC, syscall.EIO} {
			for _, before := range []int{0, 1, 3} {
				t.Run(fmt.Sprintf("%s of %d: %v", op, before, fault), func(t *testing.T) {
					t.Parallel()
					var broken atomic.Bool
					mem := vfs.NewCrashableMem()
					s := opened(t, faulty{mem, func(o, _ string) error {
						if broken.Load() && (o == op || o == "create") {
							return fault
						}
						return nil
					}}, roomy)
					var acked []string
					for i := range before {
						acked = append(acked, fmt.Sprint("before ", i))
					}
					add(t, s, acked...)
					broken.Store(true)
					for range 3 {
						err := s.Append(t.Context(), []byte("refused"))
						if before > 0 && (op == "create" || op == "sync folder") {
							if err == nil { // the segment exists, so nothing is made
								acked = append(acked, "refused")
								continue
							}
						}
						if !errors.Is(err, fault) || !errors.Is(s.Status().Failing, fault) {
							t.Fatalf("append: %v, status %+v", err, s.Status())
						}
					}
					broken.Store(false)
					add(t, s, "after")
					acked = append(acked, "after")
					if err := s.Status().Failing; err != nil {
						t.Errorf("still failing: %v", err)
					}
					crashed := mem.CrashClone(vfs.CrashCloneCfg{})
					for name, fs := range map[string]vfs.FS{"closed": mem, "crashed": crashed} {
						if name == "closed" {
							closed(t, s)
						}
						again := opened(t, fs, roomy)
						got := slices.DeleteFunc(drained(t, again, &taker{}), func(r string) bool {
							return r == "refused" && !slices.Contains(acked, r)
						})
						if !slices.Equal(got, acked) {
							t.Errorf("%s: handed out %q, want %q", name, got, acked)
						}
						if n := again.Status().SetAside; n != 0 {
							t.Errorf("%s: %d files set aside", name, n)
						}
						closed(t, again)
					}
				})
			}
		}
	}
}

func TestSpoolThatFailsIsTriedByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		s := opened(t, faulty{vfs.NewMem(), func(string, string) error {
			if broken.Load() {
				return syscall.EIO
			}
			return nil
		}}, roomy)
		broken.Store(true)
		if err := s.Append(t.Context(), []byte("x")); err == nil {
			t.Fatal("appended to a broken disk")
		}
		time.Sleep(time.Minute)
		if s.Status().Failing == nil {
			t.Fatal("the disk is broken and nobody says so")
		}
		broken.Store(false)
		time.Sleep(2 * retryPause)
		if err := s.Status().Failing; err != nil {
			t.Errorf("still failing: %v", err)
		}
		if got := drained(t, s, &taker{}); len(got) != 0 {
			t.Errorf("handed out %q", got)
		}
		closed(t, s)
	})
}

func TestFullSpoolRefusesUntilSomethingIsTaken(t *testing.T) {
	t.Parallel()
	const limit = 64 << 10
	s := opened(t, vfs.NewMem(), limit)
	record := strings.Repeat("x", 1000)
	n := 0
	for ; ; n++ {
		if err := s.Append(t.Context(), []byte(record)); err != nil {
			if !errors.Is(err, ErrFull) {
				t.Fatal(err)
			}
			break
		}
	}
	st := s.Status()
	if want := limit / (1000 + headerSize); n != want || st.Bytes > limit || !errors.Is(st.Failing, ErrFull) {
		t.Errorf("%d records, want %d, status %+v", n, want, st)
	}
	if got := drained(t, s, &taker{}); len(got) != n {
		t.Errorf("%d taken of %d", len(got), n)
	}
	if st := s.Status(); st.Failing != nil || st.Bytes != 0 {
		t.Errorf("status %+v when all is taken", st)
	}
	add(t, s, record)
	closed(t, s)
}

func TestDamagedSegmentIsSetAsideAndTheRestOfItHandedOut(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	s := opened(t, fs, roomy)
	add(t, s, "first", "second", "third")
	closed(t, s)
	overwrite(t, fs, func(data []byte) []byte {
		data[strings.Index(string(data), "second")] ^= 0x20
		return data
	})
	s = opened(t, fs, roomy)
	if got := drained(t, s, &taker{}); !slices.Equal(got, []string{"first", "third"}) {
		t.Errorf("handed out %q", got)
	}
	left := files(t, fs)
	if len(left) != 1 || !strings.HasSuffix(left[0], setAside) || s.Status().SetAside != 1 {
		t.Errorf("left: %v, status %+v", left, s.Status())
	}
	closed(t, s)
	s = opened(t, fs, roomy)
	if st := s.Status(); st.SetAside != 1 || st.Waiting != 0 {
		t.Errorf("next process: %+v", st)
	}
	closed(t, s)
}

func TestSegmentThatCannotBeReadHoldsUpOthersForAMomentOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var bad string
		s := opened(t, faulty{vfs.NewMem(), func(op, file string) error {
			if op == "create" && bad == "" {
				bad = file
			}
			if op == "open" && file == bad {
				return syscall.EIO
			}
			return nil
		}}, roomy)
		add(t, s, "unreadable", strings.Repeat("x", segmentSize), "behind")
		began := time.Now()
		if got := drained(t, s, &taker{}); !slices.Equal(got, []string{"behind"}) {
			t.Errorf("%d handed out", len(got))
		}
		if d := time.Since(began); d == 0 || d > time.Minute || s.Status().SetAside != 1 {
			t.Errorf("after %s, status %+v", d, s.Status())
		}
		closed(t, s)
	})
}

func TestWaitLetsPushesByOnlyBehindWhatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := opened(t, vfs.NewMem(), roomy)
		if !s.Wait(t.Context()) {
			t.Error("an empty spool holds pushes up")
		}
		add(t, s, "a")
		began := time.Now()
		if s.Wait(t.Context()) || time.Since(began) != 0 {
			t.Error("waited for a spool that nobody takes anything from")
		}
		taken := make(chan struct{})
		slow := &taker{before: func(records []string) error {
			if records[0] == "b" {
				<-taken
			}
			return nil
		}}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		add(t, s, strings.Repeat("x", segmentSize)) // so that b begins another segment
		add(t, s, "b")
		go func() { s.Drain(ctx, slow.take); close(ended) }()
		synctest.Wait()
		let := make(chan bool, 1)
		go func() { let <- s.Wait(t.Context()) }()
		synctest.Wait()
		select {
		case <-let:
			t.Error("let by while b is on its way")
		default:
		}
		close(taken)
		if !<-let {
			t.Error("not let by when all is taken")
		}
		stop()
		<-ended
		closed(t, s)
	})
}

func TestNobodyElseMayReadTheFiles(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "a", "b")
	s, err := Open(Config{Dir: folder, Max: roomy, Log: discard})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, s)
	add(t, s, "x")
	segments, err := filepath.Glob(filepath.Join(folder, "*.spool"))
	if err != nil || len(segments) != 1 {
		t.Fatal(segments, err)
	}
	for path, want := range map[string]os.FileMode{folder: 0o700, segments[0]: 0o600} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

func TestFolderOfAnotherProcessIsRefused(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s, err := Open(Config{Dir: folder, Max: roomy, Log: discard})
	if err != nil {
		t.Fatal(err)
	}
	other := func() (string, error) {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), "SPOOL_TEST_OPEN="+folder)
		out, err := cmd.Output()
		return string(out), err
	}
	if said, err := other(); err == nil || !strings.Contains(said, "another process") {
		t.Errorf("said %q, %v", said, err)
	}
	closed(t, s)
	if said, err := other(); err != nil {
		t.Errorf("when it is free: %q, %v", said, err)
	}
}

func TestSegmentOfAnotherVersionIsNotPassedOver(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	closed(t, opened(t, fs, roomy))
	f, err := fs.Create(fs.PathJoin(dir, "v2-x.spool"), vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if _, err := open(Config{Dir: dir, Max: roomy, Log: discard}, fs); err == nil || !strings.Contains(err.Error(), "v2-x.spool") {
		t.Errorf("error %v", err)
	}
}
