package correlate

// The named places where a process can die, see Config.Reached.
const (
	afterLearn       = "correlate_after_learn"        // facts are in the local store
	beforePublish    = "correlate_before_publish"     // pushes are read
	afterPublish     = "correlate_after_publish"      // reports, seen and parked are durable, the offset is not committed
	afterDecide      = "correlate_after_decide"       // decisions are durable and not read back
	beforeTell       = "correlate_before_tell"        // nothing of what follows from a fact is published
	afterTell        = "correlate_after_tell"         // it is, and no fact says so
	beforeLastCommit = "correlate_before_last_commit" // of a graceful stop
)

// Points lists them.
func Points() []string {
	return []string{afterLearn, beforePublish, afterPublish, afterDecide, beforeTell, afterTell, beforeLastCommit}
}
