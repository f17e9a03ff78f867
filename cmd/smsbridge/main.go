// Command smsbridge carries send commands from a Kafka topic to an SMS provider,
// and results, delivery reports and inbound messages back to topics.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"smsbridge/config"
)

// Exit codes.
const (
	exitStopped = 0 // stopped as asked
	exitFailed  = 1 // failed while running
	exitUsage   = 2 // wrong configuration or usage
)

const usage = `usage: smsbridge [command]

  run      carry commands until SIGTERM or SIGINT (the default)
  check    validate the configuration, reach Kafka and the provider, send nothing
  topics   print the commands that create the topics and give the rights
  explain  COMMAND_ID | -to | -key | -metadata: all that happened to a command
  pause, resume, cancel: hold the commands of a class, or of all, or call off what
           waits; on every instance
  audit    hold the promises against the topics
  redrive  put the commands of chosen results on their topic again
  journal  status | adopt -from GROUP | accept-loss -partition N: look at halted
           partitions and decide about them
  config   print the effective configuration and every variable with its default
  version  print the version

The configuration is the environment's SMSBRIDGE_ variables alone; see smsbridge config.
`

func main() {
	os.Exit(dispatch(os.Args[1:], os.Stdout, os.Stderr))
}

// errUsage marks errors that end with exitUsage.
var errUsage = errors.New("see smsbridge help")

func dispatch(args []string, stdout, stderr io.Writer) int {
	err := command(args, stdout, stderr)
	var faults config.Faults
	switch {
	case err == nil:
		return exitStopped
	case errors.As(err, &faults), errors.Is(err, errUsage):
		fmt.Fprintln(stderr, "smsbridge:", err)
		return exitUsage
	default:
		fmt.Fprintln(stderr, "smsbridge:", err)
		return exitFailed
	}
}

// tools are the commands that take arguments.
var tools = map[string]func(ctx context.Context, args []string, stdout, stderr io.Writer) error{
	"topics":  topicsCommand,
	"journal": journalCommand,
	"explain": explainCommand,
	"pause":   pauseCommand,
	"resume":  resumeCommand,
	"cancel":  cancelCommand,
	"audit":   auditCommand,
	"redrive": redriveCommand,
}

func command(args []string, stdout, stderr io.Writer) error {
	name := "run"
	if len(args) > 0 {
		name = args[0]
	}
	if tool, found := tools[name]; found {
		ctx, stop := untilSignal()
		defer stop()
		return tool(ctx, args[1:], stdout, stderr)
	}
	if len(args) > 1 {
		return fmt.Errorf("%q: %s takes no arguments, its settings are environment variables; %w", args[1], name, errUsage)
	}
	switch name {
	case "run":
		ctx, stop := untilSignal()
		defer stop()
		return run(ctx, stderr)
	case "check":
		ctx, stop := untilSignal()
		defer stop()
		return check(ctx, stdout)
	case "config":
		return printConfig(stdout)
	case "version":
		_, err := fmt.Fprintln(stdout, version())
		return err
	case "help", "-h", "-help", "--help":
		_, err := io.WriteString(stdout, usage)
		return err
	default:
		return fmt.Errorf("unknown command %q; %w", name, errUsage)
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

// printConfig prints what it could read also where something is wrong: it is
// how one finds out what.
func printConfig(w io.Writer) error {
	c, err := config.Load()
	return errors.Join(c.Print(w), err)
}
