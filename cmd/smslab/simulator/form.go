package simulator

import (
	"bytes"
	"strings"
)

// form is what a submit or balance call holds.
type form struct {
	name, password, content, mobile, stime, sign, kind, extno string
}

func (f *form) field(name string) *string {
	switch name {
	case "name":
		return &f.name
	case "pwd":
		return &f.password
	case "content":
		return &f.content
	case "mobile":
		return &f.mobile
	case "stime":
		return &f.stime
	case "sign":
		return &f.sign
	case "type":
		return &f.kind
	case "extno":
		return &f.extno
	default:
		return nil
	}
}

// parse reads a query or a body and lets it win over what is there. Old clients do
// not encode: a piece that begins with no field's name belongs to the value before
// it, and a percent sign that encodes nothing stands for itself.
func (f *form) parse(s string) {
	var last *string
	for piece := range strings.SplitSeq(s, "&") {
		name, value, found := strings.Cut(piece, "=")
		if to := f.field(name); found && to != nil {
			*to = unescape(value)
			last = to
		} else if last != nil && piece != "" {
			*last += "&" + unescape(piece)
		}
	}
}

func unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return strings.Clone(s) // s is a part of a buffer that the next request overwrites
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			b = append(b, ' ')
		case s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			b = append(b, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		default:
			b = append(b, s[i])
		}
	}
	return string(bytes.ToValidUTF8(b, []byte("\ufffd")))
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	default:
		return c - 'a' + 10
	}
}
