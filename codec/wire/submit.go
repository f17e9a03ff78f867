package wire

import "time"

// Submit is one submit call.
type Submit struct {
	Name, Password string
	Content        string // without signature
	Sign           string // bare; the provider adds 【】
	Extension      string // digits; empty: none
	Mobiles        []string
	SendAt         time.Time // zero: now
}

// AppendSubmit appends the form body of a submit. Every byte that could end a
// value is percent-encoded, so no text or number can become another parameter.
func AppendSubmit(dst []byte, s Submit) []byte {
	dst = appendCredentials(dst, s.Name, s.Password)
	dst = appendField(dst, "&content=", s.Content)
	dst = append(dst, "&mobile="...)
	for i, m := range s.Mobiles {
		if i > 0 {
			dst = append(dst, "%2C"...)
		}
		dst = appendEscaped(dst, m)
	}
	if !s.SendAt.IsZero() {
		var stamp [len(TimeLayout)]byte
		dst = appendField(dst, "&stime=", string(s.SendAt.In(Zone).AppendFormat(stamp[:0], TimeLayout)))
	}
	dst = appendField(dst, "&sign=", s.Sign)
	dst = append(dst, "&type=pt"...)
	if s.Extension != "" {
		dst = appendField(dst, "&extno=", s.Extension)
	}
	return dst
}

// AppendBalance appends the form body that asks for the balance.
func AppendBalance(dst []byte, name, password string) []byte {
	return append(appendCredentials(dst, name, password), "&type=balance"...)
}

func appendCredentials(dst []byte, name, password string) []byte {
	return appendField(appendField(dst, "name=", name), "&pwd=", password)
}

func appendField(dst []byte, name, value string) []byte {
	return appendEscaped(append(dst, name...), value)
}

// appendEscaped writes a blank as %20, not as +: servers that decode only
// percent signs read it as well.
func appendEscaped(dst []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		if isUnreserved(c) {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		}
	}
	return dst
}
