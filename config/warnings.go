package config

import (
	"net"
	"net/netip"
	"slices"
	"unicode/utf8"
)

// shortSecret is from how many characters on a secret cannot be guessed over the
// network.
const shortSecret = 12

// Warnings says what is allowed and better otherwise: it opens to strangers what
// should not be. They hold no value.
func (c *Config) Warnings() []string {
	var all []string
	warn := func(when bool, text string) {
		if when {
			all = append(all, text)
		}
	}
	if c.Life.Roles.Has("push") {
		p := &c.Push
		open := !p.Token.IsSet() && len(p.Allow) == 0
		const remedy = " without a PUSH_TOKEN or PUSH_ALLOW: anybody who reaches the listener is believed"
		warn(p.Auth == "none" && open, prefix+"PUSH_AUTH is none"+remedy)
		warn(p.InboundAuth == "none" && open, prefix+"PUSH_INBOUND_AUTH is none"+remedy)
		nothing := !p.InboundName.IsSet() && !p.InboundPassword.IsSet() && !p.Name.IsSet() && !p.Password.IsSet()
		warn(p.InboundAuth == "static" && nothing, "inbound messages are answered 401: set "+prefix+
			"PUSH_INBOUND_NAME or PUSH_INBOUND_PASSWORD as at the provider, or PUSH_INBOUND_AUTH=none")
		for _, network := range p.TrustedProxies {
			warn(network.Bits() == 0, prefix+"PUSH_TRUSTED_PROXIES trusts every address, so anybody can say who they are: list the networks of your own proxies")
		}
	}
	for name, secret := range map[string]Secret{
		"PUSH_TOKEN": c.Push.Token, "PUSH_PASSWORD": c.Push.Password, "PUSH_ACCESS_SECRET": c.Push.AccessSecret,
		"PUSH_INBOUND_PASSWORD": c.Push.InboundPassword,
	} {
		short := secret.IsSet() && utf8.RuneCountInString(secret.Value()) < shortSecret
		warn(short && c.Life.Roles.Has("push"), prefix+name+" has fewer than 12 characters and can be guessed: choose a longer one")
	}
	warn(!c.Reports.HashKey.IsSet(), prefix+"NUMBER_HASH_KEY is not set: the hashes of numbers and texts change with the provider's password; set it, for example to the output of: openssl rand -hex 24")
	host, _, _ := net.SplitHostPort(c.Admin.Listen)
	addr, err := netip.ParseAddr(host)
	warn(host == "" || err == nil && addr.IsUnspecified(), prefix+"ADMIN_LISTEN is on every address of this machine and knows no login: name one that only operators reach")
	slices.Sort(all)
	return all
}
