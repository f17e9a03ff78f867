package config

import (
	"crypto/hkdf"
	"crypto/sha256"
)

// NumberKey is the key of every HMAC of numbers and texts: NUMBER_HASH_KEY as it
// is, so that an auditor who has it finds a number's hash, else derived from the
// provider's credentials, which all processes of a deployment share.
func (c *Config) NumberKey() []byte {
	if c.Reports.HashKey.IsSet() {
		return []byte(c.Reports.HashKey.Value())
	}
	secret := c.Provider.Name.Value() + "\x00" + c.Provider.Password.Value()
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "smsbridge number hash", sha256.Size)
	if err != nil {
		panic(err) // only a longer key than SHA-256 can give
	}
	return key
}

// PreviousNumberKey is the key before, nil where there is none.
func (c *Config) PreviousNumberKey() []byte {
	if !c.Reports.HashKeyPrevious.IsSet() {
		return nil
	}
	return []byte(c.Reports.HashKeyPrevious.Value())
}
