package journal

import (
	"context"
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"smsbridge/codec/sms"
	"smsbridge/connector/kafkaio"
	"smsbridge/connector/local"
)

// memStore is a Store in a folder that is only in memory.
func memStore(tb testing.TB, fs vfs.FS) *Store {
	tb.Helper()
	disk, err := local.OpenOn(fs, "state", idsKind, slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = disk.Close() })
	return newStore(disk)
}

func openShelf(tb testing.TB, s *Store, partition int) *shelf {
	tb.Helper()
	shelf, err := s.shelf(partition, testWindow)
	if err != nil {
		tb.Fatal(err)
	}
	shelf.failed = func(err error) { tb.Error(err) }
	shelf.load()
	return shelf
}

const testWindow = 48 * time.Hour

// TestStoresRememberAlike is what memory and disk must both do.
func TestStoresRememberAlike(t *testing.T) {
	t.Parallel()
	stores := map[string]func(*testing.T) store{
		"memory": func(*testing.T) store { return newMemory(testWindow) },
		"disk":   func(t *testing.T) store { t.Helper(); return openShelf(t, memStore(t, vfs.NewMem()), 3) },
	}
	id, other := hashID("a"), hashID("b")
	known := func(offset int64, status sms.Status) entry {
		return entry{offset: offset, status: status, revision: 1, at: time.Now(), done: offset * 10, fingerprint: Fingerprint{byte(offset)}}
	}
	for what, check := range map[string]func(*testing.T, store){
		"an id that never came is not known": func(t *testing.T, s store) {
			t.Helper()
			s.put(other, known(1, sms.Accepted))
			if _, ok := s.get(id, 1); ok {
				t.Error("known")
			}
			if _, ok := s.first(id, 1); ok {
				t.Error("barred")
			}
		},
		"what is put comes back whole": func(t *testing.T, s store) {
			t.Helper()
			want := known(7, sms.PartiallyAccepted)
			s.put(id, want)
			got, ok := s.get(id, 7)
			if got.at.UnixMilli() != want.at.UnixMilli() {
				t.Errorf("at %v, want %v", got.at, want.at)
			}
			if got.at = want.at; !ok || got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		},
		"the lowest offset that bars is the first one": func(t *testing.T, s store) {
			t.Helper()
			for _, e := range []entry{known(9, sms.Accepted), known(2, sms.Failed), known(5, sms.Unknown), known(4, sms.Accepted)} {
				s.put(id, e)
			}
			if e, ok := s.first(id, 9); !ok || e.offset != 4 {
				t.Errorf("first of 9 is %+v", e)
			}
			if e, ok := s.first(id, 4); !ok || e.offset != 5 {
				t.Errorf("first of 4 is %+v", e)
			}
		},
		"a later word replaces the earlier one at the same offset": func(t *testing.T, s store) {
			t.Helper()
			s.put(id, known(1, sms.Unknown))
			time.Sleep(testWindow / 2) // another stretch of time
			late := known(1, sms.Accepted)
			late.revision = 2
			s.put(id, late)
			if e, _ := s.get(id, 1); e.revision != 2 {
				t.Errorf("%+v", e)
			}
			s.drop(id, 1)
			if e, ok := s.get(id, 1); ok {
				t.Errorf("dropped, but %+v", e)
			}
		},
		"what is dropped leaves the others": func(t *testing.T, s store) {
			t.Helper()
			for offset := range int64(4) {
				s.put(id, known(offset, sms.Accepted))
			}
			s.drop(id, 0)
			s.drop(id, 2)
			for offset := range int64(4) {
				if _, ok := s.get(id, offset); ok != (offset%2 == 1) {
					t.Errorf("offset %d known: %v", offset, ok)
				}
			}
		},
		"behind the window an id bars nobody": func(t *testing.T, s store) {
			t.Helper()
			s.put(id, known(1, sms.Accepted))
			time.Sleep(testWindow - time.Second)
			if _, ok := s.first(id, 2); !ok {
				t.Error("within the window a repeat came through")
			}
			time.Sleep(time.Second)
			if _, ok := s.first(id, 2); ok {
				t.Error("barred behind the window")
			}
		},
		"a sweep forgets what left the window, but nothing still to be told": func(t *testing.T, s store) {
			t.Helper()
			s.put(id, known(1, sms.Accepted))
			s.put(other, known(8, sms.Accepted))
			time.Sleep(2 * testWindow)
			s.put(hashID("c"), known(9, sms.Accepted))
			s.sweep(1)
			if _, ok := s.get(id, 1); !ok {
				t.Error("forgot what was to be told")
			}
			s.sweep(9)
			time.Sleep(testWindow)
			s.sweep(9)
			if _, ok := s.get(id, 1); ok {
				t.Error("still known")
			}
			if _, ok := s.get(hashID("c"), 9); !ok {
				t.Error("forgot what was to be told")
			}
		},
		"something older than the window can be put and told": func(t *testing.T, s store) {
			t.Helper()
			e := known(1, sms.Accepted)
			e.at = e.at.Add(-5 * testWindow)
			s.put(id, e)
			s.sweep(1)
			if _, ok := s.get(id, 1); !ok {
				t.Error("forgotten")
			}
			if _, ok := s.first(id, 2); ok {
				t.Error("bars")
			}
		},
	} {
		for kind, open := range stores {
			t.Run(what+", "+kind, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { check(t, open(t)) })
			})
		}
	}
}

func TestPartitionsOfTheStoreAreApart(t *testing.T) {
	t.Parallel()
	s := memStore(t, vfs.NewMem())
	one, two := openShelf(t, s, 1), openShelf(t, s, 2)
	e := entry{offset: 1, status: sms.Accepted, at: time.Now()}
	one.put(hashID("a"), e)
	two.put(hashID("a"), e)
	one.clear()
	if _, ok := one.get(hashID("a"), 1); ok {
		t.Error("cleared, but known")
	}
	if _, ok := two.get(hashID("a"), 1); !ok {
		t.Error("cleared together with another partition")
	}
}

// TestKilledStoreHasEveryIDBelowItsClaim ends the store at some moment, with
// whatever of its files would have survived a power cut, and goes on with that.
func TestKilledStoreHasEveryIDBelowItsClaim(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 7))
	fs := vfs.NewCrashableMem()
	var filters, claimed int64
	for life := range int64(40) {
		s := memStore(t, fs)
		shelf := openShelf(t, s, 0)
		for _, b := range shelf.buckets {
			if b.saved {
				filters++
			}
		}
		c, _ := shelf.readClaim()
		for n := range c.Position {
			if _, ok := shelf.get(numbered(n), n); !ok {
				t.Fatalf("claims everything below %d and lacks %d", c.Position, n)
			}
		}
		if life%10 == 9 && c.Position != claimed {
			t.Errorf("closed in order, but it claims only %d of %d", c.Position, claimed)
		}
		claimed = c.Position + 20 + rng.Int64N(200)
		for n := c.Position; n < claimed; n++ {
			age := testWindow / buckets * time.Duration(life%buckets)
			if rng.IntN(100) == 0 { // it comes late, where the filter may be saved already
				age = time.Duration(rng.Int64N(int64(testWindow)))
			}
			shelf.put(numbered(n), entry{offset: n, status: sms.Accepted, at: time.Now().Add(-age), done: n})
			shelf.writeClaim(&claim{Position: n + 1})
			switch rng.IntN(40) {
			case 0, 1:
				s.Flush()
			case 2:
				shelf.sweep(0)
			}
		}
		if life%10 == 8 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		fs = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
	}
	if filters == 0 {
		t.Error("no saved filter was ever read")
	}
}

func numbered(n int64) idHash {
	return hashID(string(binary.BigEndian.AppendUint64(nil, uint64(n))))
}

func TestFolderDeletedWhileRunningCostsATenureAndNothingElse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := OpenStore(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	c := newCluster()
	p := c.process(t, withStore(s, "cluster"))
	l := p.mustJoin(0)
	if err := p.work(l, command(0), sms.ReportUnknown, always); err != nil {
		t.Fatal(err)
	}
	if err := vfs.Default.RemoveAll(filepath.Join(dir, "ids-0")); err != nil {
		t.Fatal(err)
	}
	s.Flush()
	for l.shelf.disk.Err() == nil { // the flush fails by itself
		time.Sleep(time.Millisecond)
	}
	if v := l.Judge(command(1)); p.work(l, command(1), sms.ReportUnknown, always) == nil || len(c.posts) != 1 {
		t.Errorf("verdict %+v, posts %+v: went on with a store that cannot be trusted", v, c.posts)
	}
	_ = p.tenure.Close(p.ctx)
	l = p.mustJoin(0) // the store is made anew and filled from the journal
	repeat := command(1)
	repeat.ID = command(0).ID
	if v := l.Judge(repeat); v.Kind != Repeat || l.shelf == nil {
		t.Errorf("verdict %+v", v)
	}
	_ = p.tenure.Close(p.ctx)
}

func withStore(s *Store, identity string) func(*Config) {
	return func(c *Config) {
		c.Store = s
		c.Identity = func(context.Context) (string, error) { return identity, nil }
	}
}

// TestTakeOverReadsOnlyWhatTheStoreDoesNotKnow counts the records read from the
// journal, and asks for a repeat of what lies before them.
func TestTakeOverReadsOnlyWhatTheStoreDoesNotKnow(t *testing.T) {
	t.Parallel()
	const before = 20
	type world struct {
		*cluster
		fs       *vfs.MemFS
		identity string
	}
	for name, tc := range map[string]struct {
		change func(*world)
		reads  bool // the whole journal
	}{
		"same journal":             {func(*world) {}, false},
		"folder deleted":           {func(w *world) { w.fs = vfs.NewMem() }, true},
		"another cluster or topic": {func(w *world) { w.identity = "another" }, true},
		"metadata lost": {func(w *world) {
			w.committed[0] = kafkaio.Committed{Offset: before}
		}, true},
		"another record at the witness": {func(w *world) {
			last := &w.logs[0][len(w.logs[0])-1]
			last.Value = slices.Clone(last.Value)
			last.Value[9]++ // of the owner
		}, true},
		"journal ends below the store": {func(w *world) {
			w.logs[0] = w.logs[0][:len(w.logs[0])-1]
			w.committed[0] = kafkaio.Committed{Offset: before - 1, Metadata: metadata{Tail: 1}.String()}
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &world{newCluster(), vfs.NewMem(), "here"}
				s := memStore(t, w.fs)
				p := w.process(t, withStore(s, w.identity))
				l := p.mustJoin(0)
				for o := range int64(before) {
					if err := p.work(l, command(o), sms.ReportUnknown, always); err != nil {
						t.Fatal(err)
					}
				}
				if err := p.tenure.Close(p.ctx); err != nil {
					t.Fatal(err)
				}
				_ = s.Close()
				tc.change(w)

				lowest := int64(-1)
				next := w.process(t, func(c *Config) {
					withStore(memStore(t, w.fs), w.identity)(c)
					fetch := c.Fetch
					c.Fetch = func(f kafkaio.FetchConfig) Source {
						if lowest < 0 || f.Offset < lowest {
							lowest = f.Offset
						}
						return fetch(f)
					}
				})
				l = next.mustJoin(0)
				if whole := lowest == 0; whole != tc.reads {
					t.Errorf("read from %d of %d", lowest, len(w.logs[0]))
				}
				for o := range int64(before - 1) {
					repeat := command(100 + o)
					repeat.ID = command(o).ID
					if v := l.Judge(repeat); v.Kind != Repeat || v.First.Offset != o {
						t.Fatalf("repeat of %d: %+v", o, v)
					}
				}
				_ = next.tenure.Close(next.ctx)
			})
		})
	}
}

func TestLateAnswerRevisesAlsoAfterARestartFromTheStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster()
		fs := vfs.NewMem()
		first := c.process(t, nil)
		l := first.mustJoin(0)
		var wake func()
		over := make(chan error)
		go func() {
			over <- first.work(l, command(0), sms.ReportUnknown, func(r Ref, _ bool) *sms.Submission {
				wake = first.freeze()
				first.rest()
				return yes(r)
			})
		}()
		synctest.Wait()

		s := memStore(t, fs)
		second := c.process(t, withStore(s, "here"))
		l2 := second.mustJoin(0)
		for o := range int64(3) {
			if err := second.work(l2, command(o), sms.ReportUnknown, always); err != nil {
				t.Fatal(err)
			}
		}
		if err := second.tenure.Close(second.ctx); err != nil {
			t.Fatal(err)
		}
		_ = s.Close()

		third := c.process(t, withStore(memStore(t, fs), "here"))
		third.mustJoin(0)
		wake()
		<-over
		r, err := third.tenure.NextRevision(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if string(r.Previous.Value) != "c0 unknown 1" || r.Number != 2 || len(r.Parts) != 1 {
			t.Errorf("revision %+v", r)
		}
		_ = third.tenure.Close(third.ctx)
		_ = first.tenure.Close(first.ctx)
	})
}
