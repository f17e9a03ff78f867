package push

import (
	"net/http"
	"net/netip"
	"testing"
)

func TestClientIsTheRightmostUntrustedHop(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	tests := map[string]struct {
		peer string
		hops []string
		want string // empty: unknown
	}{
		"direct":                           {"203.0.113.7:1", nil, "203.0.113.7"},
		"direct, claims another address":   {"203.0.113.7:1", []string{"198.51.100.1"}, "203.0.113.7"},
		"one proxy":                        {"10.0.0.1:1", []string{"203.0.113.7"}, "203.0.113.7"},
		"client wrote a hop of its own":    {"10.0.0.1:1", []string{"198.51.100.1, 203.0.113.7"}, "203.0.113.7"},
		"two proxies":                      {"10.0.0.1:1", []string{"203.0.113.7, 10.2.2.2"}, "203.0.113.7"},
		"several header lines":             {"10.0.0.1:1", []string{"198.51.100.1", "203.0.113.7", "10.2.2.2"}, "203.0.113.7"},
		"with ports":                       {"10.0.0.1:1", []string{"203.0.113.7:4711"}, "203.0.113.7"},
		"IPv6 with port":                   {"[fd00::1]:1", []string{"[2001:db8::7]:4711"}, "2001:db8::7"},
		"IPv6 in brackets":                 {"[fd00::1]:1", []string{"[2001:db8::7]"}, "2001:db8::7"},
		"IPv4 through an IPv6 socket":      {"[::ffff:10.0.0.1]:1", []string{"::ffff:203.0.113.7"}, "203.0.113.7"},
		"proxy tells nothing":              {"10.0.0.1:1", nil, "10.0.0.1"},
		"empty hops":                       {"10.0.0.1:1", []string{" , ,203.0.113.7,, "}, "203.0.113.7"},
		"only proxies":                     {"10.0.0.1:1", []string{"10.3.3.3, 10.2.2.2"}, "10.3.3.3"},
		"garbage hides what is left of it": {"10.0.0.1:1", []string{"203.0.113.7, unknown"}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok := client(&http.Request{RemoteAddr: test.peer, Header: http.Header{"X-Forwarded-For": test.hops}}, proxies)
			if ok != (test.want != "") || ok && got.String() != test.want {
				t.Errorf("client %s (%v), want %q", got, ok, test.want)
			}
		})
	}
}
