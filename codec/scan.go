package codec

import (
	"bytes"
	"iter"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// The functions here walk JSON that json.Valid has accepted, so they find the
// ends of things without judging them. Unlike json.Unmarshal they show repeated
// names and halves of surrogate pairs, and need no reflection on the hot path.

// depth is the deepest nesting of arrays and objects in b, which need not be
// valid yet: it is measured before anything works through it.
func depth(b []byte) int {
	deepest, level := 0, 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			i = endOfString(b, i) - 1
		case '[', '{':
			level++
			deepest = max(deepest, level)
		case ']', '}':
			level--
		}
	}
	return deepest
}

// members goes through the names and raw values of an object.
func members(object []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for i := skipSpace(object, 1); object[i] != '}'; i = skipComma(object, i) {
			end := endOfString(object, i)
			name, _ := unquote(object[i:end])
			i = skipSpace(object, skipSpace(object, end)+1) // past the colon
			end = endOfValue(object, i)
			if !yield(name, object[i:end]) {
				return
			}
			i = end
		}
	}
}

// elements goes through the raw values of an array.
func elements(array []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := skipSpace(array, 1); array[i] != ']'; i = skipComma(array, i) {
			end := endOfValue(array, i)
			if !yield(array[i:end]) {
				return
			}
			i = end
		}
	}
}

func skipSpace(b []byte, i int) int {
	for b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n' {
		i++
	}
	return i
}

// skipComma goes from the end of a value to the next one or to the closing
// bracket.
func skipComma(b []byte, i int) int {
	if i = skipSpace(b, i); b[i] == ',' {
		i = skipSpace(b, i+1)
	}
	return i
}

// endOfString is the index behind the string that begins at i, or len(b) when it
// does not end.
func endOfString(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

func endOfValue(b []byte, i int) int {
	switch b[i] {
	case '"':
		return endOfString(b, i)
	case '[', '{':
		for level := 0; ; i++ {
			switch b[i] {
			case '"':
				i = endOfString(b, i) - 1
			case '[', '{':
				level++
			case ']', '}':
				if level--; level == 0 {
					return i + 1
				}
			}
		}
	default:
		for i < len(b) && strings.IndexByte(",]} \t\r\n", b[i]) < 0 {
			i++
		}
		return i
	}
}

// unquote decodes a JSON string. It reports false when an escape is half of a
// surrogate pair, which encoding/json would quietly replace: nobody wants to pay
// for a text with a question mark in it.
func unquote(raw []byte) (string, bool) {
	inner := raw[1 : len(raw)-1]
	at := bytes.IndexByte(inner, '\\')
	if at < 0 {
		return string(inner), true
	}
	out, whole := make([]byte, 0, len(inner)), true
	for ; at >= 0; at = bytes.IndexByte(inner, '\\') {
		out = append(out, inner[:at]...)
		inner = inner[at:]
		if inner[1] != 'u' {
			out = append(out, unescapeByte(inner[1]))
			inner = inner[2:]
			continue
		}
		r, size := unescapeRune(inner)
		whole = whole && size > 0
		out = utf8.AppendRune(out, r)
		inner = inner[max(size, 6):]
	}
	return string(append(out, inner...)), whole
}

// unescapeRune decodes the escape \uXXXX, or the two of a surrogate pair, that b
// begins with. Half of a pair is U+FFFD of size 0.
func unescapeRune(b []byte) (r rune, size int) {
	r = hexRune(b[2:6])
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if len(b) < 12 || b[6] != '\\' || b[7] != 'u' {
		return utf8.RuneError, 0
	}
	if r = utf16.DecodeRune(r, hexRune(b[8:12])); r == utf8.RuneError {
		return r, 0
	}
	return r, 12
}

func hexRune(b []byte) rune {
	n, _ := strconv.ParseUint(string(b), 16, 16)
	return rune(n)
}

func unescapeByte(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	default: // quotation mark, slash, backslash
		return c
	}
}

// names remembers which names an object has shown. Commands have few, so a short
// list is quicker than a map; a hostile one gets the map.
type names struct {
	few  [16]string
	n    int
	many map[string]struct{}
}

// add reports false when name was there before.
func (s *names) add(name string) bool {
	if slices.Contains(s.few[:s.n], name) {
		return false
	}
	if s.n < len(s.few) {
		s.few[s.n] = name
		s.n++
		return true
	}
	if _, twice := s.many[name]; twice {
		return false
	}
	if s.many == nil {
		s.many = make(map[string]struct{})
	}
	s.many[name] = struct{}{}
	return true
}
