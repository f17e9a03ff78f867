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
	// Told: which offsets from the committed one on have their result published
	// already, because an earlier command is still waiting. Only an orderly end
	// says so; without it such a result is published once more.
	Told offsets `json:"told,omitempty"`
}

// offsets is a set of offsets that lie near the committed one: bit i of byte n
// is offset 8n+i behind it. JSON makes base64 of it.
type offsets []byte

// mostTold bounds the set: brokers take 4 KiB of metadata by default. What is
// left out is published once more.
const mostTold = 2048 // bytes

func (o *offsets) add(behind int64) {
	if behind < 0 || behind >= 8*mostTold {
		return
	}
	for int64(len(*o)) <= behind/8 {
		*o = append(*o, 0)
	}
	(*o)[behind/8] |= 1 << (behind % 8)
}

func (o offsets) has(behind int64) bool {
	return behind >= 0 && behind/8 < int64(len(o)) && o[behind/8]&(1<<(behind%8)) != 0
}

// String is JSON, so that it can be read in the output of Kafka's own tools. It
// stays under 200 bytes, at an orderly end under 3 KiB; brokers take 4 KiB by
// default.
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
