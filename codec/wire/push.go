package wire

import (
	"fmt"
	"mime"
	"slices"
	"strings"
	"unicode/utf8"
)

// MaxParameters bounds the parameters of a push, body and query each.
const MaxParameters = 64

// Push is what the provider called us with. The caller bounds the body.
type Push struct {
	ContentType string
	Body        []byte
	Query       string // raw, without the question mark
}

// Credentials are the fields by which a push is authenticated, as they came:
// Name and Password of the static mode, or Name as the MD5 of secret, Random and
// Timestamp.
type Credentials struct {
	Name, Password    string
	Random, Timestamp string
}

// Unreadable says what in a push could not be read. It never holds the value.
type Unreadable struct {
	Field  string // the provider's name of it; empty: the form as a whole
	Rule   string
	Remedy string
}

func (e *Unreadable) Error() string {
	if e.Field == "" {
		return "push: " + e.Rule + "; " + e.Remedy
	}
	return e.Field + ": " + e.Rule + "; " + e.Remedy
}

func missing(field string) *Unreadable {
	return &Unreadable{Field: field, Rule: "is missing", Remedy: "the provider's push has to carry it, in the body or the query"}
}

// fields are the parameters of a push that count, by their place in known.
type fields struct {
	known  []string
	values [maxKnown]string
	given  [maxKnown]bool
}

const maxKnown = 8

func (f *fields) get(name string) string {
	if i := slices.Index(f.known, name); i >= 0 {
		return f.values[i]
	}
	return ""
}

func (f *fields) credentials() Credentials {
	return Credentials{Name: f.get("name"), Password: f.get("pwd"), Random: f.get("random"), Timestamp: f.get("timestamp")}
}

// fields reads the known parameters of a push: those of the body, and from the
// query what the body does not have. On an error they are those that came first,
// so that who called can be judged whatever else is wrong.
func (p Push) fields(known ...string) (*fields, error) {
	gb := declaresGB(p.ContentType)
	body, errOfBody := readForm(strings.TrimPrefix(string(p.Body), byteOrderMark), gb, known)
	if p.Query == "" {
		return body, errOfBody
	}
	query, err := readForm(p.Query, gb, known)
	for i, given := range query.given {
		if given && !body.given[i] {
			body.values[i], body.given[i] = query.values[i], true
		}
	}
	if errOfBody != nil {
		err = errOfBody
	}
	return body, err
}

const byteOrderMark = "\ufeff"

// WithoutCredentials is the push with the values of its credentials taken out,
// for where it is kept. It is read as before, save that nobody is named in it.
// A value with the mark of an inbound message's fields is no credential but the
// rest of a text that was not encoded and holds something like "&name=".
func (p Push) WithoutCredentials() Push {
	p.Body = []byte(blankCredentials(string(p.Body)))
	p.Query = blankCredentials(p.Query)
	return p
}

func blankCredentials(s string) string {
	var out strings.Builder
	for pair := range strings.SplitAfterSeq(s, "&") {
		name, value, found := strings.Cut(pair, "=")
		switch pairName(strings.TrimPrefix(name, byteOrderMark)) {
		case "name", "pwd", "random", "timestamp":
			if found && !strings.Contains(value, fieldMark) {
				pair = name + "=" + value[len(strings.TrimSuffix(value, "&")):]
			}
		}
		out.WriteString(pair)
	}
	return out.String()
}

// declaresGB reports whether a body says of itself that it is in one of the
// Chinese charsets. Short GBK words are valid UTF-8 by accident, so this is
// asked before the bytes are looked at.
func declaresGB(contentType string) bool {
	if !strings.Contains(contentType, "=") {
		return false
	}
	_, parameters, err := mime.ParseMediaType(contentType)
	return err == nil && strings.HasPrefix(strings.ToLower(parameters["charset"]), "gb")
}

// readForm reads name=value pairs joined by &, of which only the known names
// count, and of a repeated one the first. Unlike net/url it keeps what senders
// that do not encode give: a semicolon, a bare percent sign, raw text.
func readForm(s string, gb bool, known []string) (*fields, error) {
	s = strings.Trim(s, "\r\n")
	f := &fields{known: known}
	var fault error
	pairs := 0
	for at := 0; at <= len(s); {
		if pairs++; pairs == MaxParameters+1 && fault == nil {
			fault = &Unreadable{Rule: fmt.Sprintf("has more than %d parameters", MaxParameters), Remedy: "send the documented ones only"}
		}
		end := endOfPair(s, at, known)
		name, value, _ := strings.Cut(s[at:end], "=")
		at = end + 1
		i := slices.Index(known, pairName(name))
		switch {
		case i < 0:
		case !f.given[i]:
			f.values[i], f.given[i] = decodeValue(value, gb), true
		case fault == nil:
			fault = &Unreadable{Field: known[i], Rule: "is given more than once", Remedy: "which one counts cannot be told; send it once"}
		}
	}
	return f, fault
}

// endOfPair is where the pair that begins at ends. An & in the text of args that
// was not encoded does not end it: what follows is no parameter that anybody
// knows.
func endOfPair(s string, at int, known []string) int {
	end := nextAnd(s, at)
	if !strings.HasPrefix(s[at:], "args=") || !isRaw(s[at:end]) {
		return end
	}
	for end < len(s) {
		next := nextAnd(s, end+1)
		if name, _, _ := strings.Cut(s[end+1:next], "="); slices.Contains(known, pairName(name)) {
			break
		}
		end = next
	}
	return end
}

func nextAnd(s string, at int) int {
	if i := strings.IndexByte(s[at:], '&'); i >= 0 {
		return at + i
	}
	return len(s)
}

func pairName(s string) string { return strings.TrimSpace(unescape(s, ' ')) }

// decodeValue undoes the percent-encoding of a value that has one, and its
// charset.
func decodeValue(value string, gb bool) string {
	switch {
	case !isRaw(value):
		value = unescape(value, ' ')
	case isHalfEncoded(value):
		value = unescape(value, '+')
	}
	switch {
	case isASCII(value):
		return value
	case gb:
		return decodeGB([]byte(value))
	default:
		return decodeText([]byte(value))
	}
}

// isRaw reports whether a value holds what an encoded one cannot. In such a one
// a plus is a plus and a percent sign is a percent sign.
func isRaw(value string) bool {
	for i := range len(value) {
		if c := value[i]; c <= ' ' || c >= utf8.RuneSelf || c == '#' {
			return true
		}
	}
	return false
}

// isHalfEncoded reports whether a value that looks raw was encoded all the same, by
// a function for whole addresses: JavaScript's encodeURI and .NET's EscapeUriString
// leave what separates the parts of one (#, @, & and + among them), and older ones
// blanks. They leave no percent sign and nothing beyond ASCII, and escape neither
// letters nor digits.
func isHalfEncoded(value string) bool {
	escapes := 0
	for i := 0; i < len(value); i++ {
		if value[i] >= utf8.RuneSelf {
			return false
		}
		if value[i] != '%' {
			continue
		}
		c, ok := escaped(value[i:])
		if !ok || isUnreserved(c) {
			return false
		}
		escapes++
		i += 2
	}
	return escapes > 0
}

// isUnreserved reports whether no encoder escapes a character.
func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// unescape decodes percent signs, and says what a plus is. A percent sign that
// begins no escape stands for itself.
func unescape(s string, plus byte) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch c {
		case '+':
			c = plus
		case '%':
			if decoded, ok := escaped(s[i:]); ok {
				c = decoded
				i += 2
			}
		}
		out = append(out, c)
	}
	return string(out)
}

// escaped is the byte that an escape at the beginning of s stands for.
func escaped(s string) (c byte, ok bool) {
	if len(s) < 3 || s[0] != '%' {
		return 0, false
	}
	high, low := unhex(s[1]), unhex(s[2])
	return high<<4 | low, high|low < 16
}

// unhex is the value of a hexadecimal digit, and 0xff for any other byte.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	default:
		return 0xff
	}
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
