package trail

import "strings"

// Mask hides whatever looks like a mainland mobile number, wherever it stands:
// keys, ids, metadata and the provider's words may hold one. Sendids are longer
// and stay.
func Mask(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		n := 0
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		if n == 0 {
			b.WriteByte(s[0])
			s = s[1:]
			continue
		}
		b.WriteString(maskRun(s[:n]))
		s = s[n:]
	}
	return b.String()
}

// maskRun keeps the first three and the last two digits of a number.
func maskRun(digits string) string {
	number := digits
	for _, country := range []string{"0086", "86"} {
		if rest, found := strings.CutPrefix(digits, country); found && len(rest) == 11 {
			number = rest
		}
	}
	if len(number) != 11 || number[0] != '1' {
		return digits
	}
	return digits[:len(digits)-len(number)] + number[:3] + "******" + number[9:]
}
