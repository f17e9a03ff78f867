package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"

	"smsbridge/cmd/smslab/broker"
)

// runBroker serves Kafka's protocol until ctx ends.
func runBroker(ctx context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("broker", flag.ContinueOnError)
	var cfg broker.Config
	fs.StringVar(&cfg.Listen, "listen", "127.0.0.1:9092", "address to listen on, and to be told to clients")
	fs.Func("topics", "topics to create at start, comma-separated", func(s string) error {
		cfg.Topics = strings.Split(s, ",")
		return nil
	})
	fs.IntVar(&cfg.Partitions, "partitions", 12, "partitions of every topic that is created without a number")
	fs.BoolVar(&cfg.AutoCreate, "auto-create", true, "create a topic when a client asks for it")
	fs.StringVar(&cfg.StateDir, "state-dir", "", "keep topics, records and offsets here over a restart; empty: in memory only")
	if err := parse(fs, args); err != nil {
		return err
	}
	b, err := broker.Start(ctx, cfg)
	if err != nil {
		return err
	}
	defer b.Close()
	fmt.Fprintf(out, "broker listening on %s\n", b.Addr())
	<-ctx.Done()
	return nil
}
