package trail

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"smsbridge/codec"
)

// A command that is sent again has its id from the first round's and the number
// of the round, so that the same round put on the topic twice is a duplicate.
const (
	roundMark = ".redrive-"
	mostRound = 999
	// stemLength leaves room for mark and number.
	stemLength = codec.MaxID - len(roundMark) - len("999")
	stemDigest = 16 // hex digits: 64 bits, as a chance meeting would only leave a command unsent
)

// roundOf takes an id apart into what all rounds share and the number of the
// round, 0 for the command as it first came. Ids too long for a mark share what
// is left of them and a digest of the whole.
func roundOf(id string) (stem string, round int) {
	stem = id
	if at := strings.LastIndex(id, roundMark); at > 0 {
		n, err := strconv.Atoi(id[at+len(roundMark):])
		if err == nil && n > 0 && n <= mostRound && strconv.Itoa(n) == id[at+len(roundMark):] {
			stem, round = id[:at], n
		}
	}
	if len(stem) > stemLength {
		sum := sha256.Sum256([]byte(stem))
		stem = stem[:stemLength-1-stemDigest] + "." + hex.EncodeToString(sum[:])[:stemDigest]
	}
	return stem, round
}

func nextRound(stem string, round int) string { return stem + roundMark + strconv.Itoa(round+1) }
