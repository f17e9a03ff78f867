package intake

// Ordering says which commands must follow one another.
type Ordering string

// The orderings.
const (
	ByKey       Ordering = "key" // those without a key are unordered
	ByPartition Ordering = "partition"
	Unordered   Ordering = "none"
)

// lane is the queue of records that must follow one another; its head is being
// worked on.
type lane struct {
	name string
	last *item
}

// laneOf returns the name of a record's lane; ok is false when it needs none.
func (o Ordering) laneOf(key []byte) (name string, ok bool) {
	switch o {
	case ByPartition:
		return "", true
	case ByKey:
		return string(key), key != nil
	default:
		return "", false
	}
}
