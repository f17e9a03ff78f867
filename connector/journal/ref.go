package journal

import (
	"crypto/sha256"
	"encoding/binary"
)

// Ref names a command's record: where it stands, its id, and what it said.
type Ref struct {
	Offset      int64
	ID          string
	Fingerprint Fingerprint
}

// Fingerprint tells two records apart that stand at the same offset of two
// topics with the same name, as after a topic was made anew.
type Fingerprint [16]byte

// FingerprintOf a source record: 128 bits of SHA-256 over key and value. Whoever
// knows all of a record but the number finds the number by trying; so the journal
// needs the same rights as the command topic, which shows it openly.
func FingerprintOf(key, value []byte) Fingerprint {
	h := sha256.New()
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(len(key)))
	h.Write(length[:])
	h.Write(key)
	h.Write(value)
	var sum [sha256.Size]byte
	return Fingerprint(h.Sum(sum[:0])[:16])
}

// idHash is what is remembered of a command id.
type idHash [16]byte

func hashID(id string) idHash {
	sum := sha256.Sum256([]byte(id))
	return idHash(sum[:16])
}
