// Command smslab is for trying, testing and measuring smsbridge on one machine. It
// is no part of the production binary.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// commands are all there is, in the order of the usage text. Each runs until it
// is done or ctx ends.
var commands = []struct {
	name, does string
	run        func(ctx context.Context, args []string, out io.Writer) error
}{
	{"broker", "an embedded broker that speaks Kafka's protocol", runBroker},
	{"provider", "a simulator of the SMS provider, with faults and a ledger", runProvider},
	{"demo", "the main job on the two above, every output shown, and a summary that adds up", runDemo},
	{"torture", "connectors killed, frozen, restarted; then every promise checked", runTorture},
	{"bench", "the connector measured beside a lean loop without guarantees", runBench},
	{"lean", "that loop, for bench", runLean},
	{"bare", "a push server with nothing but net/http, for bench", runBare},
}

// errUsage is a command line that cannot be meant. What is wrong has been said.
var errUsage = errors.New("usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := dispatch(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "smslab:", err)
		os.Exit(1)
	}
}

func dispatch(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 {
		for _, c := range commands {
			if c.name == args[0] {
				return c.run(ctx, args[1:], out)
			}
		}
	}
	fmt.Fprintln(os.Stderr, "usage: smslab COMMAND [flags]; smslab COMMAND -h lists the flags")
	for _, c := range commands {
		fmt.Fprintf(os.Stderr, "  %-10s %s\n", c.name, c.does)
	}
	return errUsage
}

// parse reads flags and refuses everything else.
func parse(fs *flag.FlagSet, args []string) error {
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return err
	case err != nil:
		return errUsage
	case fs.NArg() > 0:
		fmt.Fprintf(fs.Output(), "smslab %s: unexpected argument %q\n", fs.Name(), fs.Arg(0))
		return errUsage
	}
	return nil
}
