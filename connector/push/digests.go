package push

import (
	"crypto/md5"
	"crypto/sha256"
	"sync"
	"time"
)

// maxDigests bounds each of the two generations of remembered digests, about
// 25 MB together when full. A digest is forgotten before its timestamp has
// become too old only above 400 pushes a second that all came with MD5; whoever
// would use it then must have overheard it.
const maxDigests = 1 << 17

type (
	digest      [md5.Size]byte
	fingerprint [sha256.Size]byte // of the push that came with a digest
)

func fingerprintOf(raw Raw) fingerprint {
	h := sha256.New()
	for _, part := range []string{string(raw.Kind), raw.ContentType, raw.Query} {
		h.Write([]byte(part))
		h.Write([]byte{0}) // none of them can hold one
	}
	h.Write(raw.Body)
	return fingerprint(h.Sum(nil))
}

// digests makes every MD5 digest good for one push. The digest does not cover
// the fields of the push, so without this one overheard push would let anybody
// tell us any state of any message for five minutes.
type digests struct {
	mu     sync.Mutex
	used   recent[digest, fingerprint]
	claims map[digest]*claim // in progress
}

type claim struct {
	push    fingerprint
	holders int
}

func newDigests() *digests {
	// A digest is valid from window before to window after its timestamp.
	return &digests{used: newRecent[digest, fingerprint](2*window, maxDigests), claims: map[digest]*claim{}}
}

// use says what the push p may make of d. seen: the same push was answered
// already. ok is false where d belongs to another push. If it is not seen and
// ok, settle must be called once.
func (d *digests) use(key digest, p fingerprint, now time.Time) (seen, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if first, found := d.used.get(key, now); found {
		return first == p, first == p
	}
	c := d.claims[key]
	if c == nil {
		c = &claim{push: p}
		d.claims[key] = c
	}
	if c.push != p {
		return false, false
	}
	c.holders++
	return false, true
}

// settle ends a use. Only a push that was answered 200 uses its digest up:
// else the provider's own retry after a 503 would be refused.
func (d *digests) settle(key digest, p fingerprint, answered bool, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if answered {
		d.used.put(key, p, now)
	}
	c := d.claims[key]
	c.holders--
	if c.holders == 0 {
		delete(d.claims, key)
	}
}
