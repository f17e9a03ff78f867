package config

import (
	"crypto/hkdf"
	"crypto/sha256"
)

// NumberKey is the key of the hashes of numbers in internal topics: of
// NUMBER_HASH_KEY, else of the provider's credentials, which all processes of a
// deployment share.
func (c *Config) NumberKey() []byte {
	secret := c.Reports.HashKey.Value()
	if secret == "" {
		secret = c.Provider.Name.Value() + "\x00" + c.Provider.Password.Value()
	}
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "smsbridge number hash", sha256.Size)
	if err != nil {
		panic(err) // only a longer key than SHA-256 can give
	}
	return key
}
