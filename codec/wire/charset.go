package wire

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// decodeText returns b as UTF-8. What is not UTF-8 is read as GB18030, which
// also covers GBK and GB2312; bytes that are neither become U+FFFD.
func decodeText(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return decodeGB(b)
}

func decodeGB(b []byte) string {
	s, err := simplifiedchinese.GB18030.NewDecoder().Bytes(b)
	if err != nil {
		return strings.ToValidUTF8(string(b), "\ufffd")
	}
	return string(s)
}
