package wire

import (
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"

	"smsbridge/codec/sms"
)

// pieces of which hostile texts are made: separators, parts of them, what begins
// and ends a record, and what forms are made of.
var pieces = []string{
	"#", "@", "#@", "@#", "#@#", "#@@#", "#@@", "@@#", "13900000001", "+8613900000001", "10086", "2013-08-21 21:20:11", "2013-8-1 1:2:3",
	"008", "#@#2013-08-21 21:20:11#@#", "#@#2013-08-21 21:20:11#@#008", "#@@#13900000001#@#", "&", "&args=", "&name=x", "=", "%", "%23", "+", ";",
	"退订", "你好", " ", "\r\n", "😀", "a",
}

func hostileText(rng *rand.Rand) string {
	var text strings.Builder
	for range rng.IntN(8) {
		text.WriteString(pieces[rng.IntN(len(pieces))])
	}
	return text.String()
}

// Whatever a person writes, a push of one message is one message of that text,
// or it is of low confidence, or what is left of it goes to the dead letters.
func TestHostileTextComesOutAsItWentInOrIsDoubted(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	exact, doubted := 0, 0
	for range 50_000 {
		text := hostileText(rng)
		args := "13800000001#@#" + text + "#@#2013-08-21 21:20:59#@#" + []string{"", "008123"}[rng.IntN(2)]
		push, err := ParseInboundPush(Push{form, []byte("name=n&args=" + url.QueryEscape(args)), ""})
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		all, unreadable := ParseArgs(push.Args)
		switch {
		case unreadable != nil:
			doubted++ // kept raw, whatever could be read of it
		case len(all) == 1 && all[0].From == "13800000001" && all[0].Text == text && all[0].SentAt.Equal(at(21, 20, 59)):
			exact++
			if imitates(text) && all[0].Confidence != sms.Low {
				t.Fatalf("%q is believed", text)
			}
		case forges(text):
			doubted++ // nobody can tell it from two messages
		default:
			for _, mo := range all {
				if mo.Confidence != sms.Low {
					t.Fatalf("%q is read as %+v", text, all)
				}
			}
			doubted++
		}
	}
	if exact < 40_000 || doubted == 0 {
		t.Errorf("%d exact, %d doubted", exact, doubted)
	}
}

// imitates reports whether a text holds a whole record but its beginning.
func imitates(text string) bool {
	return strings.Contains(text+"#@#", "#@@#13900000001#@#") && strings.Contains(text, "#@#2013-08-21 21:20:11#@#")
}

// forges reports whether a text ends the record that it stands in and begins
// another one: the limit of the format that ParseArgs tells.
func forges(text string) bool {
	end := strings.Index(text+"#@#", "#@#2013-08-21 21:20:11#@#")
	if short := strings.Index(text+"#@#", "#@#2013-8-1 1:2:3#@#"); short >= 0 && (end < 0 || short < end) {
		end = short
	}
	return end >= 0 && strings.Contains(text[min(end, len(text)):]+"#@#", "#@@#")
}

// The same bytes mean the same, encoded or not, in UTF-8 or GB18030, once or
// again.
func TestMessagesOfEveryCharsetAndFormAreTheSame(t *testing.T) {
	t.Parallel()
	const args = "13800000001#@#退订 50%;#@#b#@#2013-08-21 21:20:11#@#008123#@@#13900000001#@##@#2013-08-21 21:20:12#@#" +
		"#@@#13800000001#@#退订 50%;#@#b#@#2013-08-21 21:20:11#@#008123"
	gb, err := simplifiedchinese.GB18030.NewEncoder().String(args)
	if err != nil {
		t.Fatal(err)
	}
	for name, push := range map[string]Push{
		"encoded":                  {form, []byte("args=" + url.QueryEscape(args)), ""},
		"encoded, in the query":    {"", nil, "args=" + url.QueryEscape(args)},
		"raw":                      {form, []byte("args=" + args), ""},
		"raw, name behind":         {form, []byte("args=" + args + "&name=n"), ""},
		"GB18030, raw":             {form, []byte("args=" + gb), ""},
		"GB18030, encoded":         {form, []byte("args=" + url.QueryEscape(gb)), ""},
		"GB18030, encoded, told":   {form + "; charset=gb18030", []byte("args=" + url.QueryEscape(gb)), ""},
		"mark behind the last one": {form, []byte("args=" + url.QueryEscape(args+"#@@#")), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := ParseInboundPush(push)
			if err != nil {
				t.Fatal(err)
			}
			all, err := ParseArgs(p.Args)
			if err != nil || len(all) != 3 {
				t.Fatalf("%+v, %v", all, err)
			}
			if all[0] != all[2] || all[0].Text != "退订 50%;#@#b" || all[0].Extension != "008123" || all[0].Confidence != sms.High {
				t.Errorf("first %+v, again %+v", all[0], all[2])
			}
			if m := all[1]; m.From != "13900000001" || m.Text != "" || m.Extension != "" || !m.SentAt.Equal(at(21, 20, 12)) || m.Confidence != sms.High {
				t.Errorf("empty: %+v", m)
			}
		})
	}
}
