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
	"strings"

	"smsbridge/config"
	"smsbridge/connector/trail"
)

const explainUsage = `usage: smsbridge explain [COMMAND_ID] [-to NUMBER] [-key KEY] [-metadata NAME=VALUE]...
                         [-since T] [-until T] [-json] [-show-numbers]

Tells all that happened to commands, from record to last report, in order of
time. What is given must all fit; -key reads one partition instead of all.

  -since, -until  when the commands were written: a duration before now, or a
                  time in UTC; the last 48h where nothing is said
  -json           one JSON object for each event
  -show-numbers   numbers and texts readable
`

// errNothingFound is what explain ends with when no record fits.
var errNothingFound = errors.New("nothing was found; look further back by -since, or check id, key and topics")

func explainCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("explain", flag.ContinueOnError)
	q := trail.Query{Metadata: pairs{}}
	var asJSON bool
	flags.StringVar(&q.To, "to", "", "")
	flags.StringVar(&q.Key, "key", "", "")
	flags.Var(pairs(q.Metadata), "metadata", "")
	flags.BoolVar(&asJSON, "json", false, "")
	flags.BoolVar(&q.Show, "show-numbers", false, "")
	span := spanFlags(flags)
	words, err := parse(flags, args, explainUsage)
	switch {
	case err != nil:
		return err
	case len(words) > 1:
		return misuse(errors.New("explain takes one id"), explainUsage)
	case len(words) == 1:
		q.ID = words[0]
	case q.To == "" && q.Key == "" && len(q.Metadata) == 0:
		return misuse(errors.New("say which command"), explainUsage)
	}
	q.Span = span()
	return withReader(ctx, stderr, func(c config.Config, r trail.Reader) error {
		events, err := trail.Explain(ctx, r, trailTopics(c), q)
		if err != nil {
			return err
		}
		if len(events) == 0 {
			return errNothingFound
		}
		return tellEvents(stdout, events, asJSON)
	})
}

func tellEvents(stdout io.Writer, events []trail.Event, asJSON bool) error {
	encoder := json.NewEncoder(stdout)
	for _, e := range events {
		if asJSON {
			if err := encoder.Encode(e); err != nil {
				return err
			}
			continue
		}
		words := make([]string, 0, len(e.Facts))
		for _, name := range slices.Sorted(maps.Keys(e.Facts)) {
			words = append(words, name+"="+word(e.Facts[name]))
		}
		fmt.Fprintf(stdout, "%s  %-11s %s  %s  (%s/%d/%d)\n", e.At.UTC().Format("2006-01-02T15:04:05.000Z"), e.Kind, e.CommandID,
			strings.Join(words, " "), e.Topic, e.Partition, e.Offset)
	}
	return nil
}
