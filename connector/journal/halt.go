package journal

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

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
	// HaltCommands: a batch of the command topic can be read by nobody. What was read
	// before it goes on.
	HaltCommands HaltReason = "commands_unreadable"
	// HaltNoPartition: the journal topic has fewer partitions than the command topic.
	HaltNoPartition HaltReason = "missing_partition"
)

// Remedy says in a sentence what an operator can do; N stands for the partition.
func (r HaltReason) Remedy() string {
	switch r {
	case HaltFormat:
		return "run the newer version again; if that cannot be: smsbridge journal accept-loss -partition N"
	case HaltOtherGroup:
		return "stop the other group; if this one takes its place: smsbridge journal adopt -from GROUP"
	case HaltCommands:
		return "find out who wrote it; to give the batch up, stop every instance and move the group's offset of this partition to where the next begins (kafka-consumer-groups --reset-offsets), which gives up what still waits before it too"
	case HaltNoPartition:
		return "give the journal topic as many partitions as the command topic"
	default:
		return "find out why Kafka lost records; then smsbridge journal accept-loss -partition N"
	}
}

// Halt is why a partition is not worked on.
type Halt struct {
	Partition int
	Reason    HaltReason
	Err       error
}

// Remedy is what an operator can do, with the number of the partition.
func (h *Halt) Remedy() string {
	return strings.ReplaceAll(h.Reason.Remedy(), "-partition N", "-partition "+strconv.Itoa(h.Partition))
}

// Error implements error.
func (h *Halt) Error() string {
	return fmt.Sprintf("journal partition %d halted (%s): %v; %s", h.Partition, h.Reason, h.Err, h.Remedy())
}

// Unwrap gives the cause.
func (h *Halt) Unwrap() error { return h.Err }

// halt stops the partition alone; the others go on.
func (l *Ledger) halt(reason HaltReason, err error) {
	if l.halted == nil {
		l.halted = &Halt{Partition: l.partition, Reason: reason, Err: err}
	}
}

// reportHalts logs what the take-over found.
func (t *Tenure) reportHalts() {
	for _, l := range t.ledgers {
		if h := l.halted; h != nil {
			t.config.Log.Error("partition halted", "partition", l.partition, "reason", string(h.Reason), "error", h.Err, "remedy", h.Reason.Remedy())
		}
	}
}

// haltMissing halts the partitions that the journal topic does not have.
func (t *Tenure) haltMissing(ctx context.Context) error {
	n, err := t.config.Partitions(ctx)
	if err != nil {
		return fmt.Errorf("journal: partitions of its topic: %w", err)
	}
	for _, l := range t.ledgers {
		if l.partition >= n {
			l.halt(HaltNoPartition, fmt.Errorf("the journal topic has %d partitions", n))
		}
	}
	return nil
}

func (l *Ledger) isHalted() bool { return l.halted != nil }
