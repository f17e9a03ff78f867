package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"smsbridge/codec/sms"
	"smsbridge/config"
	"smsbridge/connector"
	"smsbridge/connector/control"
	"smsbridge/connector/kafkaio"
	"smsbridge/connector/trail"
)

func pauseCommand() *command {
	return holdCommand("pause", "hold the commands of a class, or of all, on every instance",
		`Holds the commands of one class, or of all, on every instance until resume. Their validity runs on: what is not
resumed before its end gets the result expired.`)
}

func resumeCommand() *command {
	return holdCommand("resume", "let the commands of a class, or of all, go on",
		"Lets the commands of one class, or of all, go on that pause holds.")
}

func holdCommand(name, brief, long string) *command {
	return &command{
		name: name, brief: brief, long: long,
		flags: func(flags *flag.FlagSet) action {
			class, author := classFlag(flags), authorFlags(flags)
			return func(ctx context.Context, _ []string, s streams) error {
				a, err := author()
				if err != nil {
					return err
				}
				classes := control.Classes
				if class.word != "" {
					classes = []sms.Class{sms.Class(class.word)}
				}
				return hold(ctx, name, classes, a, s)
			}
		},
	}
}

// classFlag adds -class.
func classFlag(flags *flag.FlagSet) *oneOf {
	class := &oneOf{}
	for _, c := range control.Classes {
		class.known = append(class.known, string(c))
	}
	flags.Var(class, "class", "only commands of this `CLASS`: "+strings.Join(class.known, ", "))
	return class
}

// authorFlags adds -by and -reason, and returns what they say.
func authorFlags(flags *flag.FlagSet) func() (control.Author, error) {
	by := flags.String("by", whoami(), "`WHO` orders it")
	reason := flags.String("reason", "", "`WHY`; it stands in the order, in the log and in explain")
	return func() (control.Author, error) {
		for name, text := range map[string]string{"by": *by, "reason": *reason} {
			const most = 200
			switch {
			case len(text) > most || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl):
				return control.Author{}, misuse("-%s is not one line of text within %d bytes", name, most)
			case trail.Mask(text) != text:
				return control.Author{}, misuse("-%s holds a phone number, and stands in logs; leave it out", name)
			}
		}
		return control.Author{By: *by, Reason: *reason}, nil
	}
}

// whoami is the system's user and host.
func whoami() string {
	name := strconv.Itoa(os.Getuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		return name
	}
	return name + "@" + host
}

func hold(ctx context.Context, name string, classes []sms.Class, a control.Author, s streams) error {
	return withOperator(ctx, func(operator *connector.Operator) error {
		var names []string
		for _, class := range classes {
			names = append(names, string(class))
			if err := operator.Hold(ctx, class, name == "pause", a); err != nil {
				return err
			}
		}
		fmt.Fprintf(s.out, "Ordered: %s %s. Running instances follow within seconds; /api/status tells what is held.\n", name, strings.Join(names, ", "))
		return nil
	})
}

func cancelCommand() *command {
	return &command{
		name: "cancel", brief: "call off commands that wait",
		long: `Calls off the commands that fit all that is given and were produced before a time: each that is not submitted
yet gets the result cancelled. It counts them first, and does it with -yes. It cannot be taken back.`,
		flags: func(flags *flag.FlagSet) action {
			now := time.Now()
			c := control.Cancellation{Metadata: map[string]string{}}
			before := moment{now}
			flags.StringVar(&c.ID, "id", "", "the command with this `ID`")
			class := classFlag(flags)
			flags.Var(pairs(c.Metadata), "metadata", "commands with this metadata, `NAME=VALUE`; may be given more than once")
			flags.Var(&before, "before", "commands produced before this `TIME`: a duration before now, or a time in UTC; now where it is left out")
			yes := flags.Bool("yes", false, "do it")
			author := authorFlags(flags)
			return func(ctx context.Context, _ []string, s streams) error {
				a, err := author()
				switch {
				case err != nil:
					return err
				case c.ID == "" && class.word == "" && len(c.Metadata) == 0 && before.Equal(now):
					return misuse("cancel needs to be told what: -before TIME alone is about everything")
				case before.After(now):
					return misuse("-before is a time to come")
				}
				c.Class, c.Before = sms.Class(class.word), before.Time
				return cancel(ctx, c, a, *yes, s)
			}
		},
	}
}

func cancel(ctx context.Context, order control.Cancellation, a control.Author, yes bool, s streams) error {
	return withKafka(ctx, func(c config.Config, client *kafkaio.Client) error {
		counts, oldest, all := map[string]int{}, time.Time{}, 0
		err := trail.Waiting(ctx, readerOf(client, s.err), trailTopics(c), c.Kafka.Group, func(cmd *sms.Command) error {
			if !order.Fits(cmd) {
				return nil
			}
			counts[string(cmd.Class)]++
			all++
			if oldest.IsZero() || cmd.At.Before(oldest) {
				oldest = cmd.At
			}
			return nil
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "to be cancelled, produced before %s: %d commands\n", order.Before.UTC().Format(time.RFC3339), all)
		for _, class := range slices.Sorted(maps.Keys(counts)) {
			fmt.Fprintf(s.out, "  %-12s %d\n", class, counts[class])
		}
		if all > 0 {
			fmt.Fprintf(s.out, "  the oldest of %s\n", oldest.UTC().Format(time.RFC3339))
		}
		if !yes {
			fmt.Fprintln(s.out, "A dry run: nothing was ordered. -yes does it.")
			return nil
		}
		return operate(c, client, func(operator *connector.Operator) error {
			if err := operator.Cancel(ctx, order, a); err != nil {
				return err
			}
			fmt.Fprintln(s.out, "Ordered. Each such command that is not submitted yet gets its result.")
			return nil
		})
	})
}
