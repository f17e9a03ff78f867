package connector

import (
	"context"
	"errors"
	"log/slog"

	"smsbridge/connector/journal"
	"smsbridge/connector/kafkaio"
)

// source reads the commands of one partition. What is wrong with the partition
// stays its own: records that were deleted are passed over, a batch that nobody can
// read halts the reading, while what was read before goes on and the other
// partitions notice nothing.
type source struct {
	fetcher *kafkaio.Fetcher
	part    *assigned
	log     *slog.Logger
}

// Next implements intake.Source.
func (s *source) Next(ctx context.Context) ([]kafkaio.Record, error) {
	records, err := s.fetcher.Next(ctx)
	if gone, ok := errors.AsType[*kafkaio.OutOfRangeError](err); ok && gone.Offset < gone.Start {
		s.passOver(gone)
		return nil, nil
	}
	if damaged, ok := errors.AsType[*kafkaio.BatchError](err); ok {
		s.halt(damaged)
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	return records, err
}

// Position implements intake.Source.
func (s *source) Position() int64 { return s.fetcher.Position() }

// passOver goes on at the first record that is left. Retention or a person deleted
// what was not read yet.
func (s *source) passOver(gone *kafkaio.OutOfRangeError) {
	s.log.Error("commands were deleted before they were read, they are passed over",
		"partition", s.part.id, "from", gone.Offset, "until", gone.Start, "offsets", gone.Start-gone.Offset)
	s.part.deleted.Add(gone.Start - gone.Offset)
	s.fetcher.Skip(gone.Start)
}

func (s *source) halt(damaged *kafkaio.BatchError) {
	halt := &journal.Halt{Partition: s.part.id, Reason: journal.HaltCommands, Err: damaged}
	s.part.unreadable.Store(halt)
	s.log.Error("partition halted", "partition", s.part.id, "reason", string(halt.Reason), "error", halt.Err, "remedy", halt.Remedy())
}
