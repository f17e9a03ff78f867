package wire

import "strings"

// NormalizeNumber makes the eleven digits that the provider wants of a mainland
// mobile number. Accepted are the prefixes +86, 0086 and 86, blanks and dashes
// anywhere, and full-width digits.
//
// Whatever is not eleven digits beginning with 1 then is refused. Other
// countries are another product of the provider, so a foreign number would be
// paid for and lost; note that +1 380 000 0000 is one, whatever its digits look
// like without the plus. Which carrier a prefix belongs to is not looked at:
// prefixes are given out every year.
func NormalizeNumber(s string) (digits string, ok bool) {
	const longest = 64 // bytes, far above any way to write a number
	if len(s) > longest {
		return "", false
	}
	if !isDigits(s) {
		s, ok = strip(s)
		if !ok {
			return "", false
		}
	}
	for _, prefix := range []string{"+86", "0086", "86"} {
		if rest, found := strings.CutPrefix(s, prefix); found {
			s = rest
			break
		}
	}
	return s, len(s) == 11 && s[0] == '1' && isDigits(s)
}

// Address books put marks of writing direction around a copied number.
const blanksAndDashes = " \t\r\n\u00a0\u200b\u200e\u200f\u202a\u202c\u202d\ufeff-‐‑‒–—−"

// strip drops blanks and dashes and folds full-width forms. It reports false
// where anything but digits and plus signs remains.
func strip(s string) (string, bool) {
	out := make([]byte, 0, len(s))
	for _, r := range s {
		r = foldWidth(r)
		switch {
		case '0' <= r && r <= '9', r == '+':
			out = append(out, byte(r))
		case strings.ContainsRune(blanksAndDashes, r):
		default:
			return "", false
		}
	}
	return string(out), true
}

// foldWidth maps the full-width forms of ASCII, which Chinese keyboards give,
// onto ASCII.
func foldWidth(r rune) rune {
	switch {
	case '！' <= r && r <= '～':
		return r - '！' + '!'
	case r == '\u3000':
		return ' '
	default:
		return r
	}
}
