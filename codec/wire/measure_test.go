package wire

import (
	"errors"
	"strings"
	"testing"

	"smsbridge/codec/sms"
)

func TestNumberIsMadeElevenDigits(t *testing.T) {
	for name, in := range map[string]string{
		"plain":            "13800000001",
		"plus":             "+8613800000001",
		"zeros":            "008613800000001",
		"bare prefix":      "8613800000001",
		"blanks":           " 138 0000\t0001 ",
		"dashes":           "+86-138-0000-0001",
		"Chinese dashes":   "138—0000－0001",
		"full-width":       "＋８６　１３８０００００００１",
		"copied from book": "\u202d138 0000 0001\u202c",
		"no-break blank":   "138\u00a00000\u00a00001",
	} {
		t.Run(name, func(t *testing.T) {
			if got, ok := NormalizeNumber(in); !ok || got != "13800000001" {
				t.Errorf("got %q, %v", got, ok)
			}
		})
	}
	for name, in := range map[string]string{
		"empty":                    "",
		"blank":                    "  ",
		"ten digits":               "1380000000",
		"twelve digits":            "138000000012",
		"landline":                 "01088888888",
		"begins with two":          "23800000001",
		"another country":          "+15550100000",
		"plus without the country": "+13800000001",
		"Hong Kong":                "+85251234567",
		"two numbers":              "13800000001,13800000002",
		"letters":                  "1380000000a",
		"plus inside":              "138+00000001",
		"doubled prefix":           "868613800000001",
		"Arabic digits":            "١٣٨٠٠٠٠٠٠٠١",
		"very long":                strings.Repeat("1", 10000),
		"invalid UTF-8":            "1380000000\xff",
	} {
		t.Run(name, func(t *testing.T) {
			if got, ok := NormalizeNumber(in); ok {
				t.Errorf("accepted as %q", got)
			}
		})
	}
}

func TestTextIsMeasuredAsItGoesOverTheAir(t *testing.T) {
	for name, c := range map[string]struct {
		text, sign      string
		units, segments int
		encoding        sms.Encoding
	}{
		"GSM-7, one segment":              {strings.Repeat("a", 160), "", 160, 1, sms.GSM7},
		"GSM-7, two":                      {strings.Repeat("a", 161), "", 161, 2, sms.GSM7},
		"GSM-7, two full":                 {strings.Repeat("a", 306), "", 306, 2, sms.GSM7},
		"GSM-7, three":                    {strings.Repeat("a", 307), "", 307, 3, sms.GSM7},
		"GSM-7, extension, one segment":   {strings.Repeat("€", 80), "", 80, 1, sms.GSM7},
		"GSM-7, extension, two":           {strings.Repeat("€", 81), "", 81, 2, sms.GSM7},
		"GSM-7, escape is not torn off":   {strings.Repeat("a", 152) + "€" + strings.Repeat("a", 152), "", 305, 3, sms.GSM7},
		"GSM-7, Greek and accents":        {"ΔΦΓΛΩΠΨΣΘΞ àéùìòÇØøÅåÆæßÉÄÖÑÜ§¿äöñü£$¥¤¡_@\n\r", "", 44, 1, sms.GSM7},
		"UCS-2, one segment":              {strings.Repeat("中", 70), "", 70, 1, sms.UCS2},
		"UCS-2, two":                      {strings.Repeat("中", 71), "", 71, 2, sms.UCS2},
		"UCS-2, two full":                 {strings.Repeat("中", 134), "", 134, 2, sms.UCS2},
		"UCS-2, three":                    {strings.Repeat("中", 135), "", 135, 3, sms.UCS2},
		"UCS-2, signature counts":         {strings.Repeat("中", 66), "公司", 70, 1, sms.UCS2},
		"UCS-2, signature makes two":      {strings.Repeat("中", 67), "公司", 71, 2, sms.UCS2},
		"a signature is never GSM-7":      {strings.Repeat("a", 67), "abc", 72, 2, sms.UCS2},
		"backquote is not in GSM-7":       {"`", "", 1, 1, sms.UCS2},
		"emoji, one segment":              {strings.Repeat("😀", 35), "", 70, 1, sms.UCS2},
		"emoji, pairs are not torn apart": {strings.Repeat("😀", 67), "", 134, 3, sms.UCS2},
		"the longest":                     {strings.Repeat("中", 496), "公司", 500, 8, sms.UCS2},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := MeasureText(c.text, c.sign)
			if err != nil {
				t.Fatal(err)
			}
			if m.Content != c.text || m.Sign != c.sign || m.Units != c.units || m.Segments != c.segments || m.Encoding != c.encoding {
				t.Errorf("got %q %d units, %d segments, %s; want %d, %d, %s", m.Sign, m.Units, m.Segments, m.Encoding, c.units, c.segments, c.encoding)
			}
		})
	}
}

func TestSignatureIsSentOnce(t *testing.T) {
	for name, c := range map[string]struct{ text, sign, content, wantSign string }{
		"from the command":           {"code 1", "公司", "code 1", "公司"},
		"in both":                    {"【公司】code 1", "公司", "code 1", "公司"},
		"given with its brackets":    {"code 1", "【公司】", "code 1", "公司"},
		"in the text alone":          {"【公司】code 1", "", "code 1", "公司"},
		"brackets later are text":    {"code 【1】", "公司", "code 【1】", "公司"},
		"empty brackets are text":    {"【】code 1", "公司", "【】code 1", "公司"},
		"open brackets are text":     {"【code 1", "公司", "【code 1", "公司"},
		"no signature anywhere":      {"code 1", "", "code 1", ""},
		"a second one is the text's": {"【公司】【公告】code", "公司", "【公告】code", "公司"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := MeasureText(c.text, c.sign)
			if err != nil || m.Content != c.content || m.Sign != c.wantSign {
				t.Errorf("got %q %q, %v, want %q %q", m.Sign, m.Content, err, c.wantSign, c.content)
			}
		})
	}
}

func TestSignatureBehindATextIsSentOnce(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Measure{
		"text【公司】":         {Content: "text", Sign: "公司"},
		"【公司】text【公司】":     {Content: "text", Sign: "公司"},
		"text【公司】 \n":      {Content: "text", Sign: "公司"},
		"see【help】":        {Content: "see【help】", Sign: "公司"}, // may only quote something
		"text【a】【公司】":      {Content: "text【a】", Sign: "公司"},
		"text】【公司】x":       {Content: "text】【公司】x", Sign: "公司"},
		"text公司】":          {Content: "text公司】", Sign: "公司"},
		"【公司】see【help】":    {Content: "see【help】", Sign: "公司"},
		"text【公司】more【公司】": {Content: "text【公司】more", Sign: "公司"},
	} {
		got, err := MeasureText(text, "公司")
		if err != nil || got.Content != want.Content || got.Sign != want.Sign {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

func TestTextThatCannotBeSentIsRefused(t *testing.T) {
	var conflict *SignatureConflict
	if _, err := MeasureText("【甲】text", "乙"); !errors.As(err, &conflict) {
		t.Errorf("two signatures: %v", err)
	}
	var long *TooLong
	if _, err := MeasureText(strings.Repeat("中", 497), "公司"); !errors.As(err, &long) || long.Units != 501 {
		t.Errorf("501 units: %v", err)
	}
	if _, err := MeasureText(strings.Repeat("😀", 251), ""); !errors.As(err, &long) || long.Units != 502 {
		t.Errorf("251 emoji: %v", err)
	}
	for _, text := range []string{"", " \n", "【公司】", "【公司】 "} {
		if _, err := MeasureText(text, "公司"); !errors.Is(err, ErrNoText) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestDefaultAlphabetHasAllItsCharacters(t *testing.T) {
	// 128 septets, of which one is the escape; ten in the extension table.
	if basic, extension := len([]rune(gsmBasic)), len([]rune(gsmExtension)); basic != 127 || extension != 10 {
		t.Errorf("%d basic and %d extension characters, want 127 and 10", basic, extension)
	}
}
