package main

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/connector"
	"smsbridge/connector/control"
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
			class := classFlag(flags)
			return func(ctx context.Context, _ []string, s streams) error {
				classes := control.Classes
				if class.word != "" {
					classes = []sms.Class{sms.Class(class.word)}
				}
				return hold(ctx, name, classes, s)
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

func hold(ctx context.Context, name string, classes []sms.Class, s streams) error {
	return withOperator(ctx, func(operator *connector.Operator) error {
		var names []string
		for _, class := range classes {
			names = append(names, string(class))
			if err := operator.Hold(ctx, class, name == "pause"); err != nil {
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
yet gets the result cancelled. It cannot be taken back.`,
		flags: func(flags *flag.FlagSet) action {
			now := time.Now()
			c := control.Cancellation{Metadata: map[string]string{}}
			before := moment{now}
			flags.StringVar(&c.ID, "id", "", "the command with this `ID`")
			class := classFlag(flags)
			flags.Var(pairs(c.Metadata), "metadata", "commands with this metadata, `NAME=VALUE`; may be given more than once")
			flags.Var(&before, "before", "commands produced before this `TIME`: a duration before now, or a time in UTC; now where it is left out")
			return func(ctx context.Context, _ []string, s streams) error {
				switch {
				case flags.NFlag() == 0:
					return misuse("cancel needs to be told what: -before TIME alone is about everything")
				case before.After(now):
					return misuse("-before is a time to come")
				}
				c.Class, c.Before = sms.Class(class.word), before.Time
				return cancel(ctx, c, s)
			}
		},
	}
}

func cancel(ctx context.Context, c control.Cancellation, s streams) error {
	return withOperator(ctx, func(operator *connector.Operator) error {
		if err := operator.Cancel(ctx, c); err != nil {
			return err
		}
		fmt.Fprintf(s.out, "Ordered: cancel what was produced before %s and fits. Each such command gets its result.\n", c.Before.UTC().Format(time.RFC3339))
		return nil
	})
}
