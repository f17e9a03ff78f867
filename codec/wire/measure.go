package wire

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"smsbridge/codec/sms"
)

// MaxUnits is the longest text that the provider takes, signature included, in
// UTF-16 code units.
const MaxUnits = 500

// ErrNoText means that a text is empty, or nothing but its signature.
var ErrNoText = errors.New("text: is empty; the provider sends 1 to 500 characters besides the signature")

// TooLong means that a text is above MaxUnits.
type TooLong struct{ Units int }

func (e *TooLong) Error() string {
	return fmt.Sprintf("text: has %d characters with its signature, the provider takes %d; shorten it or send it as several commands",
		e.Units, MaxUnits)
}

// SignatureConflict means that a text begins with another signature than the
// one it is to be sent with.
type SignatureConflict struct{}

func (*SignatureConflict) Error() string {
	return "text: begins with another signature in 【】 than the command's; write it in one place only"
}

// Measure is a text as it is to be submitted, and its size on the air.
type Measure struct {
	Content  string // without signature
	Sign     string // bare; empty when there is none
	Units    int    // UTF-16 code units of 【Sign】 and Content
	Segments int
	Encoding sms.Encoding
}

// MeasureText takes text and the bare signature it is to carry apart and counts
// its segments. A text that already begins or ends with 【sign】 is sent with it
// once; one that begins with another 【…】 is a *SignatureConflict, while one that
// ends so may only quote something. Without a signature a leading 【…】 of the text
// becomes it, or else the one that it ends with: the provider demands the field and
// adds the brackets itself.
//
// Errors: *TooLong, *SignatureConflict, ErrNoText.
func MeasureText(text, sign string) (Measure, error) {
	sign = bare(sign)
	content := text
	if own, rest, found := leadingSign(text); found {
		if sign != "" && own != sign {
			return Measure{}, &SignatureConflict{}
		}
		sign, content = own, rest
	}
	if own, rest, found := trailingSign(content); found && (sign == "" || own == sign) {
		sign, content = own, rest
	}
	if strings.TrimSpace(content) == "" {
		return Measure{}, ErrNoText
	}
	m := Measure{Content: content, Sign: sign}
	full := content
	if sign != "" {
		full = "【" + sign + "】" + content
	}
	m.Units = units(full)
	if m.Units > MaxUnits {
		return Measure{}, &TooLong{Units: m.Units}
	}
	m.Encoding, m.Segments = segments(full)
	return m, nil
}

// bare takes the brackets off a signature that was given with them.
func bare(sign string) string {
	sign = strings.TrimSpace(sign)
	if own, rest, found := leadingSign(sign); found && rest == "" {
		return own
	}
	return sign
}

// leadingSign cuts 【…】 off the beginning of a text.
func leadingSign(text string) (sign, rest string, found bool) {
	rest, found = strings.CutPrefix(text, "【")
	if !found {
		return "", text, false
	}
	sign, rest, found = strings.Cut(rest, "】")
	if !found || sign == "" {
		return "", text, false
	}
	return sign, rest, true
}

// trailingSign cuts 【…】 off the end of a text.
func trailingSign(text string) (sign, rest string, found bool) {
	trimmed := strings.TrimRightFunc(text, unicode.IsSpace)
	inside, found := strings.CutSuffix(trimmed, "】")
	begin := strings.LastIndex(inside, "【")
	if !found || begin < 0 {
		return "", text, false
	}
	sign = inside[begin+len("【"):]
	if sign == "" || strings.Contains(sign, "】") {
		return "", text, false
	}
	return sign, inside[:begin], true
}

func units(s string) int {
	n := 0
	for _, r := range s {
		n += unitsOf(r)
	}
	return n
}

func unitsOf(r rune) int {
	if r > 0xffff {
		return 2
	}
	return 1
}

// segments says how a text goes over the air: 160 septets or 70 UTF-16 units
// alone; a concatenated message loses 6 bytes of each segment to its header and
// keeps 153 or 67 (3GPP TS 23.038 and 23.040). A character of two septets or
// units is never torn apart, so a segment may stay one short.
func segments(s string) (sms.Encoding, int) {
	encoding, width, alone, each := sms.GSM7, septetsOf, 160, 153
	if !isGSM7(s) {
		encoding, width, alone, each = sms.UCS2, unitsOf, 70, 67
	}
	total, parts, filled := 0, 1, 0
	for _, r := range s {
		w := width(r)
		total += w
		if filled+w > each {
			parts, filled = parts+1, 0
		}
		filled += w
	}
	if total <= alone {
		parts = 1
	}
	return encoding, parts
}

func isGSM7(s string) bool {
	for _, r := range s {
		if septetsOf(r) == 0 {
			return false
		}
	}
	return utf8.ValidString(s)
}

// The default alphabet of 3GPP TS 23.038 and its extension table, whose
// characters are an escape and a septet.
const (
	gsmBasic = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
		"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsmExtension = "\f^{}\\[~]|€"
)

// septetsOf is the size of a character in GSM-7, and 0 when it is not in it.
func septetsOf(r rune) int {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == ' ':
		return 1
	case strings.ContainsRune(gsmExtension, r):
		return 2
	case strings.ContainsRune(gsmBasic, r):
		return 1
	default:
		return 0
	}
}
