package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"smsbridge/config"
)

// command is one word of the command line with all that running it, its help,
// completion and the answer to a typo need. It stands on the standard library's
// flag package, which takes -since and --since alike. Of the known command
// libraries cobra and kong do not, and urfave/cli writes --since in help and
// completion, so that both would have to be replaced.
type command struct {
	name  string
	words string // what is given beside flags, as the usage line shows it; empty: nothing
	brief string // a line for the list of commands
	long  string // what help says
	subs  []*command

	// flags declares the flags and returns what is done once they are read. A
	// command with subs has none.
	flags func(*flag.FlagSet) action
}

// action does what a command is for. Words are what was given beside flags.
type action func(ctx context.Context, words []string, s streams) error

// streams are where a command writes.
type streams struct{ out, err io.Writer }

// usageError ends with exitUsage.
type usageError struct {
	err   error
	usage string
}

func (e *usageError) Error() string { return e.err.Error() + "\n" + e.usage }

func (e *usageError) Unwrap() error { return e.err }

// misuse is an error of a command's arguments; run adds the usage.
func misuse(format string, args ...any) error {
	return &usageError{err: fmt.Errorf(format, args...)}
}

// run finds the command that args name, and runs it.
func (c *command) run(ctx context.Context, args []string, s streams) error {
	path := c.name
	for len(c.subs) > 0 {
		if len(args) == 0 {
			if path == c.name {
				return c.help(s.out, path)
			}
			return c.explainMisuse(path, misuse("%s needs one of %s", path, strings.Join(c.names(), ", ")))
		}
		word := args[0]
		switch word {
		case "-h", "-help", "--help":
			return c.help(s.out, path)
		}
		if path == c.name {
			switch word {
			case "help":
				return c.helpAbout(args[1:], s)
			case "-version", "--version":
				word = "version"
			case completeWord:
				return c.complete(args[1:], s.out)
			}
		}
		sub := c.sub(word)
		if sub == nil {
			return c.explainMisuse(path, misuse("unknown command %q%s", word, meant("", word, c.names())))
		}
		c, args, path = sub, args[1:], path+" "+sub.name
	}
	return c.execute(ctx, path, args, s)
}

func (c *command) execute(ctx context.Context, path string, args []string, s streams) error {
	flags := flag.NewFlagSet(c.name, flag.ContinueOnError)
	do := c.flags(flags)
	words, err := parse(flags, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return c.help(s.out, path)
	case err == nil && c.words == "" && len(words) > 0:
		err = misuse("%q is not known, %s takes flags alone", words[0], path)
	case err == nil:
		err = do(ctx, words, s)
	}
	return c.explainMisuse(path, err)
}

// explainMisuse adds the usage to an error of the arguments.
func (c *command) explainMisuse(path string, err error) error {
	if e, misused := errors.AsType[*usageError](err); misused && e.usage == "" {
		e.usage = c.usage(path) + "\nmore: " + path + " -h"
	}
	return err
}

// sub is the command of a name, nil where there is none.
func (c *command) sub(name string) *command {
	if i := slices.IndexFunc(c.subs, func(s *command) bool { return s.name == name }); i >= 0 {
		return c.subs[i]
	}
	return nil
}

func (c *command) names() (names []string) {
	for _, s := range c.subs {
		names = append(names, s.name)
	}
	return names
}

// parse reads flags wherever they stand among the other words, which it returns.
// Behind -- everything is a word.
func parse(flags *flag.FlagSet, args []string) (words []string, err error) {
	flags.SetOutput(io.Discard)
	for {
		err := flags.Parse(args)
		read := len(args) - flags.NArg()
		switch {
		case errors.Is(err, flag.ErrHelp):
			return nil, err
		case err != nil:
			return nil, flagFault(flags, args[read-1], err)
		case flags.NArg() == 0:
			return words, nil
		case read > 0 && args[read-1] == "--":
			return append(words, flags.Args()...), nil
		}
		words, args = append(words, flags.Arg(0)), flags.Args()[1:]
	}
}

// flagFault says what a mistyped flag was meant to be.
func flagFault(flags *flag.FlagSet, arg string, err error) error {
	name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	if !strings.HasPrefix(arg, "-") || flags.Lookup(name) != nil {
		return misuse("%w", err) // it is known, and its value is wrong or missing
	}
	return misuse("unknown flag -%s%s", name, meant("-", name, flagNames(flags)))
}

func flagNames(flags *flag.FlagSet) (names []string) {
	flags.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	return names
}

// meant is the question whether something near was meant, nothing where nothing
// is near.
func meant(mark, typed string, known []string) string {
	if near := config.Nearest(typed, known); near != "" {
		return "; did you mean " + mark + near + "?"
	}
	return ""
}
