package codec

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"smsbridge/codec/sms"
)

// field reads one field of a command; raw is its valid JSON, which is not null.
func (d *decoder) field(name string, raw []byte) {
	switch name {
	case "id":
		d.id(raw)
	case "to":
		d.to(raw)
	case "text":
		d.cmd.Text, _ = d.text(name, raw)
	case "signature":
		d.signature(raw)
	case "extension":
		d.extension(raw)
	case "send_at":
		d.cmd.SendAt = d.time(name, raw)
	case "expires_at":
		d.cmd.ExpiresAt = d.time(name, raw)
	case "class":
		d.class(raw)
	case "on_unknown":
		d.onUnknown(raw)
	case "max_segments":
		d.maxSegments(raw)
	case "metadata":
		d.metadata(raw)
	default:
		d.warn(name)
	}
}

func (d *decoder) text(name string, raw []byte) (string, bool) {
	if raw[0] != '"' {
		d.fault(name, "is not a string", "write it in quotation marks")
		return "", false
	}
	s, ok := unquote(raw)
	if !ok {
		d.fault(name, "holds half of a surrogate pair", "write characters beyond U+FFFF as two escapes or in UTF-8")
	}
	return s, ok
}

func (d *decoder) id(raw []byte) {
	id, ok := d.text("id", raw)
	if !ok {
		return
	}
	if !isID(id) {
		d.fault("id", "is not 1 to 64 of A-Z a-z 0-9 . _ : -", "choose another id, or leave it out for topic:partition:offset")
		return
	}
	d.cmd.ID = id
}

func isID(id string) bool {
	for i := range len(id) {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte("._:-", c) < 0 {
			return false
		}
	}
	return id != "" && len(id) <= MaxID
}

func (d *decoder) to(raw []byte) {
	const remedy = "give one number as a string, or several as an array of strings"
	switch raw[0] {
	case '"':
		if number, ok := d.text("to", raw); ok && number != "" {
			d.cmd.To = []string{number}
		}
	case '[':
		to := make([]string, 0, 1)
		for raw := range elements(raw) {
			if raw[0] != '"' {
				d.fault("to", "holds something that is not a string", remedy)
				return
			}
			number, ok := d.text("to", raw)
			if !ok {
				return
			}
			to = append(to, number)
		}
		d.cmd.To = to
	default:
		d.fault("to", "is neither a string nor an array", remedy)
	}
}

func (d *decoder) signature(raw []byte) {
	s, _ := d.text("signature", raw)
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		d.fault("signature", "holds a control character", "give the bare name that stands between 【 and 】")
		return
	}
	d.cmd.Signature = s
}

func (d *decoder) extension(raw []byte) {
	s, _ := d.text("extension", raw)
	if len(s) > maxExtension || strings.Trim(s, "0123456789") != "" {
		d.fault("extension", "is not up to 20 digits", "give the digits that follow the provider's own number")
		return
	}
	d.cmd.Extension = s
}

func (d *decoder) time(name string, raw []byte) time.Time {
	s, ok := d.text(name, raw)
	if !ok {
		return time.Time{}
	}
	// Zero values of other languages, such as the year 1, are mistakes and would
	// be lost as "not given".
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Year() < 1970 || t.Year() > 2999 {
		d.fault(name, "is not a time of RFC 3339 from 1970 to 2999", "write it as 2006-01-02T15:04:05Z or with an offset such as +08:00")
		return time.Time{}
	}
	return t
}

func (d *decoder) class(raw []byte) {
	s, ok := d.text("class", raw)
	switch c := sms.Class(s); c {
	case sms.OTP, sms.Notice, sms.Marketing:
		d.cmd.Class = c
	default:
		if ok {
			d.fault("class", "is not one of otp, notice, marketing", "leave it out for notice")
		}
	}
}

func (d *decoder) onUnknown(raw []byte) {
	s, ok := d.text("on_unknown", raw)
	switch p := sms.OnUnknown(s); p {
	case sms.ReportUnknown, sms.ResendUnknown:
		d.cmd.OnUnknown = p
	default:
		if ok {
			d.fault("on_unknown", "is not one of report, resend", "leave it out for what the connector is configured to do")
		}
	}
}

func (d *decoder) maxSegments(raw []byte) {
	n, err := strconv.ParseInt(string(raw), 10, 32)
	if err != nil || n < 1 {
		d.fault("max_segments", "is not a whole number of at least 1", "leave it out for no limit")
		return
	}
	d.cmd.MaxSegments = int(n)
}

func (d *decoder) metadata(raw []byte) {
	const remedy = "give an object of strings with up to 1 KiB of names and values"
	if raw[0] != '{' {
		d.fault("metadata", "is not an object", remedy)
		return
	}
	metadata, size := make(map[string]string), 0
	for name, raw := range members(raw) {
		if string(raw) == "null" {
			continue
		}
		if raw[0] != '"' {
			d.fault("metadata", "holds a value that is not a string", remedy)
			return
		}
		value, ok := d.text("metadata", raw)
		if !ok {
			return
		}
		if _, twice := metadata[name]; twice {
			d.fault("metadata", "holds a name twice", remedy)
			return
		}
		if size += len(name) + len(value); size > MaxMetadata {
			d.fault("metadata", "is larger than 1 KiB", remedy)
			return
		}
		metadata[name] = value
	}
	d.cmd.Metadata = metadata
}

// warn keeps the name of a field that means nothing to us. Names are bounded, as
// the result echoes them.
func (d *decoder) warn(name string) {
	if len(d.cmd.Warnings) == maxWarnings {
		return
	}
	if utf8.RuneCountInString(name) > maxWarningLength {
		name = string([]rune(name)[:maxWarningLength])
	}
	d.cmd.Warnings = append(d.cmd.Warnings, name)
}
