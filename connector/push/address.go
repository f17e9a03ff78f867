package push

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// client is the address that a request comes from: the socket's peer, or what
// trusted proxies say stands before them. X-Forwarded-For is read from the
// right, and the first hop that is no trusted proxy is the client: everything
// left of it was written by the client itself. ok is false when that hop is no
// address.
func client(r *http.Request, proxies []netip.Prefix) (addr netip.Addr, ok bool) {
	addr, ok = peer(r.RemoteAddr)
	if !ok || !contains(proxies, addr) {
		return addr, ok
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		hop = strings.TrimSpace(hop)
		if hop == "" {
			continue
		}
		if addr, ok = peer(hop); !ok || !contains(proxies, addr) {
			return addr, ok
		}
	}
	return addr, true
}

// peer reads an address with or without a port. An IPv4 address that came
// through an IPv6 socket is the same address.
func peer(s string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		withPort, err := netip.ParseAddrPort(s)
		if err != nil {
			return netip.Addr{}, false
		}
		addr = withPort.Addr()
	}
	return addr.Unmap().WithZone(""), true
}

func contains(list []netip.Prefix, addr netip.Addr) bool {
	for _, p := range list {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// party is what limits for each address count: one IPv6 customer has at least
// a /64 to choose addresses from.
func party(addr netip.Addr) netip.Addr {
	if !addr.Is6() {
		return addr
	}
	network, err := addr.Prefix(64)
	if err != nil {
		return addr
	}
	return network.Addr()
}
