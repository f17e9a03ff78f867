package main

import (
	"context"
	"flag"
	"io"
	"time"

	"smsbridge/cmd/smslab/demo"
)

// runDemo shows the main job and adds up.
func runDemo(ctx context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("demo", flag.ContinueOnError)
	length := fs.Duration("for", 20*time.Second, "how long it runs, starting and ending aside")
	if err := parse(fs, args); err != nil {
		return err
	}
	return demo.Run(ctx, out, *length)
}
