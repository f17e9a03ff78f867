package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"smsbridge/codec/sms"
	"smsbridge/connector"
	"smsbridge/connector/control"
)

const ordersUsage = `usage: smsbridge pause  [-class otp|notice|marketing]
       smsbridge resume [-class otp|notice|marketing]
       smsbridge cancel [-id ID] [-class CLASS] [-metadata NAME=VALUE]... [-before TIME]

pause holds the commands of one class, or of all, on every instance until resume; their validity runs on.
cancel is about the commands that fit everything given and were produced before TIME (a duration before now, or a
time in UTC; now where it is left out): each that is not submitted yet gets the result cancelled. It cannot be taken back.
`

func pauseCommand(ctx context.Context, args []string, stdout, _ io.Writer) error {
	return holdCommand(ctx, "pause", args, stdout)
}

func resumeCommand(ctx context.Context, args []string, stdout, _ io.Writer) error {
	return holdCommand(ctx, "resume", args, stdout)
}

func holdCommand(ctx context.Context, name string, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	class := flags.String("class", "", "")
	if err := parseAlone(flags, args, ordersUsage); err != nil {
		return err
	}
	if err := knownClass(*class); err != nil {
		return err
	}
	classes := control.Classes
	if *class != "" {
		classes = []sms.Class{sms.Class(*class)}
	}
	return withOperator(ctx, func(operator *connector.Operator) error {
		var names []string
		for _, class := range classes {
			names = append(names, string(class))
			if err := operator.Hold(ctx, class, name == "pause"); err != nil {
				return err
			}
		}
		fmt.Fprintf(stdout, "Ordered: %s %s. Running instances follow within seconds; /api/status tells what is held.\n", name, strings.Join(names, ", "))
		return nil
	})
}

func cancelCommand(ctx context.Context, args []string, stdout, _ io.Writer) error {
	c, err := parseCancel(args, time.Now())
	if err != nil {
		return err
	}
	return withOperator(ctx, func(operator *connector.Operator) error {
		if err := operator.Cancel(ctx, c); err != nil {
			return err
		}
		fmt.Fprintf(stdout, "Ordered: cancel what was produced before %s and fits. Each such command gets its result.\n", c.Before.UTC().Format(time.RFC3339))
		return nil
	})
}

func parseCancel(args []string, now time.Time) (control.Cancellation, error) {
	c := control.Cancellation{Metadata: map[string]string{}}
	before := moment{now}
	flags := flag.NewFlagSet("cancel", flag.ContinueOnError)
	flags.StringVar(&c.ID, "id", "", "")
	class := flags.String("class", "", "")
	flags.Var(pairs(c.Metadata), "metadata", "")
	flags.Var(&before, "before", "")
	if err := parseAlone(flags, args, ordersUsage); err != nil {
		return c, err
	}
	switch {
	case flags.NFlag() == 0:
		return c, misuse(errors.New("cancel needs to be told what: -before TIME alone is about everything"), ordersUsage)
	case before.After(now):
		return c, misuse(errors.New("-before is a time to come"), ordersUsage)
	}
	c.Class, c.Before = sms.Class(*class), before.Time
	return c, knownClass(*class)
}

// knownClass fails for what is neither a class nor empty, which is all of them.
func knownClass(class string) error {
	if class == "" || slices.Contains(control.Classes, sms.Class(class)) {
		return nil
	}
	return misuse(fmt.Errorf("-class %q is none", class), ordersUsage)
}
