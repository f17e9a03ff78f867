package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"smsbridge/cmd/smslab/bench"
)

// runBench measures the connector beside a lean loop.
func runBench(ctx context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	var o bench.Options
	fs.BoolVar(&o.Short, "short", false, "a quick look, with rough numbers")
	fs.IntVar(&o.Rounds, "rounds", 3, "of each contender, in turns")
	fs.IntVar(&o.IDs, "ids", 0, "to be remembered where that is measured; 0: a million")
	fs.Func("only", "what to measure, comma-separated: "+strings.Join(bench.Parts(), ","), func(list string) error {
		for name := range strings.SplitSeq(list, ",") {
			if !slices.Contains(bench.Parts(), name) {
				return fmt.Errorf("there is no %q", name)
			}
			o.Only = append(o.Only, name)
		}
		return nil
	})
	if err := parse(fs, args); err != nil {
		return err
	}
	return bench.Run(ctx, out, o)
}

// runLean runs the loop that bench compares with.
func runLean(ctx context.Context, args []string, _ io.Writer) error {
	fs := flag.NewFlagSet("lean", flag.ContinueOnError)
	var l bench.Lean
	brokers := fs.String("brokers", "127.0.0.1:9092", "comma-separated")
	fs.StringVar(&l.Commands, "commands", "sms.commands", "topic to read")
	fs.StringVar(&l.Results, "results", "sms.results", "topic to write")
	fs.StringVar(&l.Group, "group", "lean", "consumer group")
	fs.StringVar(&l.URL, "url", "http://127.0.0.1:8090/sms", "where to submit")
	fs.StringVar(&l.Name, "name", "", "of the account")
	fs.StringVar(&l.Password, "password", "", "of the account")
	fs.IntVar(&l.InFlight, "in-flight", 256, "submits at the same time")
	if err := parse(fs, args); err != nil {
		return err
	}
	l.Brokers = strings.Split(*brokers, ",")
	return l.Run(ctx)
}

// runBare runs the push server that bench compares with.
func runBare(ctx context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("bare", flag.ContinueOnError)
	brokers := fs.String("brokers", "127.0.0.1:9092", "comma-separated")
	topic := fs.String("topic", "sms.reports", "topic to write")
	listen := fs.String("listen", "127.0.0.1:0", "address to listen on")
	if err := parse(fs, args); err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", *listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "bare server listening on %s\n", listener.Addr())
	return bench.Bare(ctx, listener, strings.Split(*brokers, ","), *topic)
}
