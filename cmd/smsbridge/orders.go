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
cancel is about the commands that fit everything given and were produced before TIME (RFC 3339; now where it is
left out): each that is not submitted yet gets the result cancelled. It cannot be taken back.
`

func pauseCommand(ctx context.Context, args []string, stdout, _ io.Writer) error {
	return holdCommand(ctx, "pause", args, stdout)
}

func resumeCommand(ctx context.Context, args []string, stdout, _ io.Writer) error {
	return holdCommand(ctx, "resume", args, stdout)
}

func holdCommand(ctx context.Context, name string, args []string, stdout io.Writer) error {
	flags := newOrderFlags(name)
	class := flags.String("class", "", "")
	if err := flags.parse(args); err != nil {
		return err
	}
	classes := control.Classes
	if *class != "" {
		if err := flags.knows(*class); err != nil {
			return err
		}
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
	c := control.Cancellation{Before: now, Metadata: map[string]string{}}
	flags := newOrderFlags("cancel")
	flags.StringVar(&c.ID, "id", "", "")
	class := flags.String("class", "", "")
	flags.Func("metadata", "", func(pair string) error {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return errors.New("is not NAME=VALUE")
		}
		c.Metadata[name] = value
		return nil
	})
	flags.Func("before", "", func(text string) error {
		before, err := time.Parse(time.RFC3339, text)
		if err != nil || before.After(now) {
			return errors.New("is no time in RFC 3339, or one to come")
		}
		c.Before = before
		return nil
	})
	if err := flags.parse(args); err != nil {
		return c, err
	}
	if flags.NFlag() == 0 {
		return c, flags.fault(errors.New("cancel needs to be told what: -before TIME alone is about everything"))
	}
	c.Class = sms.Class(*class)
	if *class == "" {
		return c, nil
	}
	return c, flags.knows(*class)
}

// orderFlags are flags whose faults explain the orders.
type orderFlags struct{ *flag.FlagSet }

func newOrderFlags(name string) orderFlags {
	flags := orderFlags{flag.NewFlagSet(name, flag.ContinueOnError)}
	flags.SetOutput(io.Discard)
	return flags
}

func (f orderFlags) parse(args []string) error {
	err := f.Parse(args)
	if err == nil && f.NArg() > 0 {
		err = fmt.Errorf("%q is not known", f.Arg(0))
	}
	return f.fault(err)
}

func (f orderFlags) knows(class string) error {
	if slices.Contains(control.Classes, sms.Class(class)) {
		return nil
	}
	return f.fault(fmt.Errorf("-class %q is none", class))
}

func (f orderFlags) fault(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w; %w\n%s", err, errUsage, ordersUsage)
}
