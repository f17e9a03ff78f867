package simulator

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"
)

// stampLayout is how times are written: UTC, in milliseconds.
const stampLayout = "2006-01-02T15:04:05.000Z"

// stamp is a time as the ledger writes it.
type stamp struct{ time.Time }

// MarshalJSON writes the time in UTC.
func (s stamp) MarshalJSON() ([]byte, error) {
	return s.UTC().AppendFormat(nil, `"`+stampLayout+`"`), nil
}

// Entry is one complete request as the provider took it. Code is what the
// provider decided, which is not always what it answered: "0" means that it
// carried the request out, and an empty one that it did nothing. Fault names what
// happened to the answer.
type Entry struct {
	Name    string `json:"name"`
	Mobile  string `json:"mobile"`
	Content string `json:"content"`
	Sign    string `json:"sign"`
	STime   string `json:"stime"`
	ExtNo   string `json:"extno"`
	Type    string `json:"type"`
	Code    string `json:"code"`
	SendID  string `json:"sendid"`
	At      stamp  `json:"at"`
	Fault   string `json:"fault,omitempty"`
}

// journal keeps lines in memory and, where there is one, in a file.
type journal[T any] struct {
	mu    sync.Mutex
	lines []T
	file  *os.File
	out   *bufio.Writer
}

// keepIn appends all lines from now on to a file as well.
func (j *journal[T]) keepIn(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	j.file, j.out = f, bufio.NewWriterSize(f, 64<<10)
	return nil
}

func (j *journal[T]) add(line T) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
	if j.out != nil {
		json.NewEncoder(j.out).Encode(line) //nolint:errcheck // the writer keeps its error, close tells it
	}
}

// all gives the lines so far. They are never changed, so no copy is needed.
func (j *journal[T]) all() []T {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clip(j.lines)
}

func (j *journal[T]) flush() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.out == nil {
		return nil
	}
	return j.out.Flush()
}

func (j *journal[T]) close() error {
	err := j.flush()
	if j.file != nil {
		if e := j.file.Close(); err == nil {
			err = e
		}
	}
	return err
}

// writeTo writes the lines from the given one on, as JSON.
func (j *journal[T]) writeTo(w io.Writer, from int) {
	lines := j.all()
	out := bufio.NewWriterSize(w, 64<<10)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for _, line := range lines[min(max(from, 0), len(lines)):] {
		if encoder.Encode(line) != nil {
			return // the reader has gone
		}
	}
	out.Flush() //nolint:errcheck // as above
}
