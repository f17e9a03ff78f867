package correlate

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
)

// hash stands for a recipient of one sendid: 128 bits of HMAC-SHA256. A plain hash
// of a number would be reversed within minutes, and one without the sendid would
// show who was written to twice.
type hash [16]byte

func hashOf(key []byte, sendid, mobile string) hash {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(sendid))
	m.Write([]byte{0}) // neither holds one
	m.Write([]byte(mobile))
	return hash(m.Sum(nil)[:len(hash{})])
}

// digestOf tells a push that is repeated from one that says something else.
func digestOf(key []byte, p *pushed) hash {
	m := hmac.New(sha256.New, key)
	for _, text := range []string{p.SendID, p.Mobile, p.State, p.Time.UTC().String()} {
		m.Write([]byte(text))
		m.Write([]byte{0, 0}) // a recipient's hash holds one
	}
	return hash(m.Sum(nil)[:len(hash{})])
}

// MarshalText writes hexadecimal digits.
func (h hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads them.
func (h *hash) UnmarshalText(text []byte) error {
	if hex.DecodedLen(len(text)) != len(h) {
		return errors.New("not a hash")
	}
	_, err := hex.Decode(h[:], text)
	return err
}
