package journal

import "fmt"

// HaltReason says in one word why a partition is not worked on.
type HaltReason string

// Why a partition halts, until an operator decides.
const (
	// HaltFormat: a newer version of this program wrote there.
	HaltFormat HaltReason = "newer_format"
	// HaltLostEnd: the journal ends below what was fenced: acked records were lost.
	HaltLostEnd HaltReason = "journal_end_lost"
	// HaltLostStart: the journal starts above what must be replayed.
	HaltLostStart HaltReason = "journal_start_lost"
	// HaltUnreadable: a record cannot be read, and may be an intent.
	HaltUnreadable HaltReason = "journal_unreadable"
	// HaltOtherGroup: another group was active within the window. Two groups do
	// not fence each other.
	HaltOtherGroup HaltReason = "other_group"
)

// Halt is why a partition is not worked on.
type Halt struct {
	Partition int
	Reason    HaltReason
	Err       error
}

// Error implements error.
func (h *Halt) Error() string {
	return fmt.Sprintf("journal partition %d halted (%s): %v; see smsbridge journal status", h.Partition, h.Reason, h.Err)
}

// Unwrap gives the cause.
func (h *Halt) Unwrap() error { return h.Err }

// halt stops the partition alone; the others go on.
func (l *Ledger) halt(reason HaltReason, err error) {
	if l.halted == nil {
		l.halted = &Halt{Partition: l.partition, Reason: reason, Err: err}
		l.tenure.config.Log.Error("partition halted", "partition", l.partition, "reason", string(reason), "error", err)
	}
}

func (l *Ledger) isHalted() bool { return l.halted != nil }
