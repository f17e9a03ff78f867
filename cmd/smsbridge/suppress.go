package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"smsbridge/codec"
	"smsbridge/codec/sms"
	"smsbridge/codec/wire"
	"smsbridge/config"
	"smsbridge/connector"
	"smsbridge/connector/control"
	"smsbridge/connector/kafkaio"
	"smsbridge/connector/suppress"
)

func suppressCommand() *command {
	return &command{
		name: "suppress", brief: "say who gets no texts of a class",
		long: `A suppressed number gets no texts of a class, whoever asks for them, also where the command waits already. People
are added by their own opt_out too (OPT_OUT_SUPPRESS), and lifted by their opt_in.`,
		subs: []*command{
			suppressChange("add", "suppress numbers, given as arguments", "[NUMBER...]", (*connector.Operator).Suppress),
			suppressChange("remove", "lift the suppression of numbers, given as arguments", "[NUMBER...]",
				func(o *connector.Operator, ctx context.Context, _ codec.HashKey, list []suppress.Suppression) error {
					return o.Lift(ctx, list)
				}),
			suppressChange("import", "suppress the numbers of standard input, one a line", "", (*connector.Operator).Suppress),
			suppressList(),
		},
	}
}

// change of the list: what add, import and remove do with the numbers.
type change func(o *connector.Operator, ctx context.Context, key codec.HashKey, list []suppress.Suppression) error

func suppressChange(name, brief, words string, do change) *command {
	return &command{
		name: name, brief: brief, words: words,
		long: `Without numbers as arguments they are read from standard input, one a line. Nothing is changed unless every one
is a number. Running instances follow within seconds. NUMBER_HASH_KEY must be that of the connectors.`,
		flags: func(flags *flag.FlagSet) action {
			class, author := classFlag(flags), authorFlags(flags)
			return func(ctx context.Context, words []string, s streams) error {
				a, err := author()
				if err != nil {
					return err
				}
				if class.word == "" {
					return misuse("-class is needed: which texts are they about?")
				}
				return changeSuppressions(ctx, words, sms.Class(class.word), a, do, s)
			}
		},
	}
}

func changeSuppressions(ctx context.Context, words []string, class sms.Class, a control.Author, do change, s streams) error {
	numbers, err := numbersOf(words, os.Stdin)
	if err != nil {
		return err
	}
	return withKafka(ctx, func(c config.Config, client *kafkaio.Client) error {
		key, err := hashKey(c)
		if err != nil {
			return err
		}
		list := make([]suppress.Suppression, len(numbers))
		now := time.Now()
		for i, number := range numbers {
			list[i] = suppress.Suppression{Class: class, Person: suppress.PersonOf(key, number), At: now, By: a.By, Reason: a.Reason}
		}
		return operate(c, client, func(o *connector.Operator) error {
			if err := o.KnowsSuppressions(ctx, key, c.PreviousNumberKey()); err != nil {
				return err
			}
			if err := do(o, ctx, key, list); err != nil {
				return err
			}
			fmt.Fprintf(s.out, "Done for %d numbers, class %s. Running instances follow within seconds.\n", len(list), class)
			return nil
		})
	})
}

func hashKey(c config.Config) (codec.HashKey, error) {
	if !c.Reports.HashKey.IsSet() && (!c.Provider.Name.IsSet() || !c.Provider.Password.IsSet()) {
		return nil, errors.New("numbers are kept as hashes: set SMSBRIDGE_NUMBER_HASH_KEY, or its _FILE, to the key of the connectors")
	}
	return c.NumberKey(), nil
}

func suppressList() *command {
	return &command{
		name: "list", brief: "print who is suppressed, by the hash of the number", words: "[NUMBER...]",
		long: `Prints class, hash, since when, by whom and why, one line each: the topic holds no number. The hash is that of to_hash
and from_hash in the events. With numbers, only their lines (NUMBER_HASH_KEY must be that of the connectors).`,
		flags: func(flags *flag.FlagSet) action {
			class := classFlag(flags)
			return func(ctx context.Context, words []string, s streams) error {
				return listSuppressions(ctx, words, sms.Class(class.word), s)
			}
		},
	}
}

func listSuppressions(ctx context.Context, words []string, class sms.Class, s streams) error {
	var wanted map[suppress.Person]bool
	return withKafka(ctx, func(c config.Config, client *kafkaio.Client) error {
		if len(words) > 0 {
			numbers, err := numbersOf(words, nil)
			if err != nil {
				return err
			}
			key, err := hashKey(c)
			if err != nil {
				return err
			}
			wanted = make(map[suppress.Person]bool)
			for _, number := range numbers {
				wanted[suppress.PersonOf(key, number)] = true
				if previous := c.PreviousNumberKey(); len(previous) > 0 {
					wanted[suppress.PersonOf(previous, number)] = true
				}
			}
		}
		return operate(c, client, func(o *connector.Operator) error {
			list, err := o.Suppressions(ctx, class)
			if err != nil {
				return err
			}
			out := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
			for _, one := range list {
				if wanted == nil || wanted[one.Person] {
					fmt.Fprintf(out, "%s\t%s\t%s\t%q\t%q\n", one.Class, one.Person, one.At.UTC().Format(time.RFC3339), one.By, one.Reason)
				}
			}
			return out.Flush()
		})
	})
}

// numbersOf reads numbers of the arguments, else of lines. A fault names the line
// and never what stands there.
func numbersOf(words []string, lines io.Reader) ([]string, error) {
	from := "argument"
	if len(words) == 0 && lines != nil {
		from = "line"
		scanner := bufio.NewScanner(lines)
		for scanner.Scan() {
			words = append(words, scanner.Text())
		}
		if err := scanner.Err(); err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
	}
	var numbers []string
	for i, word := range words {
		if strings.TrimSpace(word) == "" {
			continue
		}
		number, ok := wire.NormalizeNumber(word)
		if !ok {
			return nil, misuse("%s %d is no phone number", from, i+1)
		}
		numbers = append(numbers, number)
	}
	if len(numbers) == 0 {
		return nil, misuse("no number is given")
	}
	return numbers, nil
}
