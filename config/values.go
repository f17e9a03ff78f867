package config

import (
	"errors"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Switch is a bool that also understands on and off.
type Switch bool

// Decode reads true, false, on, off, yes, no, 1 or 0.
func (s *Switch) Decode(text string) error {
	switch strings.ToLower(text) {
	case "true", "on", "yes", "1":
		*s = true
	case "false", "off", "no", "0":
		*s = false
	default:
		return errors.New("is neither true nor false")
	}
	return nil
}

// Size is a number of bytes.
type Size int64

// units of a Size, the smallest first. Those of disks' makers are left out: who
// writes GB may mean either.
var units = []struct {
	name string
	size Size
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}}

// Decode reads a whole number, of bytes or with KiB, MiB, GiB or TiB.
func (s *Size) Decode(text string) error {
	unit := Size(1)
	for _, u := range units {
		if number, found := strings.CutSuffix(text, u.name); found {
			text, unit = strings.TrimSpace(number), u.size
		}
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil || Size(n) > math.MaxInt64/unit {
		return errors.New("is no size")
	}
	*s = Size(n) * unit
	return nil
}

// String writes the size in the largest unit that leaves it whole.
func (s Size) String() string {
	for _, u := range slices.Backward(units) {
		if s >= u.size && s%u.size == 0 {
			return strconv.FormatInt(int64(s/u.size), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// Digits is how many digits something has, 0 to 20, where somebody has said.
type Digits struct {
	n     int
	given bool
}

// Decode reads a whole number.
func (d *Digits) Decode(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 20 {
		return errors.New("is no number of digits")
	}
	*d = Digits{n, true}
	return nil
}

// Value is the number, nil where nobody has said.
func (d Digits) Value() *int {
	if !d.given {
		return nil
	}
	return &d.n
}

// String writes the number, and nothing where nobody has said.
func (d Digits) String() string {
	if !d.given {
		return ""
	}
	return strconv.Itoa(d.n)
}

// List is what stood between commas, without blanks around it and without what
// was empty.
type List []string

// Decode splits text at its commas.
func (l *List) Decode(text string) error {
	*l = nil
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			*l = append(*l, item)
		}
	}
	return nil
}

// Has reports whether item is in the list.
func (l List) Has(item string) bool { return slices.Contains(l, item) }

// String joins the list again.
func (l List) String() string { return strings.Join(l, ",") }

// Networks is a list of address ranges.
type Networks []netip.Prefix

// Decode reads CIDR ranges and single addresses, separated by commas.
func (n *Networks) Decode(text string) error {
	*n = nil
	var items List
	_ = items.Decode(text) // a List takes any text
	for _, item := range items {
		network, err := netip.ParsePrefix(item)
		if err != nil {
			addr, err := netip.ParseAddr(item)
			if err != nil || addr.Zone() != "" {
				return errors.New("holds something that is no network")
			}
			addr = addr.Unmap()
			network = netip.PrefixFrom(addr, addr.BitLen())
		}
		*n = append(*n, network.Masked())
	}
	return nil
}

// String joins the networks again.
func (n Networks) String() string {
	items := make(List, len(n))
	for i, network := range n {
		items[i] = network.String()
	}
	return items.String()
}
