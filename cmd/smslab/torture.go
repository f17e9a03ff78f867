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
	alone(fs, &o)
	fs.StringVar(&o.AdminBrokers, "admin-brokers", "", "brokers at which the lab itself may do everything; it then gives the connectors' user its rights")
	fs.StringVar(&o.Dir, "logs", "", "folder for the logs; empty: a temporary one, kept only after a failure")
	if err := parse(fs, args); err != nil {
		return err
	}
	return torture.Run(ctx, out, o)
}

// alone are faults that are one record's, text's, key's, class's or partition's.
func alone(fs *flag.FlagSet, o *torture.Options) {
	for _, f := range []struct {
		to         *int
		name, does string
	}{
		{&o.Poisons, "poisons", "records with keys of 5 KB and 1 MB come, one of them unreadable"},
		{&o.Unreadables, "unreadable-batches", "a batch comes that cannot be unpacked, and is given up by smsbridge skip"},
		{&o.Deletions, "deletions", "records above the committed offset are deleted"},
		{&o.Forbids, "forbidden-texts", "texts come for a while that a gateway answers by 403"},
		{&o.Throttles, "throttled-keys", "the numbers of 60 keys of a partition are answered by 429 for a while"},
		{&o.Pauses, "pauses", "marketing is paused and resumed"},
		{&o.ListStops, "list-stops", "SIGTERM and start of a connector while lists of 60 parts are under way"},
	} {
		fs.IntVar(f.to, f.name, 0, f.does+", so many times")
	}
}
