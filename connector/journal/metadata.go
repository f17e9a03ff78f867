package journal

import (
	"encoding/json"
	"errors"
	"fmt"
)

// metadataFormat is the newest version that this program understands, and the
// one that it writes.
const metadataFormat = 1

// metadata stands beside the committed offset and goes with it in one commit:
// what is committed and what is fenced cannot come apart.
type metadata struct {
	Version int `json:"v"`
	// Owner is the take-over that committed it, Base the journal's end at which
	// it began. Its own intents stand at Base or above.
	Owner uint64 `json:"owner"`
	Base  int64  `json:"base"`
	// Fenced: the owner's intents below may have been submitted, its others
	// cannot have been.
	Fenced int64 `json:"fenced"`
	// Replay: no record of an offset at or above the committed one stands below.
	Replay int64 `json:"replay"`
	// Tail: late answers of earlier owners below were dealt with.
	Tail int64 `json:"tail"`
	// Told: which offsets have their result published already, because an earlier
	// command is still waiting. What is not said here is published once more.
	Told offsets `json:"told,omitempty"`
}

// offsets is a set of offsets at or above the committed one: bit i of byte n is
// offset 8n+i, counted from the multiple of eight at or below the committed one.
// JSON makes base64 of it.
type offsets []byte

// mostTold bounds the set: brokers take 4 KiB of metadata by default. What is
// left out is published once more.
const mostTold = 2048 // bytes

// add puts an offset into the set of a committed one.
func (o *offsets) add(committed, offset int64) {
	n, bit := place(committed, offset)
	if offset < committed || n >= mostTold {
		return
	}
	for int64(len(*o)) <= n {
		*o = append(*o, 0)
	}
	(*o)[n] |= bit
}

func (o offsets) has(committed, offset int64) bool {
	n, bit := place(committed, offset)
	return offset >= committed && n < int64(len(o)) && o[n]&bit != 0
}

// move makes the set that of a later committed offset.
func (o *offsets) move(from, to int64) {
	gone := min(to/8-from/8, int64(len(*o)))
	*o = append((*o)[:0], (*o)[gone:]...)
}

func place(committed, offset int64) (n int64, bit byte) {
	return offset/8 - committed/8, 1 << (offset % 8)
}

// String is JSON, so that it can be read in the output of Kafka's own tools. It
// stays under 200 bytes while nothing waits, and under 3 KiB ever; brokers take
// 4 KiB by default.
func (m metadata) String() string {
	m.Version = metadataFormat
	b, err := json.Marshal(m)
	if err != nil {
		panic(err) // numbers alone
	}
	return string(b)
}

var errNoMetadata = errors.New("no metadata of ours")

// parseMetadata fails with errFormat for a newer version, and otherwise with
// errNoMetadata: whatever else stands there, nothing is known.
func parseMetadata(s string) (metadata, error) {
	var m metadata
	if err := json.Unmarshal([]byte(s), &m); err != nil {
		return metadata{}, errNoMetadata
	}
	switch {
	case m.Version > metadataFormat:
		return metadata{}, fmt.Errorf("%w: metadata %d, this program knows up to %d", errFormat, m.Version, metadataFormat)
	case m.Version < 1, m.Base < 0, m.Fenced < m.Base, m.Replay < 0, m.Tail < 0, m.Replay > m.Fenced:
		return metadata{}, errNoMetadata
	}
	return m, nil
}

// unsent reports whether an intent at a position cannot have been submitted.
//
// The owner's own: it never reached a fence. Another's at or above Base: it was
// appended after the owner had listed the journal's end, hence after it had
// joined, and no commit of an older generation succeeds after that. Another's
// below Base: the owner released what was unsent there before its first commit,
// so what it left open had been fenced.
func (m metadata) unsent(owner uint64, at int64) bool {
	if owner == m.Owner {
		return at >= m.Fenced
	}
	return at >= m.Base
}
