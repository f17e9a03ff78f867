package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"

	"smsbridge/config"
	"smsbridge/connector/trail"
)

func auditCommand() *command {
	return &command{
		name: "audit", brief: "hold the promises against the topics",
		long: `Holds the promises against the topics: every committed command has a result, none was submitted twice by itself.
Exits with 1 where one was broken. -since and -until are about when the commands were written.`,
		flags: func(flags *flag.FlagSet) action {
			asJSON := flags.Bool("json", false, "print one JSON object")
			span := spanFlags(flags)
			return func(ctx context.Context, _ []string, s streams) error { return audit(ctx, span(), *asJSON, s) }
		},
	}
}

// errBroken is what audit ends with when a promise was broken.
var errBroken = errors.New("a promise was broken, see above")

func audit(ctx context.Context, span trail.Span, asJSON bool, s streams) error {
	return withReader(ctx, s.err, func(c config.Config, r trail.Reader) error {
		found, err := trail.Check(ctx, r, trailTopics(c), trail.AuditQuery{
			Group: c.Kafka.Group, Span: span, Window: c.Commands.DedupeWindow,
		})
		if err != nil {
			return err
		}
		if asJSON {
			err = json.NewEncoder(s.out).Encode(found)
		} else {
			tellAudit(s.out, found)
		}
		if err == nil && found.Broken() {
			err = errBroken
		}
		return err
	})
}

func tellAudit(out io.Writer, a *trail.Audit) {
	const layout = "2006-01-02T15:04:05Z"
	fmt.Fprintf(out, "commands from %s to %s\n", a.Since.Format(layout), a.Until.Format(layout))
	line := func(what string, n int64) { fmt.Fprintf(out, "%-40s %d\n", what, n) }
	line("commands", int64(a.Commands))
	line("waiting, not committed", int64(a.Waiting))
	for _, status := range slices.Sorted(maps.Keys(a.Statuses)) {
		line("result "+status, int64(a.Statuses[status]))
	}
	for _, reason := range slices.Sorted(maps.Keys(a.Reasons)) {
		line("  "+reason, int64(a.Reasons[reason]))
	}
	line("billable segments", a.Billable)
	line("sent again as asked, flagged", int64(a.Resent))
	line("BROKEN: committed without result", int64(a.Missing.Count))
	line("BROKEN: submitted twice", int64(a.Twice.Count))
	for _, at := range slices.Concat(a.Missing.First, a.Twice.First) {
		fmt.Fprintf(out, "  %s\n", at)
	}
	for _, note := range a.Notes {
		fmt.Fprintf(out, "note: %s\n", note)
	}
}
