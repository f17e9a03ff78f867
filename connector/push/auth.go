package push

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"smsbridge/codec/wire"
)

// Mode says how a push proves that the provider made it.
type Mode string

// The modes of authentication. The provider's document describes MD5 and shows
// an example of Static, so Either takes both.
const (
	Static Mode = "static" // name and pwd as agreed
	MD5    Mode = "md5"    // name is MD5(access secret + random + timestamp)
	Either Mode = "either"
	None   Mode = "none" // a secret path and an allow-list must do
)

// window is how far a push's timestamp may be from our clock.
const window = 300 * time.Second

// Auth is what a push must know. The secrets are functions because they are
// read again when their file changes; nil and empty both mean that there is
// none, and an empty secret matches nothing.
type Auth struct {
	Mode Mode
	// Name is the name of Static; empty if the pushes carry none.
	Name, PreviousName func() string
	// Password is the pwd of Static. In MD5 a push must carry it as well when
	// it is set ("agreed password, may be empty", says the provider's
	// document); in Either it belongs to the static pushes alone.
	Password, PreviousPassword func() string
	// AccessSecret is the secret of MD5.
	AccessSecret, PreviousAccessSecret func() string
}

// InboundAuth is what a push of inbound messages must know. The provider sends a
// plain name and pwd with them, of their own, whatever the reports carry.
type InboundAuth struct {
	Mode Mode // Static or None
	// Each of the two may be empty, as at the provider, and is then not looked at.
	// With both empty every push is refused.
	Name, PreviousName         func() string
	Password, PreviousPassword func() string
}

func (a *InboundAuth) check(c wire.Credentials) proof {
	names, passwords := values(a.Name, a.PreviousName), values(a.Password, a.PreviousPassword)
	name, password := equalsAny(c.Name, names), equalsAny(c.Password, passwords)
	switch {
	case a.Mode == None:
		return proof{}
	case a.Mode != Static, len(names)+len(passwords) == 0, len(names) > 0 && !name, len(passwords) > 0 && !password:
		return proof{refused: wrongCredentials}
	}
	return proof{}
}

func (a *InboundAuth) validate() error {
	if a.Mode != Static && a.Mode != None {
		return fmt.Errorf("SMSBRIDGE_PUSH_INBOUND_AUTH: %q is not one of static, none", a.Mode)
	}
	return nil
}

// validate says what is missing to tell the provider's pushes from others.
func (a *Auth) validate() error {
	var faults []error
	needs := func(secret func() string, variable string) {
		if len(values(secret)) == 0 {
			faults = append(faults, fmt.Errorf("%s: must not be empty with SMSBRIDGE_PUSH_AUTH=%s", variable, a.Mode))
		}
	}
	switch a.Mode {
	case Static:
		needs(a.Password, "SMSBRIDGE_PUSH_PASSWORD")
	case MD5:
		needs(a.AccessSecret, "SMSBRIDGE_PUSH_ACCESS_SECRET")
	case Either:
		needs(a.Password, "SMSBRIDGE_PUSH_PASSWORD")
		needs(a.AccessSecret, "SMSBRIDGE_PUSH_ACCESS_SECRET")
	case None:
	default:
		faults = append(faults, fmt.Errorf("SMSBRIDGE_PUSH_AUTH: %q is not one of static, md5, either, none", a.Mode))
	}
	return errors.Join(faults...)
}

// proof is what credentials have shown. With once, the digest is good for one
// push only.
type proof struct {
	refused refusal // empty: proven
	once    bool
	digest  digest
}

// check compares in constant time and tries every secret whatever the others
// said, so that the time it takes tells nothing about them.
func (a *Auth) check(c wire.Credentials, now time.Time) proof {
	switch a.Mode {
	case None:
		return proof{}
	case Static:
		return a.checkStatic(c)
	case MD5:
		p := a.checkMD5(c, now)
		if passwords := values(a.Password, a.PreviousPassword); len(passwords) > 0 && !equalsAny(c.Password, passwords) {
			return proof{refused: wrongCredentials}
		}
		return p
	case Either:
		static, signed := a.checkStatic(c), a.checkMD5(c, now)
		if static.refused == "" {
			return static
		}
		return signed
	}
	return proof{refused: wrongCredentials}
}

func (a *Auth) checkStatic(c wire.Credentials) proof {
	names := values(a.Name, a.PreviousName)
	name := equalsAny(c.Name, names) || len(names) == 0 && c.Name == ""
	if !equalsAny(c.Password, values(a.Password, a.PreviousPassword)) || !name {
		return proof{refused: wrongCredentials}
	}
	return proof{}
}

func (a *Auth) checkMD5(c wire.Credentials, now time.Time) proof {
	given, err := hex.DecodeString(c.Name)
	sent, shaped := pushTime(c.Timestamp)
	if err != nil || !shaped || !isNonce(c.Random) {
		return proof{refused: wrongCredentials}
	}
	known := false
	for _, secret := range values(a.AccessSecret, a.PreviousAccessSecret) {
		want := md5.Sum([]byte(secret + c.Random + c.Timestamp))
		known = equal(given, want[:]) || known
	}
	if !known {
		return proof{refused: wrongCredentials}
	}
	if age := now.Sub(sent); age > window || age < -window {
		return proof{refused: staleTimestamp}
	}
	return proof{once: true, digest: digest(given)}
}

// pushTime reads a timestamp of exactly 10 digits (seconds) or 13
// (milliseconds). Nothing stands between random and timestamp under the
// digest: other lengths would let digits be shifted from one to the other.
func pushTime(s string) (time.Time, bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return time.Time{}, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err == nil && len(s) == 10:
		return time.Unix(n, 0), true
	case err == nil && len(s) == 13:
		return time.UnixMilli(n), true
	}
	return time.Time{}, false
}

// isNonce accepts [0-9A-Za-z_-]{1,64}. The padding of MD5's length extension
// holds bytes outside of it.
func isNonce(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case '0' <= c && c <= '9', 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', c == '_', c == '-':
		default:
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 64
}

// equal hashes both sides first, so that neither content nor length shows in
// the time it takes.
func equal[T string | []byte](a, b T) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

func equalsAny(given string, secrets []string) bool {
	found := false
	for _, s := range secrets {
		found = equal(given, s) || found
	}
	return found
}

// values are the secrets that are set.
func values(secrets ...func() string) []string {
	var set []string
	for _, secret := range secrets {
		if secret == nil {
			continue
		}
		if s := secret(); s != "" {
			set = append(set, s)
		}
	}
	return set
}
