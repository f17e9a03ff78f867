package suppress

import (
	"encoding/hex"
	"errors"

	"smsbridge/codec"
)

// Person stands for a number: its HMAC, in bytes.
type Person [32]byte

// PersonOf returns the person of a number, in digits as they are submitted.
func PersonOf(key codec.HashKey, digits string) Person {
	p, _ := parsePerson(key.Hash(digits)) // what it writes it reads
	return p
}

// String writes hexadecimal digits, as to_hash and from_hash do.
func (p Person) String() string { return hex.EncodeToString(p[:]) }

func parsePerson(text string) (Person, error) {
	var p Person
	if hex.DecodedLen(len(text)) != len(p) {
		return p, errors.New("is no HMAC of a number")
	}
	_, err := hex.Decode(p[:], []byte(text))
	return p, err
}
