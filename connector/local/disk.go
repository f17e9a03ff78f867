package local

import (
	"bytes"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	filterBits = 10   // for each key: one look in a hundred in vain
	openFiles  = 1000 // at most
)

// Kind says what is kept and how much memory that may take.
type Kind struct {
	Name   string // of its folder
	Cache  int64  // bytes of what was read
	Buffer int64  // bytes of what is not yet in a file; while that is written down, the same again
}

// Disk is one open folder. Writes go to DB, without a sync: a kill loses what was
// not flushed, the latest writes first, and of a batch all or nothing. So whatever
// says how far the cache is complete is written behind, or together with, what it
// speaks of. There is no log, which would only cost, and Pebble ends the process
// when it cannot write one.
type Disk struct {
	DB *pebble.DB

	lock    *pebble.Lock
	failure atomic.Pointer[error]
}

func newDisk(folder string, kind Kind, fs vfs.FS, lock *pebble.Lock) (*Disk, error) {
	d := &Disk{lock: lock}
	cache := pebble.NewCache(kind.Cache)
	defer cache.Unref()
	options := &pebble.Options{
		FS: fs, Lock: lock, Cache: cache, MemTableSize: uint64(kind.Buffer), MaxOpenFiles: openFiles,
		FormatMajorVersion: pebble.FormatNewest,
		DisableWAL:         true,
		Logger:             quiet{},
		EventListener: &pebble.EventListener{
			BackgroundError: d.Fail,
			DataCorruption:  func(i pebble.DataCorruptionInfo) { d.Fail(i.Details) }, // also of a file that was deleted
		},
	}
	for i := range options.Levels { // most of what is looked for was never there
		options.Levels[i].FilterPolicy = bloom.FilterPolicy(filterBits)
	}
	var err error
	d.DB, err = pebble.Open(folder, options)
	return d, err
}

// Fail has nothing in the folder believed any more: an answer that it cannot give
// must not be taken for "never heard of it".
func (d *Disk) Fail(err error) { d.failure.CompareAndSwap(nil, &err) }

// Err returns why the folder is not to be used any more, nil while it may be.
func (d *Disk) Err() error {
	if err := d.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// Get returns a copy of a value, nil if there is none.
func (d *Disk) Get(key []byte) ([]byte, error) {
	if err := d.Err(); err != nil {
		return nil, err
	}
	value, closer, err := d.DB.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return bytes.Clone(value), closer.Close()
}

func (d *Disk) close() error {
	err := d.DB.Flush() // without a log this is what keeps it
	return errors.Join(err, d.DB.Close(), d.lock.Close())
}

// quiet: what fails is told by whoever notices it.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}

// Fatalf is called with Pebble's locks held, when it cannot write its list of
// files; there is no way back from that but a new process.
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
