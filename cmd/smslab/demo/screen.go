package demo

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"smsbridge/cmd/smslab/lab"
)

// screen shows what happens, a line for each fact, without texts and with masked
// numbers. It colours only what a person looks at.
type screen struct {
	mu     sync.Mutex
	out    io.Writer
	colour bool
}

func newScreen(out io.Writer) *screen {
	s := &screen{out: out}
	if f, ok := out.(*os.File); ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" {
		info, err := f.Stat()
		s.colour = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return s
}

// The colours of a terminal, by what they are for.
const (
	plain  = ""
	good   = "32"
	soSo   = "33"
	bad    = "31"
	quiet  = "2"
	strong = "1"
)

func (s *screen) paint(colour, text string) string {
	if !s.colour || colour == plain {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

func (s *screen) printf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, format, args...)
}

// fact prints a line about one thing.
func (s *screen) fact(what, whose, status, colour, more string) {
	s.printf("%s  %s  %-12s %s %s\n", s.paint(quiet, time.Now().Format("15:04:05.000")),
		pad(what, 9), whose, s.paint(colour, pad(status, 36)), s.paint(quiet, more))
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}

// output shows a record of an output topic.
func (s *screen) output(o lab.Output) {
	switch o.Topic {
	case "results":
		s.fact("result", short(o.CommandID), o.Status, statusColour(o.Status), resultNote(&o))
	case "reports":
		note := mask(o.To) + ", " + o.Correlation
		if o.Status == "failed" { // the provider's word says more
			note += ", " + o.State
		}
		s.fact("report", short(o.CommandID), o.Status, statusColour(o.Status), note)
	case "inbound":
		keyword := o.Keyword
		if keyword == "" {
			keyword = "message"
		}
		s.fact("inbound", mask(o.From), keyword, plain, fmt.Sprintf("%d characters to extension %s", utf8.RuneCountInString(o.Text), o.Extension))
	case "deadletter":
		s.fact("dead", o.Row.String(), "kept as it came", soSo, o.Error)
	case "account":
		colour := good
		if o.Line != "open" {
			colour = bad
		}
		note := "balance " + cmp.Or(o.Balance, "not known yet")
		if o.Reason != "" {
			note = o.Reason + ", " + note
		}
		s.fact("account", "", "line "+o.Line, colour, note)
	}
}

func resultNote(o *lab.Output) string {
	var notes []string
	if o.Recipients > 0 {
		notes = append(notes, fmt.Sprintf("%d of %d accepted", o.Accepted, o.Recipients))
	}
	attempts := 0
	for _, sub := range o.Submissions {
		attempts += sub.Attempts
	}
	if n := len(o.Submissions); n > 1 {
		notes = append(notes, fmt.Sprintf("%d parts", n))
	}
	if attempts > len(o.Submissions) {
		notes = append(notes, fmt.Sprintf("%d attempts", attempts))
	}
	if o.Reason != "" {
		notes = append(notes, o.Reason)
	}
	for _, w := range o.Warnings {
		notes = append(notes, "warning: "+w)
	}
	if !o.CommandedAt.IsZero() && o.Recipients > 0 {
		notes = append(notes, o.At.Sub(o.CommandedAt).Round(time.Millisecond).String())
	}
	return strings.Join(notes, ", ")
}

func statusColour(status string) string {
	switch status {
	case "accepted", "delivered":
		return good
	case "partially_accepted", "duplicate", "expired", "invalid", "unknown", "undelivered":
		return soSo
	default:
		return bad
	}
}

// mask leaves of a number what tells its operator.
func mask(number string) string {
	if len(number) < 7 {
		return "****"
	}
	return number[:3] + "****" + number[7:]
}

// short keeps a command id in its column.
func short(id string) string {
	if i := strings.LastIndexByte(id, ':'); i > 0 { // topic:partition:offset
		id = "…" + id[strings.IndexByte(id, ':'):]
	}
	return id
}
