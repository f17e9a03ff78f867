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

const auditUsage = `usage: smsbridge audit [-since T] [-until T] [-json]

Holds the promises against the topics: every committed command has a result,
none was submitted twice by itself. Exits with 1 where one was broken.

  -since, -until  when the commands were written: a duration before now, or a
                  time in UTC; the last 48h where nothing is said
`

// errBroken is what audit ends with when a promise was broken.
var errBroken = errors.New("a promise was broken, see above")

func auditCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("audit", flag.ContinueOnError)
	var asJSON bool
	flags.BoolVar(&asJSON, "json", false, "")
	span := spanFlags(flags)
	if err := parseAlone(flags, args, auditUsage); err != nil {
		return err
	}
	return withReader(ctx, stderr, func(c config.Config, r trail.Reader) error {
		audit, err := trail.Check(ctx, r, trailTopics(c), trail.AuditQuery{
			Group: c.Kafka.Group, Span: span(), Window: c.Commands.DedupeWindow,
		})
		if err != nil {
			return err
		}
		if asJSON {
			err = json.NewEncoder(stdout).Encode(audit)
		} else {
			tellAudit(stdout, audit)
		}
		if err == nil && audit.Broken() {
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
