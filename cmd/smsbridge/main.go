// Command smsbridge carries send commands from a Kafka topic to an SMS provider,
// and results, delivery reports and inbound messages back to topics.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"smsbridge/config"
)

// Exit codes.
const (
	exitStopped = 0 // stopped as asked
	exitFailed  = 1 // failed while running
	exitUsage   = 2 // wrong configuration or usage
)

func main() {
	os.Exit(dispatch(os.Args[1:], os.Stdout, os.Stderr))
}

// dispatch runs a command line and returns the exit code.
func dispatch(args []string, stdout, stderr io.Writer) int {
	ctx, stop := untilSignal()
	defer stop()
	err := smsbridge().run(ctx, args, streams{stdout, stderr})
	if err == nil {
		return exitStopped
	}
	fmt.Fprintln(stderr, "smsbridge:", err)
	if _, misused := errors.AsType[*usageError](err); misused {
		return exitUsage
	}
	if _, wrong := errors.AsType[config.Faults](err); wrong {
		return exitUsage
	}
	return exitFailed
}

// smsbridge is the whole command line, in the order of its help.
func smsbridge() *command {
	return &command{
		name: "smsbridge",
		long: `smsbridge carries send commands from Kafka to an SMS provider, and results, delivery reports and inbound
messages back. Only smsbridge run submits texts. The configuration is the SMSBRIDGE_ variables of the
environment alone; run and check need all of it, every other command the Kafka settings only.`,
		subs: []*command{
			runCommand(), checkCommand(), topicsCommand(), configCommand(),
			explainCommand(), auditCommand(), redriveCommand(),
			pauseCommand(), resumeCommand(), cancelCommand(), suppressCommand(), journalCommand(),
			completionCommand(), versionCommand(),
		},
	}
}

// untilSignal returns a context that the first signal ends. The second one
// finds the default again, which ends the process at once: whoever asks twice
// does not want to wait for the drain.
func untilSignal() (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

func configCommand() *command {
	return &command{
		name: "config", brief: "print the effective configuration and every variable with its default",
		long: "Prints every variable with its value, its default and what it is for, as an environment file. Secrets are stars.",
		flags: func(*flag.FlagSet) action {
			return func(_ context.Context, _ []string, s streams) error { return printConfig(s) }
		},
	}
}

// printConfig prints what it could read also where something is wrong: it is
// how one finds out what. What run and check need may be missing here.
func printConfig(s streams) error {
	c, err := config.Load()
	faults, _ := errors.AsType[config.Faults](err)
	missing := func(f config.Fault) bool { return f.Missing }
	for _, f := range faults {
		if missing(f) {
			fmt.Fprintf(s.err, "note: run and check need %s, which %s\n", f.Variable, f.Rule)
		}
	}
	err = c.Print(s.out)
	if faults = slices.DeleteFunc(faults, missing); len(faults) > 0 {
		err = errors.Join(err, faults)
	}
	return err
}
