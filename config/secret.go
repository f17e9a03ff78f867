package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
)

const (
	stars = "******" // of fixed length: not even how long a secret is gets out

	// fileCheck is how often a secret's file is looked at. Secrets are asked for
	// on every submit and every push; a stat for each would be felt.
	fileCheck = time.Second

	maxSecret = 64 << 10 // bytes; a larger file was named by mistake
)

// Secret is a value that prints stars wherever it is printed. One that was
// given as a file follows the file. Copies share one state; the zero value is
// an unset secret.
type Secret struct{ state *secretState }

type secretState struct {
	current atomic.Pointer[string]
	log     atomic.Pointer[slog.Logger]

	file string // empty when the variable itself held the value
	name string // of the variable, for the log

	mu      sync.Mutex // guards what follows
	checked time.Time
	seen    os.FileInfo
	broken  bool // told already
}

// Value is the secret as it is now. When the file cannot be read any more, or
// holds nothing, the last good value stays. Safe for concurrent use.
func (s Secret) Value() string {
	if s.state == nil {
		return ""
	}
	if s.state.file != "" {
		s.state.follow()
	}
	return *s.state.current.Load()
}

// IsSet reports whether the secret was given, as a value or as a file.
func (s Secret) IsSet() bool { return s.state != nil }

// Decode takes the value of the variable.
func (s *Secret) Decode(text string) error {
	s.state = &secretState{}
	s.state.current.Store(&text)
	return nil
}

// openSecret reads a secret from a file for the first time.
func openSecret(name, file string) (Secret, error) {
	state := &secretState{file: file, name: name, checked: time.Now()}
	info, value, err := readSecret(file)
	if err != nil {
		return Secret{}, err
	}
	state.seen = info
	state.current.Store(&value)
	return Secret{state}, nil
}

// follow reads the file again if it changed. Whoever finds another goroutine
// doing so goes on with the value before instead of waiting for a disk.
func (s *secretState) follow() {
	if !s.mu.TryLock() {
		return
	}
	defer s.mu.Unlock()
	if time.Since(s.checked) < fileCheck {
		return
	}
	s.checked = time.Now()
	info, err := os.Stat(s.file)
	if err == nil && !s.broken && sameFile(info, s.seen) {
		return
	}
	info, value, err := readSecret(s.file)
	if err != nil {
		if !s.broken {
			s.logger().Warn("secret's file is of no use, its last value stays", "variable", s.name, "error", err)
		}
		s.broken = true
		return
	}
	s.broken = false
	s.seen = info
	if value != *s.current.Load() {
		s.current.Store(&value)
		s.logger().Info("secret's file has changed and was read again", "variable", s.name)
	}
}

func (s *secretState) logger() *slog.Logger {
	if log := s.log.Load(); log != nil {
		return log
	}
	return slog.New(slog.DiscardHandler)
}

// sameFile also compares the identity: a mounted Kubernetes secret is replaced
// by another file, which may have the same size and age.
func sameFile(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// readSecret gives the file's text without the newline that editors add, and
// the file's looks from before it was read: a change in between is seen by the
// next look.
func readSecret(name string) (os.FileInfo, string, error) {
	file, err := os.Open(name) //nolint:gosec // the operator's own configuration names it
	if err != nil {
		return nil, "", fmt.Errorf("cannot be read (%w)", cause(err))
	}
	defer func() { _ = file.Close() }() // it was only read
	info, err := file.Stat()
	if err != nil {
		return nil, "", fmt.Errorf("cannot be read (%w)", cause(err))
	}
	text, err := io.ReadAll(io.LimitReader(file, maxSecret+1))
	if err != nil {
		return nil, "", fmt.Errorf("cannot be read (%w)", cause(err))
	}
	value := strings.TrimRight(string(text), "\r\n")
	switch {
	case value == "":
		return nil, "", errors.New("is empty")
	case len(value) > maxSecret:
		return nil, "", errors.New("is too large for a secret")
	case strings.ContainsFunc(value, unicode.IsControl):
		return nil, "", errors.New("holds more than one line or a control character")
	}
	return info, value, nil
}

// cause is the system's own words, without the operation and the path.
func cause(err error) error {
	if path, ok := errors.AsType[*os.PathError](err); ok {
		return path.Err
	}
	return err
}

// String gives stars, nothing for a secret that is not set.
func (s Secret) String() string {
	if !s.IsSet() {
		return ""
	}
	return stars
}

// Format gives them to every verb, also to %#v and %x, which do not ask String.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText gives them to JSON and to slog.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
