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

const journalUsage = `usage: smsbridge journal status [-json]
       smsbridge journal adopt -from GROUP
       smsbridge journal accept-loss -partition N [-yes]

Without -yes, accept-loss says what it would do, and does nothing.
`

// errNotDone is what a command ends with that was only asked what it would do.
var errNotDone = errors.New("nothing was done; add -yes to do it")

// order is one journal command with its arguments.
type order struct {
	name      string
	json, yes bool
	from      string
	partition int
}

func parseOrder(args []string) (order, error) {
	o := order{partition: -1}
	if len(args) > 0 {
		o.name, args = args[0], args[1:]
	}
	flags := flag.NewFlagSet(o.name, flag.ContinueOnError)
	switch o.name {
	case "status":
		flags.BoolVar(&o.json, "json", false, "")
	case "adopt":
		flags.StringVar(&o.from, "from", "", "")
	case "accept-loss":
		flags.IntVar(&o.partition, "partition", -1, "")
		flags.BoolVar(&o.yes, "yes", false, "")
	default:
		return o, misuse(fmt.Errorf("unknown journal command %q", o.name), journalUsage)
	}
	if err := parseAlone(flags, args, journalUsage); err != nil {
		return o, err
	}
	switch {
	case o.name == "adopt" && o.from == "":
		return o, misuse(errors.New("adopt needs -from GROUP"), journalUsage)
	case o.name == "accept-loss" && o.partition < 0:
		return o, misuse(errors.New("accept-loss needs -partition N"), journalUsage)
	}
	return o, nil
}

// journalCommand looks at the journal or decides about halted partitions.
func journalCommand(ctx context.Context, args []string, stdout, _ io.Writer) error {
	o, err := parseOrder(args)
	if err != nil {
		return err
	}
	return withOperator(ctx, func(operator *connector.Operator) error {
		switch o.name {
		case "adopt":
			return adopt(ctx, operator, o, stdout)
		case "accept-loss":
			return acceptLoss(ctx, operator, o, stdout)
		default:
			return status(ctx, operator, o, stdout)
		}
	})
}

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

func status(ctx context.Context, operator *connector.Operator, o order, stdout io.Writer) error {
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
			list[i].Halt, list[i].Detail, list[i].Remedy = string(x.Halt.Reason), x.Halt.Err.Error(), x.Halt.Reason.Remedy()
		}
	}
	if o.json {
		encoder := json.NewEncoder(stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(list)
	}
	for _, p := range list {
		fmt.Fprintf(stdout, "partition %d: committed %s, fenced %s, replay from %s, journal %s to %s, groups %s\n", p.Partition,
			known(p.Committed), known(p.Fenced), known(p.Replay), known(p.Start), known(p.End), groups(p.Groups))
		if p.Halt != "" {
			fmt.Fprintf(stdout, "  HALTED  %s: %s\n  remedy  %s\n", p.Halt, p.Detail, p.Remedy)
		}
	}
	return nil
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

func adopt(ctx context.Context, operator *connector.Operator, o order, stdout io.Writer) error {
	group := operator.Group()
	if err := operator.Adopt(ctx, o.from); err != nil {
		return err
	}
	fmt.Fprintf(stdout, `Group %q takes the place of group %q:
- what %q submitted within the dedupe window is not submitted again;
- commands that it left open without an answer are told as unknown, or resent once where they ask for that;
- partitions where %q has no offset yet go on at the offset of %q.
%q must be stopped, and stay so: if it comes back its partitions halt.
`, group, o.from, o.from, group, o.from, o.from)
	fmt.Fprintln(stdout, "Done. A running connector notices within half a minute.")
	return nil
}

func acceptLoss(ctx context.Context, operator *connector.Operator, o order, stdout io.Writer) error {
	loss, err := operator.Loss(ctx, o.partition)
	if err != nil {
		return err
	}
	halt := loss.Examination.Halt
	if halt == nil {
		return fmt.Errorf("partition %d: %w", o.partition, journal.ErrNothingLost)
	}
	fmt.Fprintf(stdout, `%v

To accept the loss means for partition %d:
- commands at offsets %d up to, not including, %d may have been submitted without a trace: each without a result in
  the journal is told as unknown and never submitted. Whoever sent them decides; a new command needs a new id;
- ids whose outcome was lost are not known any more: a producer that repeats such a command has it SENT AGAIN;
- a late answer to a command that is told as unknown here no longer revises it.
`, halt, o.partition, loss.From, loss.Until)
	if !o.yes {
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
	}
	if c.Provider.Exclusive {
		t.Doubts = c.Topics.Doubts
	}
	return t
}
