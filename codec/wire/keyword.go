package wire

import (
	"strings"
	"unicode"

	"smsbridge/codec/sms"
)

// Keywords knows the words by which people ask for something by message.
type Keywords map[string]sms.Keyword

// NewKeywords makes Keywords of the words for each wish. A word in several lists
// counts as the first of opt-out, opt-in and help: not writing to somebody who
// wants it is the smaller harm.
func NewKeywords(optOut, optIn, help []string) Keywords {
	k := make(Keywords)
	for _, list := range []struct {
		keyword sms.Keyword
		words   []string
	}{{sms.Help, help}, {sms.OptIn, optIn}, {sms.OptOut, optOut}} {
		for _, word := range list.words {
			if word = fold(word); word != "" {
				k[word] = list.keyword
			}
		}
	}
	return k
}

// Of is the keyword that text is, and empty when it is none. The whole text has
// to be the word, apart from blanks around it, case and full-width forms: "do
// not stop" is not a wish to stop.
func (k Keywords) Of(text string) sms.Keyword {
	const longest = 256 // bytes, far above any word
	if len(text) > longest {
		return ""
	}
	return k[fold(text)]
}

func fold(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune { return unicode.ToLower(foldWidth(r)) }, s))
}
