// Package wire reads and writes the formats of the provider's HTTP API: the
// submit form, the answer lines, and the pushes of delivery reports and inbound
// messages. It is pure: no I/O, no clock, and nothing it returns as an error
// holds a number, a text or a password.
//
// The provider's document says little, so each tolerance here answers a form
// that was seen: one-digit hours, full-width commas, bodies that are not
// percent-encoded, GB18030. What still cannot be read is an error, never a
// guess, because a guessed outcome sends a text twice or loses one.
package wire

import (
	"strings"
	"time"
)

// Zone is the zone of every time in the API, Asia/Shanghai. China has had no
// summer time since 1991, so a fixed offset needs no zone database.
var Zone = time.FixedZone("CST", 8*60*60)

// TimeLayout is how the provider writes a time, in Zone.
const TimeLayout = "2006-01-02 15:04:05"

// parseTime reads the provider's time. One-digit months, days and hours occur
// in its own examples, slashes and times without seconds in what others saw. A
// minute that nothing follows has two digits: else it could have been cut.
func parseTime(s string) (time.Time, bool) {
	s = strings.ReplaceAll(s, "/", "-")
	for _, layout := range []string{"2006-1-2 15:4:5", "2006-1-2 15:04"} {
		t, err := time.ParseInLocation(layout, s, Zone)
		if err == nil && t.Year() >= 2000 && t.Year() <= 2999 {
			return t, true
		}
	}
	return time.Time{}, false
}
