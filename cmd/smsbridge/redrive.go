package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"smsbridge/codec/sms"
	"smsbridge/config"
	"smsbridge/connector/kafkaio"
	"smsbridge/connector/trail"
)

func redriveCommand() *command {
	return &command{
		name: "redrive", brief: "put the commands of chosen results on their topic again",
		long: `Puts the commands of chosen results on their topic again: same record, same key, another id (ID.redrive-1, then
-2), so that a second run over the same results is answered duplicate. Without -yes it counts, and does nothing.
What was accepted, even in part, is never sent again. -since and -until are about when the result was reached.`,
		flags: func(flags *flag.FlagSet) action {
			var o redriveOrder
			var statuses, reasons, ids list
			flags.Var(&statuses, "status", "`STATUS` of the final result, separated by commas: rejected, failed, expired, cancelled, invalid")
			flags.Var(&reasons, "reason", "`REASON` of the result, separated by commas")
			flags.Var(&ids, "id", "`ID` of the command, separated by commas")
			flags.DurationVar(&o.validFor, "valid-for", 0, "new expires_at, this `DURATION` from now; the validity of the class still counts")
			flags.Float64Var(&o.perSecond, "rate", 100, "at most this `NUMBER` of commands a second (100)")
			flags.BoolVar(&o.selection.IncludeUnknown, "include-unknown", false, "also those that may have been accepted: PEOPLE MAY GET THEM TWICE")
			flags.BoolVar(&o.yes, "yes", false, "do it")
			span := spanFlags(flags)
			return func(ctx context.Context, _ []string, s streams) error {
				o.selection.IDs, o.selection.Span = ids, span()
				if err := o.choose(statuses, reasons); err != nil {
					return err
				}
				return redrive(ctx, o, s)
			}
		},
	}
}

// list is a flag of words, separated by commas.
type list []string

// String implements flag.Value.
func (l *list) String() string { return strings.Join(*l, ",") }

// Set implements flag.Value.
func (l *list) Set(text string) error {
	*l = append(*l, strings.Split(text, ",")...)
	return nil
}

// redriveOrder is what was asked for.
type redriveOrder struct {
	selection trail.Selection
	validFor  time.Duration
	perSecond float64
	yes       bool
}

// choose judges what is to be sent again.
func (o *redriveOrder) choose(statuses, reasons list) (err error) {
	if o.selection.IncludeUnknown {
		statuses = append(statuses, string(sms.Unknown))
	}
	switch {
	case len(statuses) == 0:
		err = errors.New("-status is needed")
	case o.perSecond <= 0:
		err = errors.New("-rate must be above 0")
	case o.validFor < 0:
		err = errors.New("-valid-for must not be negative")
	}
	for _, status := range statuses {
		if !trail.Redrivable(sms.Status(status), o.selection.IncludeUnknown) {
			err = errors.Join(err, fmt.Errorf("-status %s: such commands are not sent again", status))
		}
		o.selection.Statuses = append(o.selection.Statuses, sms.Status(status))
	}
	for _, reason := range reasons {
		o.selection.Reasons = append(o.selection.Reasons, sms.Reason(reason))
	}
	if err != nil {
		return misuse("%w", err)
	}
	return nil
}

func redrive(ctx context.Context, o redriveOrder, s streams) error {
	return withReader(ctx, s.err, func(c config.Config, r trail.Reader) error {
		chosen, left, err := trail.Choose(ctx, r, trailTopics(c), o.selection)
		if err != nil {
			return err
		}
		renewal := trail.Renewal{ValidFor: o.validFor, Signature: c.Provider.Signature}
		counts := redriveCounts{left: left, by: map[string]int{}}
		gone, err := trail.Fetch(ctx, r, chosen, renewal, counts.add)
		if err != nil {
			return err
		}
		for why, n := range gone {
			counts.left[why] += n
		}
		counts.tell(s.out)
		switch {
		case counts.commands == 0:
			fmt.Fprintln(s.out, "Nothing to send again.")
			return nil
		case !o.yes:
			fmt.Fprintln(s.out, "A dry run: nothing was put on the topic. -yes does it.")
			return nil
		}
		return sendAgain(ctx, r, chosen, renewal, o.perSecond, counts.commands, s.out)
	})
}

// redriveCounts is what a redrive is about to do.
type redriveCounts struct {
	commands, recipients, segments int
	by                             map[string]int
	left                           trail.Left
}

func (n *redriveCounts) add(a trail.Again) error {
	n.commands++
	n.recipients += a.Recipients
	n.segments += a.Segments
	n.by[strings.TrimSpace(string(a.Status)+" "+string(a.Reason))]++
	return nil
}

func (n *redriveCounts) tell(out io.Writer) {
	fmt.Fprintf(out, "to be sent again: %d commands, %d recipients, %d segments\n", n.commands, n.recipients, n.segments)
	for _, what := range slices.Sorted(maps.Keys(n.by)) {
		fmt.Fprintf(out, "  %-32s %d\n", what, n.by[what])
	}
	for _, why := range slices.Sorted(maps.Keys(n.left)) {
		fmt.Fprintf(out, "left as they are: %d, %s\n", n.left[why], why)
	}
}

// progressPause is between two lines of progress.
const progressPause = 2 * time.Second

// sendAgain writes the commands, no faster than the rate. Whatever ends it, it
// may be run again: what is written already is then a duplicate.
func sendAgain(ctx context.Context, r trail.Reader, chosen []trail.Chosen, n trail.Renewal, perSecond float64, all int, stdout io.Writer) (err error) {
	producer := r.Kafka.NewProducer(kafkaio.ProducerConfig{})
	defer func() { err = errors.Join(err, producer.Close(context.WithoutCancel(ctx))) }()
	limit := rate.NewLimiter(rate.Limit(perSecond), 1)
	sent, told := 0, time.Now()
	_, err = trail.Fetch(ctx, r, chosen, n, func(a trail.Again) error {
		if err := limit.Wait(ctx); err != nil {
			return err
		}
		if _, err := producer.Produce(ctx, a.Message); err != nil {
			return err
		}
		sent++
		if time.Since(told) > progressPause {
			told = time.Now()
			fmt.Fprintf(stdout, "%d of %d\n", sent, all)
		}
		return nil
	})
	fmt.Fprintf(stdout, "%d of %d commands are on their topic again\n", sent, all)
	return err
}
