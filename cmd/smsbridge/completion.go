package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// completeWord is the command that the completions of shells ask: it prints what
// the last word that it is given may become, a candidate a line. It is in no
// help.
const completeWord = "__complete"

// completions are what each shell has to be told. All of them ask smsbridge, so
// they need not change with it.
var completions = map[string]string{
	"bash": `_smsbridge() {
	local IFS=$'\n'
	COMPREPLY=($("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _smsbridge smsbridge
`,
	"zsh": `#compdef smsbridge
_smsbridge() {
	local -a found
	found=("${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
	compadd -- $found || _files
}
if [ "$funcstack[1]" = "_smsbridge" ]; then _smsbridge "$@"; else compdef _smsbridge smsbridge; fi
`,
	"fish": `function __smsbridge_complete
	set -l words (commandline -opc) (commandline -ct)
	$words[1] __complete $words[2..-1] 2>/dev/null
end
complete -c smsbridge -f -a '(__smsbridge_complete)'
`,
}

func completionCommand() *command {
	shells := slices.Sorted(maps.Keys(completions))
	c := &command{
		name: "completion", brief: "print the completions of a shell: " + strings.Join(shells, ", "),
		long: `Prints what makes a shell complete commands and flags. For this shell alone, or for all, in its start-up file:

  bash  source <(smsbridge completion bash)
  zsh   source <(smsbridge completion zsh)
  fish  smsbridge completion fish | source`,
	}
	for _, shell := range shells {
		c.subs = append(c.subs, &command{
			name: shell, brief: "for " + shell, long: "Prints the completions of " + shell + ".",
			flags: func(*flag.FlagSet) action {
				return func(_ context.Context, _ []string, s streams) error {
					_, err := io.WriteString(s.out, completions[shell])
					return err
				}
			},
		})
	}
	return c
}

// choosable is a flag of which all values are known.
type choosable interface{ choices() []string }

// complete prints what the last of words may become.
func (c *command) complete(words []string, out io.Writer) error {
	if len(words) == 0 {
		words = []string{""}
	}
	last, before := words[len(words)-1], words[:len(words)-1]
	if len(before) > 0 && before[0] == "help" {
		before = before[1:]
	}
	for len(before) > 0 && len(c.subs) > 0 {
		if c = c.sub(before[0]); c == nil {
			return nil
		}
		before = before[1:]
	}
	for _, candidate := range c.candidates(before, last) {
		if strings.HasPrefix(candidate, last) {
			if _, err := fmt.Fprintln(out, candidate); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *command) candidates(before []string, last string) []string {
	if len(c.subs) > 0 {
		return append(c.names(), "help", "-h")
	}
	flags := flag.NewFlagSet(c.name, flag.ContinueOnError)
	c.flags(flags)
	if len(before) > 0 && strings.HasPrefix(before[len(before)-1], "-") {
		f := flags.Lookup(strings.TrimLeft(before[len(before)-1], "-"))
		if f != nil && !isSwitch(f) {
			if choice, ok := f.Value.(choosable); ok {
				return choice.choices()
			}
			return nil // only whoever types knows the value
		}
	}
	dash := "-"
	if strings.HasPrefix(last, "--") {
		dash = "--"
	}
	var found []string
	for _, name := range append(flagNames(flags), "help") {
		found = append(found, dash+name)
	}
	return found
}

// isSwitch reports whether a flag takes no value, as the flag package does.
func isSwitch(f *flag.Flag) bool {
	b, ok := f.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}
