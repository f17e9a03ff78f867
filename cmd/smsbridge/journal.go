package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"smsbridge/config"
	"smsbridge/connector"
	"smsbridge/connector/journal"
)

func journalCommand() *command {
	return &command{
		name: "journal", brief: "look at halted partitions, and decide about them",
		long: "Looks at the journal, which says what was submitted, and holds the ways out of a halt.",
		subs: []*command{{
			name: "status", brief: "tell what is halted and what to do about it",
			long: "Tells first whether any partition is halted, then what the next owner of each would find. Changes nothing.",
			flags: func(flags *flag.FlagSet) action {
				asJSON := flags.Bool("json", false, "print one JSON array")
				return func(ctx context.Context, _ []string, s streams) error {
					return withOperator(ctx, func(o *connector.Operator) error { return journalStatus(ctx, o, *asJSON, s.out) })
				}
			},
		}, {
			name: "adopt", brief: "take the place of another group that wrote into this journal",
			long: "Takes the place of a group that is stopped and stays so, for example after a change of SMSBRIDGE_KAFKA_GROUP.",
			flags: func(flags *flag.FlagSet) action {
				from := flags.String("from", "", "the `GROUP` that is stopped")
				return func(ctx context.Context, _ []string, s streams) error {
					if *from == "" {
						return misuse("adopt needs -from GROUP")
					}
					return withOperator(ctx, func(o *connector.Operator) error { return adopt(ctx, o, *from, s.out) })
				}
			},
		}, {
			name: "accept-loss", brief: "let a partition go on whose journal lost records",
			long: "Says what was lost and what accepting it means; does it with -yes.",
			flags: func(flags *flag.FlagSet) action {
				partition := flags.Int("partition", -1, "the `NUMBER` of the partition")
				yes := flags.Bool("yes", false, "do it")
				return func(ctx context.Context, _ []string, s streams) error {
					if *partition < 0 {
						return misuse("accept-loss needs -partition N")
					}
					return withOperator(ctx, func(o *connector.Operator) error { return acceptLoss(ctx, o, *partition, *yes, s.out) })
				}
			},
		}},
	}
}

// errNotDone is what a command ends with that was only asked what it would do.
var errNotDone = errors.New("nothing was done; add -yes to do it")

// partitionStatus is one partition as it is printed.
type partitionStatus struct {
	Partition int                  `json:"partition"`
	Committed int64                `json:"committed_offset"`
	Fenced    int64                `json:"fenced"`
	Replay    int64                `json:"replay_from"`
	Start     int64                `json:"journal_start"`
	End       int64                `json:"journal_end"`
	Groups    map[string]time.Time `json:"groups"`
	Halt      string               `json:"halt,omitempty"`
	Detail    string               `json:"detail,omitempty"`
	Remedy    string               `json:"remedy,omitempty"`
}

func journalStatus(ctx context.Context, operator *connector.Operator, asJSON bool, stdout io.Writer) error {
	found, err := operator.Status(ctx)
	if err != nil {
		return err
	}
	list := make([]partitionStatus, len(found))
	for i, x := range found {
		list[i] = partitionStatus{
			Partition: x.Partition, Committed: x.Committed, Fenced: x.Fenced, Replay: x.Replay, Start: x.Start, End: x.End, Groups: x.Groups,
		}
		if x.Halt != nil {
			list[i].Halt, list[i].Detail, list[i].Remedy = string(x.Halt.Reason), x.Halt.Err.Error(), x.Halt.Remedy()
		}
	}
	if asJSON {
		encoder := json.NewEncoder(stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(list)
	}
	tellHalts(stdout, list)
	for _, p := range list {
		fmt.Fprintf(stdout, "partition %d: committed %s, fenced %s, replay from %s, journal %s to %s, groups %s\n", p.Partition,
			known(p.Committed), known(p.Fenced), known(p.Replay), known(p.Start), known(p.End), groups(p.Groups))
	}
	return nil
}

// tellHalts says first of all whether anything is halted, and what to do.
func tellHalts(out io.Writer, list []partitionStatus) {
	halted := 0
	for _, p := range list {
		if p.Halt != "" {
			halted++
		}
	}
	if halted == 0 {
		fmt.Fprintf(out, "No partition is halted, of %d.\n\n", len(list))
		return
	}
	fmt.Fprintf(out, "%d of %d partitions are halted:\n", halted, len(list))
	for _, p := range list {
		if p.Halt != "" {
			fmt.Fprintf(out, "HALTED  partition %d, %s: %s\n  remedy  %s\n", p.Partition, p.Halt, p.Detail, p.Remedy)
		}
	}
	fmt.Fprintln(out)
}

func known(n int64) string {
	if n < 0 {
		return "none"
	}
	return fmt.Sprint(n)
}

func groups(all map[string]time.Time) string {
	if len(all) == 0 {
		return "none"
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, fmt.Sprintf("%q (last %s)", name, all[name].UTC().Format(time.RFC3339)))
	}
	return strings.Join(list, ", ")
}

func adopt(ctx context.Context, operator *connector.Operator, from string, stdout io.Writer) error {
	group := operator.Group()
	if err := operator.Adopt(ctx, from); err != nil {
		return err
	}
	fmt.Fprintf(stdout, `Group %q takes the place of group %q:
- what %q submitted within the dedupe window is not submitted again;
- commands that it left open without an answer are told as unknown, or resent once where they ask for that;
- partitions where %q has no offset yet go on at the offset of %q.
%q must be stopped, and stay so: if it comes back its partitions halt.
`, group, from, from, group, from, from)
	fmt.Fprintln(stdout, "Done. A running connector notices within half a minute.")
	return nil
}

func acceptLoss(ctx context.Context, operator *connector.Operator, partition int, yes bool, stdout io.Writer) error {
	loss, err := operator.Loss(ctx, partition)
	if err != nil {
		return err
	}
	halt := loss.Examination.Halt
	if halt == nil {
		return fmt.Errorf("partition %d: %w", partition, journal.ErrNothingLost)
	}
	fmt.Fprintf(stdout, `%v

To accept the loss means for partition %d:
- commands at offsets %d up to, not including, %d may have been submitted without a trace: each without a result in
  the journal is told as unknown and never submitted. Whoever sent them decides; a new command needs a new id;
- ids whose outcome was lost are not known any more: a producer that repeats such a command has it SENT AGAIN;
- a late answer to a command that is told as unknown here no longer revises it.
`, halt, partition, loss.From, loss.Until)
	if !yes {
		return errNotDone
	}
	if err := operator.Accept(ctx, loss); err != nil {
		return err
	}
	fmt.Fprintln(stdout, "Done. A running connector notices within half a minute.")
	return nil
}

func topicsOf(c config.Config) connector.Topics {
	t := connector.Topics{
		Commands: c.Topics.Commands, Results: c.Topics.Results, Reports: c.Topics.Reports,
		Inbound: c.Topics.Inbound, DeadLetter: c.Topics.DeadLetter, Account: c.Topics.Account,
		Journal: c.Topics.Journal, Sendids: c.Topics.Sendids, Pushes: c.Topics.Pushes, Control: c.Topics.Control,
		Suppressions: c.Topics.Suppressions,
	}
	if c.Provider.Exclusive {
		t.Doubts = c.Topics.Doubts
	}
	return t
}
