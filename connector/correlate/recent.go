package correlate

import (
	"sync"

	"smsbridge/codec/sms"
)

// Recent remembers the commands of the latest submits of this process by their
// sendid. It is bounded and forgets the oldest first, and a restart forgets all:
// a report whose submit it does not know is published as an orphan.
type Recent struct {
	mu      sync.Mutex
	origins map[string]*sms.Origin
	order   []string // ring of the sendids in origins, oldest at next
	next    int
}

// NewRecent returns a memory of the latest size submits.
func NewRecent(size int) *Recent {
	return &Recent{origins: make(map[string]*sms.Origin), order: make([]string, size)}
}

// Remember learns that the submit with this sendid was made for origin.
func (r *Recent) Remember(sendid string, origin *sms.Origin) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.origins[sendid]; !known {
		delete(r.origins, r.order[r.next])
		r.order[r.next] = sendid
		r.next = (r.next + 1) % len(r.order)
	}
	r.origins[sendid] = origin
}

// Origin returns the command of a sendid, or nil.
func (r *Recent) Origin(sendid string) *sms.Origin {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.origins[sendid]
}
