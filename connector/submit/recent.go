package submit

import "math/bits"

// outcomes remembers which of the last submits were doubtful.
type outcomes struct {
	bits  uint32 // the youngest is the lowest
	count int
}

func (o *outcomes) add(doubtful bool) {
	o.bits = o.bits << 1 & (1<<recentOutcomes - 1)
	if doubtful {
		o.bits |= 1
	}
	o.count = min(o.count+1, recentOutcomes)
}

// halfDoubtful is not asked of fewer than the full number: two bad ones of four
// are chance.
func (o *outcomes) halfDoubtful() bool {
	return o.count == recentOutcomes && bits.OnesCount32(o.bits) >= recentOutcomes/2
}
