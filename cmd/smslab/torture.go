package main

import (
	"context"
	"flag"
	"io"
	"strings"
	"time"

	"smsbridge/cmd/smslab/torture"
)

// runTorture takes connectors apart and judges what came of it.
func runTorture(ctx context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("torture", flag.ContinueOnError)
	var o torture.Options
	fs.DurationVar(&o.For, "for", time.Minute, "how long commands come and faults strike")
	fs.IntVar(&o.Commands, "commands", 20_000, "commands in all")
	fs.IntVar(&o.Connectors, "connectors", 3, "instances of smsbridge")
	fs.Func("roles", "ROLES of each instance, in turns, with semicolons between: intake,push;correlate; empty: every role in each", func(s string) error {
		o.Roles = strings.Split(s, ";")
		return nil
	})
	fs.IntVar(&o.InFlight, "in-flight", 64, "submits that may be in flight in each")
	fs.Float64Var(&o.Repeats, "repeats", 0.01, "share of commands that repeat an earlier id")
	fs.Uint64Var(&o.Seed, "seed", 1, "of everything that is drawn")
	fs.IntVar(&o.Kills, "kills", 10, "kill -9 of a connector")
	fs.IntVar(&o.Freezes, "freezes", 4, "SIGSTOP and SIGCONT of a connector, half of them for longer than the session")
	fs.IntVar(&o.Restarts, "restarts", 4, "SIGTERM and start of a connector")
	fs.IntVar(&o.BrokerKills, "broker-kills", 1, "brokers killed and started again; the embedded one is frozen instead")
	fs.IntVar(&o.Joins, "joins", 2, "times that one more connector comes and leaves again")
	fs.IntVar(&o.Outages, "kafka-outages", 0, "times that all brokers are away at once")
	fs.DurationVar(&o.Outage, "outage", 30*time.Second, "how long each of these lasts")
	fs.IntVar(&o.Brokers, "brokers", 3, "brokers to choose from")
	fs.StringVar(&o.BrokerKill, "broker-kill", "", "shell command that kills broker {n}")
	fs.StringVar(&o.BrokerStart, "broker-start", "", "shell command that starts broker {n} again")
	fs.BoolVar(&o.ProviderFaults, "provider-faults", true, "lost, cut and wrong answers, 429, refused account")
	fs.StringVar(&o.AdminBrokers, "admin-brokers", "", "brokers at which the lab itself may do everything; it then gives the connectors' user its rights")
	fs.StringVar(&o.Dir, "logs", "", "folder for the logs; empty: a temporary one, kept only after a failure")
	if err := parse(fs, args); err != nil {
		return err
	}
	return torture.Run(ctx, out, o)
}
