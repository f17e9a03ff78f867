package wire

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"

	"smsbridge/codec/sms"
)

const documentedArgs = "13800210021#@#content1#@#2013-08-21 21:20:11#@#008123#@@#13978767656#@#content2#@#2013-08-21 21:20:30#@#008456"

func at(hour, minute, second int) time.Time {
	return time.Date(2013, 8, 21, hour, minute, second, 0, Zone)
}

func TestInboundPushIsReadHoweverItWasSent(t *testing.T) {
	args := "13800000001#@#退订;50%+1#@#2013-08-21 21:20:11#@#008123"
	gb, err := simplifiedchinese.GB18030.NewEncoder().String(args)
	if err != nil {
		t.Fatal(err)
	}
	withAnd := strings.Replace(args, ";", "&x=1&;", 1)
	for name, c := range map[string]struct {
		push Push
		want string
	}{
		"form":                         {Push{form, []byte("name=n&pwd=&args=" + url.QueryEscape(args)), ""}, args},
		"query":                        {Push{"", nil, "name=n&args=" + url.QueryEscape(args)}, args},
		"not encoded":                  {Push{form, []byte("name=n&args=" + args), ""}, args},
		"not encoded, & in text":       {Push{form, []byte("args=" + withAnd + "&name=n&pwd="), ""}, withAnd},
		"GB18030, not encoded":         {Push{form, []byte("name=n&args=" + gb), ""}, args},
		"GB18030, encoded":             {Push{form + "; charset=GBK", []byte("name=n&args=" + url.QueryEscape(gb)), ""}, args},
		"broken escape, encoded":       {Push{form, []byte("name=n&args=13800000001%23%40%23%4z%zz%e"), ""}, "13800000001#@#%4z%zz%e"},
		"encodeURI":                    {Push{form, []byte("name=n&args=13800000001#@#%E9%80%80%E8%AE%A2;50%25+1&x#@#2013-08-21%2021:20:11#@#008123"), ""}, "13800000001#@#退订;50%+1&x#@#2013-08-21 21:20:11#@#008123"},
		"EscapeUriString, blanks left": {Push{form, []byte("name=n&args=13800000001#@#%e9%80%80%e8%ae%a2#@#2013/8/21 21:20#@#008123"), ""}, "13800000001#@#退订#@#2013/8/21 21:20#@#008123"},
		"escape of GBK":                {Push{form + "; charset=gbk", []byte("name=n&args=13800000001#@#%CD%CB%B6%A9#@#2013-08-21%2021:20:11#@#"), ""}, "13800000001#@#退订#@#2013-08-21 21:20:11#@#"},
		"encoded twice":                {Push{form, []byte("name=n&args=13800000001%2523%2540%2523%25E9%2580%2580%25E8%25AE%25A2%2523%2540%25232013-08-21%252021%253A20"), ""}, "13800000001#@#退订#@#2013-08-21 21:20"},
		"raw, percent signs":           {Push{form, []byte("name=n&args=13800000001#@#%41 50%20#@#"), ""}, "13800000001#@#%41 50%20#@#"},
		"raw, escapes and more":        {Push{form, []byte("name=n&args=13800000001#@#退%E8%AE%A2#@#"), ""}, "13800000001#@#退%E8%AE%A2#@#"},
		"bare percent, encoded":        {Push{form, []byte("name=n&args=13800000001%23%40%2350%"), ""}, "13800000001#@#50%"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseInboundPush(c.push)
			if err != nil || got.Args != c.want || got.Name != "n" {
				t.Errorf("got %+v, %v, want %s", got, err, c.want)
			}
		})
	}
}

func TestDeclaredCharsetIsBelievedBeforeTheBytes(t *testing.T) {
	// These GBK bytes are valid UTF-8 by accident.
	gbk := "\xc4\xaa"
	got, err := ParseInboundPush(Push{form + "; charset=gb2312", []byte("args=" + url.QueryEscape(gbk)), ""})
	if err != nil || got.Args != "莫" {
		t.Errorf("got %q, %v", got.Args, err)
	}
}

func TestInboundPushWithoutArgsKeepsTheCredentials(t *testing.T) {
	got, err := ParseInboundPush(Push{form, []byte("name=n&pwd=p&args=+"), ""})
	var unreadable *Unreadable
	if !errors.As(err, &unreadable) || unreadable.Field != "args" || got.Name != "n" || got.Password != "p" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestRecordsAreReadByTheirShape(t *testing.T) {
	one := func(text, extension string, confidence sms.Confidence) []MO {
		return []MO{{From: "13800000001", Text: text, SentAt: at(21, 20, 11), Extension: extension, Confidence: confidence}}
	}
	const tail = "#@#2013-08-21 21:20:11#@#"
	for name, c := range map[string]struct {
		args string
		want []MO
	}{
		"the document's example": {documentedArgs, []MO{
			{From: "13800210021", Text: "content1", SentAt: at(21, 20, 11), Extension: "008123", Confidence: sms.High},
			{From: "13978767656", Text: "content2", SentAt: at(21, 20, 30), Extension: "008456", Confidence: sms.High},
		}},
		"one":                      {"13800000001#@#TD" + tail + "008", one("TD", "008", sms.High)},
		"mark at the end":          {"13800000001#@#TD" + tail + "008#@@#\r\n", one("TD", "008", sms.High)},
		"no extension":             {"13800000001#@#TD" + tail, one("TD", "", sms.High)},
		"no text":                  {"13800000001#@#" + tail + "008", one("", "008", sms.High)},
		"prefix before the number": {"+8613800000001#@#TD" + tail + "008", one("TD", "008", sms.High)},
		"field mark in the text":   {"13800000001#@#a#@#b" + tail + "008", one("a#@#b", "008", sms.High)},
		"record mark in the text":  {"13800000001#@#a#@@#b" + tail + "008", one("a#@@#b", "008", sms.High)},
		"text ends like a mark":    {"13800000001#@#a#@" + tail + "008", one("a#@", "008", sms.High)},
		"newlines in the text":     {"13800000001#@#a\r\nb " + tail + "008", one("a\r\nb ", "008", sms.High)},
		"time with slashes":        {"13800000001#@#TD#@#2013/8/21 21:20:11#@#008", one("TD", "008", sms.High)},
		"last mark left out":       {"13800000001#@#TD#@#2013-08-21 21:20:11", one("TD", "", sms.High)},
		"record mark in its place": {"13800000001#@#TD#@#2013-08-21 21:20:11#@@#\n", one("TD", "", sms.High)},
		"last mark left out behind another": {
			"13800000001#@#TD#@#2013-08-21 21:20:11#@#008#@@#13800000001#@#TD#@#2013-08-21 21:20:11",
			append(one("TD", "008", sms.High), one("TD", "", sms.High)...),
		},
		"text ends in a time, last mark left out": {
			"13800000001#@#a#@#2013-08-21 21:20:10#@#2013-08-21 21:20:11",
			one("a#@#2013-08-21 21:20:10", "", sms.Low),
		},
		"text that is still encoded": {"13800000001#@#%E9%80%80%E8%AE%A2" + tail + "008", one("%E9%80%80%E8%AE%A2", "008", sms.Low)},
		"percent sign in the text":   {"13800000001#@#50%20c" + tail + "008", one("50%20c", "008", sms.High)},
		"text imitates an end":       {"13800000001#@#a" + tail + "1" + tail + "008", one("a"+tail+"1", "008", sms.Low)},
		"text imitates an end and a mark": {
			"13800000001#@#a" + tail + "1#@@#b" + tail + "008",
			one("a"+tail+"1#@@#b", "008", sms.Low),
		},
		"text imitates a beginning": {"13800000001#@#a#@@#13900000001#@#b" + tail + "008", one("a#@@#13900000001#@#b", "008", sms.Low)},
		"text imitates a record": {
			"13800000001#@##@@#13900000001#@#TD" + tail + "008" + tail + "008123",
			one("#@@#13900000001#@#TD"+tail+"008", "008123", sms.Low),
		},
		"bytes of no charset": {"13800000001#@#a\ufffd" + tail + "008", one("a\ufffd", "008", sms.Low)},
		"no extension, then another": {"13800000001#@#a" + tail + "#@@#10086#@#b#@#2013-08-21 1:20:11#@#", []MO{
			{From: "13800000001", Text: "a", SentAt: at(21, 20, 11), Confidence: sms.High},
			{From: "10086", Text: "b", SentAt: at(1, 20, 11), Confidence: sms.High},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseArgs(c.args)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(c.want) {
				t.Fatalf("%d records, want %d: %+v", len(got), len(c.want), got)
			}
			for i, want := range c.want {
				if !got[i].SentAt.Equal(want.SentAt) {
					t.Errorf("sent at %v, want %v", got[i].SentAt, want.SentAt)
				}
				got[i].SentAt = want.SentAt
				if got[i] != want {
					t.Errorf("got %+v, want %+v", got[i], want)
				}
			}
		})
	}
}

func TestRecordThatCannotBeReadIsNamedAndThoseBeforeItAreKept(t *testing.T) {
	const good = "13800000001#@#TD#@#2013-08-21 21:20:11#@#008"
	for name, c := range map[string]struct {
		args string
		kept int
		says string
	}{
		"empty":              {" ", 0, "args"},
		"no mark":            {"hello", 0, "record 1"},
		"no number":          {"secret#@#TD#@#2013-08-21 21:20:11#@#008", 0, "record 1"},
		"no time":            {"13800000001#@#TD#@#secret#@#008", 0, "record 1"},
		"impossible time":    {"13800000001#@#TD#@#2013-13-21 21:20:11#@#008", 0, "record 1"},
		"cut":                {"13800000001#@#TD#@#2013-08-21 21:2", 0, "record 1"},
		"cut in the seconds": {"13800000001#@#TD#@#2013-08-21 21:20:1", 0, "record 1"},
		"letters behind":     {good + "x", 0, "record 1"},
		"second is cut":      {good + "#@@#13900000001#@#secret", 1, "record 2"},
		"endless number":     {strings.Repeat("1", 100) + "#@#TD#@#2013-08-21 21:20:11#@#008", 0, "record 1"},
		"endless extension":  {good + strings.Repeat("1", 100), 0, "record 1"},
		"too many":           {strings.Repeat(good+"#@@#", MaxRecords+1), 0, "1000"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseArgs(c.args)
			var unreadable *Unreadable
			if !errors.As(err, &unreadable) || unreadable.Field != "args" || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v, want one that says %q", err, c.says)
			}
			if len(got) != c.kept {
				t.Errorf("kept %d records, want %d", len(got), c.kept)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error tells a value: %v", err)
			}
		})
	}
	if got, err := ParseArgs(strings.Repeat(good+"#@@#", MaxRecords)); err != nil || len(got) != MaxRecords {
		t.Errorf("%d records, %v, want %d", len(got), err, MaxRecords)
	}
}

func TestTimeWithoutSecondsIsRead(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"13800000001#@#TD#@#2013/8/21 21:20#@#008", "13800000001#@#TD#@#2013/8/21 21:20"} {
		got, err := ParseArgs(args)
		if err != nil || len(got) != 1 || !got[0].SentAt.Equal(at(21, 20, 0)) || got[0].Text != "TD" || got[0].Confidence != sms.High {
			t.Errorf("%s: %+v, %v", args, got, err)
		}
	}
}

func TestKeywordIsTheWholeText(t *testing.T) {
	k := NewKeywords([]string{"TD", "退订", "stop", " both "}, []string{"START", "both"}, []string{"帮助", ""})
	for text, want := range map[string]sms.Keyword{
		"TD": sms.OptOut, " td\n": sms.OptOut, "ＴＤ": sms.OptOut, "退订": sms.OptOut, "　退订　": sms.OptOut, "Stop": sms.OptOut,
		"start": sms.OptIn, "帮助": sms.Help, "both": sms.OptOut,
		"": "", "do not stop": "", "stop it": "", "退订了": "", strings.Repeat(" ", 300) + "TD": "",
	} {
		if got := k.Of(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestExtensionIsCutByLength(t *testing.T) {
	for _, c := range []struct {
		extension       string
		length          int
		system, command string
	}{
		{"008123", 3, "008", "123"},
		{"008123", 0, "", "008123"},
		{"008", 3, "008", ""},
		{"00", 3, "00", ""},
		{"", 3, "", ""},
		{"008", -1, "", "008"},
	} {
		if system, command := SplitExtension(c.extension, c.length); system != c.system || command != c.command {
			t.Errorf("%q at %d: got %q and %q", c.extension, c.length, system, command)
		}
	}
}
