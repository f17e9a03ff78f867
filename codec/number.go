package codec

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
)

// HashKey is the key of every HMAC of a number or a text. A plain hash of a number
// is reversed within minutes, because there are few numbers.
type HashKey []byte

// Hash is the HMAC-SHA256 of a number or a text in hex, and empty for an empty
// value or without a key.
func (k HashKey) Hash(value string) string {
	if value == "" || len(k) == 0 {
		return ""
	}
	m := hmac.New(sha256.New, k)
	m.Write([]byte(value))
	return hex.EncodeToString(m.Sum(nil))
}

// Fingerprint names the key without telling it: what was hashed with one key is
// never compared with hashes of another.
func (k HashKey) Fingerprint() string {
	m := hmac.New(sha256.New, k)
	m.Write([]byte("smsbridge key fingerprint"))
	return hex.EncodeToString(m.Sum(nil)[:fingerprintSize])
}

const fingerprintSize = 8

// Numbers says how outputs tell a phone number.
type Numbers struct {
	Key    HashKey
	Masked bool
}

// show returns the number as outputs write it.
func (n Numbers) show(number string) string {
	if !n.Masked {
		return number
	}
	return mask(number)
}

// identity stands for the number in event ids. They are plain hashes, so with
// masked numbers the number must not go into them: it could be found by trying.
func (n Numbers) identity(number string) string {
	if !n.Masked {
		return number
	}
	return n.Key.Hash(number)
}

const (
	maskHead, maskTail = 3, 4
	maskStars          = "****"
)

// mask keeps the first three and the last four characters of a number of eleven
// digits or more. Shorter ones are services, of which the first three say enough.
func mask(number string) string {
	switch {
	case number == "":
		return ""
	case len(number) < maskHead+len(maskStars)+maskTail:
		return number[:min(maskHead, len(number)/2)] + maskStars
	default:
		return number[:maskHead] + maskStars + number[len(number)-maskTail:]
	}
}
