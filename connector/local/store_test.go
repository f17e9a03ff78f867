package local

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

var quietLog = slog.New(slog.DiscardHandler)

func openOn(t *testing.T, fs vfs.FS) *Store {
	t.Helper()
	s, err := OpenOn(fs, "state", Kind{"things", 1 << 20, 1 << 20}, quietLog)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func set(t *testing.T, s *Store, key string) {
	t.Helper()
	d, err := s.Disk()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.DB.Set([]byte(key), []byte(key), pebble.NoSync); err != nil {
		t.Fatal(err)
	}
}

func has(t *testing.T, s *Store, key string) bool {
	t.Helper()
	d, err := s.Disk()
	if err != nil {
		t.Fatal(err)
	}
	value, err := d.Get([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return string(value) == key
}

func TestWhatWasClosedInOrderIsThereAgain(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	s := openOn(t, fs)
	set(t, s, "a")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if again := openOn(t, fs); !has(t, again, "a") || has(t, again, "b") {
		t.Error("not what was written")
	}
}

func TestFolderThatIsLockedIsPassedOver(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	first, second := openOn(t, fs), openOn(t, fs)
	set(t, first, "a")
	if has(t, second, "a") {
		t.Error("two processes write into one folder")
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if !has(t, openOn(t, fs), "a") {
		t.Error("the folder that became free is not used again")
	}
}

func TestOneProcessTooManyIsRefused(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	for range folders {
		openOn(t, fs)
	}
	if _, err := OpenOn(fs, "state", Kind{"things", 1 << 20, 1 << 20}, quietLog); err == nil {
		t.Error("a folder was found")
	}
}

func TestFolderThatCannotBeReadIsMadeAnew(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	s := openOn(t, fs)
	set(t, s, "a")
	_ = s.Close()
	folder := fs.PathJoin("state", "things-0")
	names, err := fs.List(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if name == "LOCK" {
			continue
		}
		f, err := fs.Create(fs.PathJoin(folder, name), vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = f.Write([]byte("nothing that Pebble knows"))
		_ = f.Close()
	}
	again := openOn(t, fs)
	if has(t, again, "a") {
		t.Error("read from what cannot be read")
	}
	set(t, again, "b")
	if !has(t, again, "b") {
		t.Error("not usable")
	}
}

func TestFolderIsForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	folder := filepath.Join(dir, "things-0")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir, Kind{"things", 1 << 20, 1 << 20}, quietLog)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	info, err := os.Stat(folder)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v", info.Mode())
	}
}

func TestDiskThatFailedIsReplacedOnceInAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := openOn(t, vfs.NewMem())
		first, err := s.Disk()
		if err != nil {
			t.Fatal(err)
		}
		first.Fail(errors.New("input/output error"))
		if _, err := first.Get([]byte("a")); err == nil {
			t.Error("a disk that failed still answers")
		}
		second, err := s.Disk()
		if err != nil || second == first {
			t.Fatalf("not replaced: %v", err)
		}
		second.Fail(errors.New("input/output error"))
		if _, err := s.Disk(); err == nil {
			t.Error("a disk that fails again at once is not left alone")
		}
		time.Sleep(pause)
		if _, err := s.Disk(); err != nil {
			t.Errorf("left alone for ever: %v", err)
		}
	})
}
