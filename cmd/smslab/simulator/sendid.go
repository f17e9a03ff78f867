package simulator

import (
	"strconv"
	"sync/atomic"
	"time"

	"smsbridge/codec/wire"
)

// sendids makes what the provider names a request by: the time to the millisecond
// and nine digits more, unique in one process.
type sendids struct{ n atomic.Uint64 }

func (s *sendids) next(now time.Time) string {
	b := make([]byte, 0, 26)
	b = now.In(wire.Zone).AppendFormat(b, "20060102150405")
	b = append(b, digits(uint64(now.Nanosecond()/1e6), 3)...)
	return string(append(b, digits(s.n.Add(1), 9)...))
}

// digits writes n with leading zeros, its lowest digits when it is too long.
func digits(n uint64, width int) string {
	s := strconv.FormatUint(n, 10)
	for len(s) < width {
		s = "0" + s
	}
	return s[len(s)-width:]
}
