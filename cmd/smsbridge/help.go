package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// usage is the line that shows what may be given.
func (c *command) usage(path string) string {
	text := "usage: " + path
	if len(c.subs) > 0 {
		return text + " COMMAND"
	}
	if c.words != "" {
		text += " " + c.words
	}
	flags := flag.NewFlagSet(c.name, flag.ContinueOnError)
	c.flags(flags)
	if len(flagNames(flags)) > 0 {
		text += " [FLAGS]"
	}
	return text
}

// help prints the usage, what the command does, and its commands or flags.
func (c *command) help(out io.Writer, path string) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n\n%s\n", c.usage(path), strings.TrimSpace(c.long))
	columns := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	if len(c.subs) > 0 {
		fmt.Fprint(columns, "\ncommands:\n")
		for _, s := range c.subs {
			fmt.Fprintf(columns, "  %s\t%s\n", s.name, s.brief)
		}
		_ = columns.Flush() // into memory
		fmt.Fprintf(&b, "\n%s COMMAND -h tells more about one.\n", path)
	} else {
		c.helpFlags(columns)
		_ = columns.Flush()
	}
	_, err := b.WriteTo(out)
	return err
}

func (c *command) helpFlags(out io.Writer) {
	flags := flag.NewFlagSet(c.name, flag.ContinueOnError)
	c.flags(flags)
	first := true
	flags.VisitAll(func(f *flag.Flag) {
		if first {
			fmt.Fprint(out, "\nflags:\n")
			first = false
		}
		value, text := flag.UnquoteUsage(f)
		fmt.Fprintf(out, "  -%s\t%s\n", strings.TrimSpace(f.Name+" "+value), text)
	})
}

// helpAbout is the help of the command that words name.
func (c *command) helpAbout(words []string, s streams) error {
	path := c.name
	for _, word := range words {
		sub := c.sub(word)
		if sub == nil {
			return c.explainMisuse(path, misuse("unknown command %q%s", word, meant("", word, c.names())))
		}
		c, path = sub, path+" "+word
	}
	return c.help(s.out, path)
}
