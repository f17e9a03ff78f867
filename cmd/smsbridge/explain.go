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
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"smsbridge/config"
	"smsbridge/connector/trail"
)

func explainCommand() *command {
	return &command{
		name: "explain", words: "[COMMAND_ID]", brief: "tell all that happened to a command",
		long: `Tells all that happened to commands, from record to last report, in order of time. What is given must all fit;
-key reads one partition instead of all. Numbers are masked. The last line says how things stand now: done, under
way, waiting and for what, or in doubt.`,
		flags: func(flags *flag.FlagSet) action {
			q := trail.Query{Metadata: pairs{}}
			flags.StringVar(&q.To, "to", "", "commands to this `NUMBER`")
			flags.StringVar(&q.Key, "key", "", "commands with this `KEY` of the record")
			flags.Var(pairs(q.Metadata), "metadata", "commands with this metadata, `NAME=VALUE`; may be given more than once")
			asJSON := flags.Bool("json", false, "print a JSON object for each event")
			flags.BoolVar(&q.Show, "show-numbers", false, "show numbers and texts")
			span := spanFlags(flags)
			return func(ctx context.Context, words []string, s streams) error {
				switch {
				case len(words) > 1:
					return misuse("explain takes one id")
				case len(words) == 1:
					q.ID = words[0]
				case q.To == "" && q.Key == "" && len(q.Metadata) == 0:
					return misuse("say which command: by its id, or by -to, -key or -metadata")
				}
				q.Span = span()
				return explain(ctx, q, *asJSON, s)
			}
		},
	}
}

// errNothingFound is what explain ends with when no record fits.
var errNothingFound = errors.New("nothing was found; look further back by -since, or check id, key and topics")

func explain(ctx context.Context, q trail.Query, asJSON bool, s streams) error {
	return withReader(ctx, s.err, func(c config.Config, r trail.Reader) error {
		q.Group = c.Kafka.Group
		events, err := trail.Explain(ctx, r, trailTopics(c), q)
		if err != nil {
			return err
		}
		if len(events) == 0 {
			return errNothingFound
		}
		return tellEvents(s.out, events, asJSON)
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
		if e.Kind == trail.NowEvent {
			fmt.Fprintf(stdout, "%s  now          %s\n", e.At.UTC().Format(stampLayout), shown(e.Facts["text"]))
			continue
		}
		words := make([]string, 0, len(e.Facts))
		for _, name := range slices.Sorted(maps.Keys(e.Facts)) {
			words = append(words, word(shown(name))+"="+word(shown(e.Facts[name])))
		}
		fmt.Fprintf(stdout, "%s  %-11s %s  %s  (%s/%d/%d)\n", e.At.UTC().Format(stampLayout), e.Kind, shown(e.CommandID),
			strings.Join(words, " "), e.Topic, e.Partition, e.Offset)
	}
	return nil
}

const stampLayout = "2006-01-02T15:04:05.000Z"

// shown has control characters visible: a key may hold whatever makes a terminal
// show a line that is none of ours.
func shown(s string) string {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}
