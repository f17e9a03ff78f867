package spool

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const dir = "/data/spool"

var discard = slog.New(slog.DiscardHandler)

// faulty is a file system that asks before whatever changes the disk. An error
// is what the disk answers; of a write that fails half of the bytes are written.
type faulty struct {
	vfs.FS
	ask func(op, file string) error
}

func (f faulty) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.ask("create", name); err != nil {
		return nil, err
	}
	file, err := f.FS.Create(name, c)
	return faultyFile{file, f, name}, err
}

func (f faulty) OpenDir(name string) (vfs.File, error) {
	file, err := f.FS.OpenDir(name)
	return faultyFile{file, f, "folder"}, err
}

func (f faulty) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	if err := f.ask("open", name); err != nil {
		return nil, err
	}
	return f.FS.Open(name, opts...)
}

func (f faulty) Remove(name string) error {
	if err := f.ask("remove", name); err != nil {
		return err
	}
	return f.FS.Remove(name)
}

func (f faulty) Rename(from, to string) error {
	if err := f.ask("rename", from); err != nil {
		return err
	}
	return f.FS.Rename(from, to)
}

type faultyFile struct {
	vfs.File
	fs   faulty
	name string
}

func (f faultyFile) Write(p []byte) (int, error) {
	if err := f.fs.ask("write", f.name); err != nil {
		n, _ := f.File.Write(p[:len(p)/2])
		return n, err
	}
	return f.File.Write(p)
}

func (f faultyFile) Sync() error {
	op := "sync"
	if f.name == "folder" {
		op = "sync folder"
	}
	if err := f.fs.ask(op, f.name); err != nil {
		return err
	}
	return f.File.Sync()
}

// opened opens a spool until the test ends.
func opened(tb testing.TB, fs vfs.FS, limit int64) *Spool {
	tb.Helper()
	s, err := open(Config{Dir: dir, Max: limit, Log: discard}, fs)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func closed(tb testing.TB, s *Spool) {
	tb.Helper()
	if err := s.Close(); err != nil {
		tb.Errorf("close: %v", err)
	}
}

func add(tb testing.TB, s *Spool, records ...string) {
	tb.Helper()
	for _, r := range records {
		if err := s.Append(tb.Context(), []byte(r)); err != nil {
			tb.Fatalf("append %.20q: %v", r, err)
		}
	}
}

// taker collects what is handed out. before, if set, decides each time.
type taker struct {
	before func(records []string) error

	mu  sync.Mutex
	got []string
}

func (t *taker) take(_ context.Context, records [][]byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []string
	for _, r := range records {
		all = append(all, string(r))
	}
	if t.before != nil {
		if err := t.before(all); err != nil {
			return err
		}
	}
	t.got = append(t.got, all...)
	return nil
}

func (t *taker) all() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.got)
}

// drained drains until the spool is empty.
func drained(tb testing.TB, s *Spool, t *taker) []string {
	tb.Helper()
	ctx, stop := context.WithCancel(tb.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Drain(ctx, t.take)
	}()
	for {
		s.mu.Lock()
		left, moved := len(s.segments), s.moved
		s.mu.Unlock()
		if left == 0 {
			break
		}
		<-moved
	}
	stop()
	<-ended
	return t.all()
}

// files lists the folder without its lock.
func files(tb testing.TB, fs vfs.FS) []string {
	tb.Helper()
	names, err := fs.List(dir)
	if err != nil {
		tb.Fatal(err)
	}
	slices.Sort(names)
	return slices.DeleteFunc(names, func(n string) bool { return n == "LOCK" })
}

// overwrite changes the only segment that is there.
func overwrite(tb testing.TB, fs vfs.FS, change func(data []byte) []byte) {
	tb.Helper()
	names := files(tb, fs)
	if len(names) != 1 || !strings.HasSuffix(names[0], extension) {
		tb.Fatalf("files %v", names)
	}
	path := fs.PathJoin(dir, names[0])
	f, err := fs.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	var old bytes.Buffer
	if _, err := old.ReadFrom(f); err != nil {
		tb.Fatal(err)
	}
	f.Close()
	g, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := g.Write(change(old.Bytes())); err != nil {
		tb.Fatal(err)
	}
	if err := errors.Join(g.Sync(), g.Close()); err != nil {
		tb.Fatal(err)
	}
}

// TestMain is also the other process of a test that needs one.
func TestMain(m *testing.M) {
	if folder := os.Getenv("SPOOL_TEST_OPEN"); folder != "" {
		_, err := Open(Config{Dir: folder, Max: 1 << 20, Log: discard})
		if err != nil {
			os.Stdout.WriteString(err.Error())
			os.Exit(3)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
