package config

import (
	"crypto/tls"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// judge applies the rules that a tag cannot say: the form of a value, and what
// variables mean for each other.
func (k *checker) judge(c *Config) {
	k.kafka(&c.Kafka)
	k.topics(&c.Topics)
	k.provider(&c.Provider)
	k.commands(c)
	k.push(c)
	k.inbound(&c.Inbound)
	k.reports(c)
	k.life(c)
}

func (k *checker) kafka(c *Kafka) {
	for _, broker := range c.Brokers {
		k.rule(isAddress(broker, 1) && !strings.HasPrefix(broker, ":"), "holds something that is no host:port",
			"write it like kafka-1:9092,kafka-2:9092", "KAFKA_BROKERS")
	}
	k.rule(len(c.Brokers) > 0, "names no broker", "write it like kafka-1:9092,kafka-2:9092", "KAFKA_BROKERS")
	k.rule(isLine(c.Group, 200), "is longer than 200 bytes or holds a control character", "choose a short name", "KAFKA_GROUP")
	k.rule(c.TopicReplication != 0, "is 0", "write -1 for the brokers' default, or the number of replicas", "KAFKA_TOPIC_REPLICATION")

	k.tls(c)
	k.login(c)
}

// tls judges the files that go with TLS. They are read once, so that a wrong
// path is told at start and not by a broker's refusal.
func (k *checker) tls(c *Kafka) {
	const idle, remedy = "does nothing while SMSBRIDGE_KAFKA_TLS is off", "set SMSBRIDGE_KAFKA_TLS=true or remove it"
	k.rule(c.TLSCAFile == "" || bool(c.TLS), idle, remedy, "KAFKA_TLS_CA_FILE", "KAFKA_TLS")
	k.rule(c.TLSCertFile == "" || bool(c.TLS), idle, remedy, "KAFKA_TLS_CERT_FILE", "KAFKA_TLS")
	k.rule(c.TLSKeyFile == "" || bool(c.TLS), idle, remedy, "KAFKA_TLS_KEY_FILE", "KAFKA_TLS")
	k.rule(c.TLSCertFile != "" || c.TLSKeyFile == "", "is missing beside SMSBRIDGE_KAFKA_TLS_KEY_FILE",
		"set both or none", "KAFKA_TLS_CERT_FILE", "KAFKA_TLS_KEY_FILE")
	k.rule(c.TLSKeyFile != "" || c.TLSCertFile == "", "is missing beside SMSBRIDGE_KAFKA_TLS_CERT_FILE",
		"set both or none", "KAFKA_TLS_KEY_FILE", "KAFKA_TLS_CERT_FILE")
	if c.TLSCAFile != "" && bool(c.TLS) {
		if _, err := authorities(c.TLSCAFile); err != nil {
			k.fault("KAFKA_TLS_CA_FILE", "names a file that "+err.Error(), "name a PEM file of certificates")
		}
	}
	if c.TLSCertFile != "" && c.TLSKeyFile != "" && bool(c.TLS) {
		if _, err := tls.LoadX509KeyPair(c.TLSCertFile, c.TLSKeyFile); err != nil {
			k.fault("KAFKA_TLS_CERT_FILE", "is no pair with SMSBRIDGE_KAFKA_TLS_KEY_FILE that can be used ("+cause(err).Error()+")",
				"name the PEM files of one certificate and its key")
		}
	}
}

// login judges SASL.
func (k *checker) login(c *Kafka) {
	login := c.SASLMechanism != ""
	k.rule(!login || c.SASLUsername != "", "is required with SMSBRIDGE_KAFKA_SASL_MECHANISM", "set it to the login",
		"KAFKA_SASL_USERNAME", "KAFKA_SASL_MECHANISM")
	k.rule(!login || c.SASLPassword.IsSet(), "is required with SMSBRIDGE_KAFKA_SASL_MECHANISM", "set it, or its _FILE, to the password",
		"KAFKA_SASL_PASSWORD", "KAFKA_SASL_PASSWORD_FILE", "KAFKA_SASL_MECHANISM")
	k.rule(login || c.SASLUsername == "", "does nothing without SMSBRIDGE_KAFKA_SASL_MECHANISM", "set the mechanism or remove the login",
		"KAFKA_SASL_USERNAME", "KAFKA_SASL_MECHANISM")
	k.rule(login || !c.SASLPassword.IsSet(), "does nothing without SMSBRIDGE_KAFKA_SASL_MECHANISM", "set the mechanism or remove the password",
		"KAFKA_SASL_PASSWORD", "KAFKA_SASL_MECHANISM")
	k.rule(!login || bool(c.TLS) || bool(c.AllowInsecureSASL), "would send a login without TLS",
		"set SMSBRIDGE_KAFKA_TLS=true, or SMSBRIDGE_KAFKA_ALLOW_INSECURE_SASL=true where nobody listens",
		"KAFKA_SASL_MECHANISM", "KAFKA_TLS", "KAFKA_ALLOW_INSECURE_SASL")
}

var (
	topicName    = regexp.MustCompile(`^[A-Za-z0-9._-]{1,249}$`)
	accountAlias = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	urlSafe      = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)
	phoneDigits  = regexp.MustCompile(`^[0-9]{1,20}$`)
	hours        = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$`)
)

func (k *checker) topics(c *Topics) {
	const charset = "use letters, digits, dot, underscore and dash, 249 at the most"
	k.rule(topicName.MatchString(c.Prefix), "cannot begin a topic's name", charset, "TOPIC_PREFIX")
	names := []struct{ variable, topic string }{
		{"TOPIC_COMMANDS", c.Commands},
		{"TOPIC_RESULTS", c.Results},
		{"TOPIC_REPORTS", c.Reports},
		{"TOPIC_INBOUND", c.Inbound},
		{"TOPIC_DEADLETTER", c.DeadLetter},
		{"TOPIC_ACCOUNT", c.Account},
		{"TOPIC_JOURNAL", c.Journal},
		{"TOPIC_SUPPRESSIONS", c.Suppressions},
		{"TOPIC_SENDIDS", c.Sendids},
		{"TOPIC_PUSHES", c.Pushes},
		{"TOPIC_CONTROL", c.Control},
		{"TOPIC_DOUBTS", c.Doubts},
	}
	first := make(map[string]string)
	for _, n := range names {
		k.rule(topicName.MatchString(n.topic) && strings.Trim(n.topic, ".") != "", "is no name of a topic", charset, n.variable, "TOPIC_PREFIX")
		// Kafka takes names for the same that differ in these two alone.
		same := strings.ReplaceAll(n.topic, "_", ".")
		k.rule(first[same] == "", "names the same topic as "+prefix+first[same], "give each its own topic", n.variable, "TOPIC_PREFIX")
		if first[same] == "" {
			first[same] = n.variable
		}
	}
}

func (k *checker) provider(c *Provider) {
	const form = "write it like https://host/path, without login, fragment, name and pwd; these have their own variables"
	proxy := k.address(&c.Proxy, "is no URL of a proxy, or holds a login", "write it like http://host:3128; SOCKS is not spoken", "PROVIDER_PROXY",
		"http", "https")
	// A proxy elsewhere is asked for localhost too, so nothing stays on this machine.
	near := proxy == nil || isThisMachine(proxy)
	web := func(text *string, name string) {
		u := k.address(text, "is no URL that could be used", form, name, "http", "https")
		k.rule(u == nil || u.Scheme == "https" || bool(c.AllowHTTP) || near && isThisMachine(u), "is plain http to another machine",
			"use https, or set SMSBRIDGE_PROVIDER_ALLOW_HTTP=true where the provider has nothing else", name, "PROVIDER_ALLOW_HTTP")
	}
	if c.BalanceURL != c.URL {
		web(&c.BalanceURL, "PROVIDER_BALANCE_URL")
		web(&c.URL, "PROVIDER_URL")
	} else {
		web(&c.URL, "PROVIDER_URL")
		c.BalanceURL = c.URL
	}
	k.rule(accountAlias.MatchString(c.Account), "is no alias", "use 1 to 64 letters, digits, dots, underscores and dashes", "PROVIDER_ACCOUNT")
	k.rule(c.Signature == "" || isLine(c.Signature, 200) && !strings.ContainsAny(c.Signature, "【】"),
		"holds brackets, a control character or more than 200 bytes", "write it bare: the provider adds the brackets", "PROVIDER_SIGNATURE")
	k.secret(c.Name, "PROVIDER_NAME")
	k.secret(c.Password, "PROVIDER_PASSWORD")
}

// address parses a URL that is set, nil otherwise. One that is refused may hold
// a login by mistake, so neither the fault nor the Config keeps it.
func (k *checker) address(text *string, rule, remedy, name string, schemes ...string) *url.URL {
	if *text == "" {
		return nil
	}
	u, err := url.Parse(*text)
	if err == nil && slices.Contains(schemes, u.Scheme) && u.Hostname() != "" && isLine(*text, 2000) &&
		u.User == nil && !strings.Contains(*text, "#") && !u.Query().Has("name") && !u.Query().Has("pwd") {
		return u
	}
	k.fault(name, rule, remedy)
	*text = ""
	return nil
}

func (k *checker) commands(c *Config) {
	longest := max(c.Commands.ValidityOTP, c.Commands.ValidityNotice, c.Commands.ValidityMarketing)
	k.rule(c.Commands.DedupeWindow >= longest, "is shorter than the longest validity ("+shortDuration(longest)+")",
		"make it at least as long: an id must be remembered while its command may still be sent",
		"DEDUPE_WINDOW", "VALIDITY_OTP", "VALIDITY_NOTICE", "VALIDITY_MARKETING")
	k.rule(c.Retry.Initial <= c.Retry.Max, "is longer than SMSBRIDGE_RETRY_MAX ("+shortDuration(c.Retry.Max)+")",
		"shorten it or raise SMSBRIDGE_RETRY_MAX", "RETRY_INITIAL", "RETRY_MAX")
	k.quiet(&c.Commands)
	for _, number := range c.Commands.NumberAllow {
		k.rule(phoneDigits.MatchString(number), "holds something else than digits",
			"write numbers, or their first digits, as they are submitted: without +86", "NUMBER_ALLOW")
	}
}

func (k *checker) quiet(c *Commands) {
	begin, end, _ := strings.Cut(c.QuietHours, "-")
	k.rule(c.QuietHours == "" || hours.MatchString(c.QuietHours) && begin != end, "is no span of a day",
		"write it like 21:00-08:00, with four digits on both sides", "QUIET_HOURS")
	_, err := time.LoadLocation(c.QuietZone)
	k.rule(err == nil, "is no time zone that is known", "write it like Asia/Shanghai", "QUIET_ZONE")
	for _, class := range c.QuietClasses {
		k.rule(slices.Contains([]string{"otp", "notice", "marketing"}, class), "holds something that is no class",
			"list some of otp, notice, marketing", "QUIET_CLASSES")
	}
}

func (k *checker) push(c *Config) {
	p := &c.Push
	k.rule(isAddress(p.Listen, 0), "is no address to listen on", "write it like :8080 or 127.0.0.1:8080", "PUSH_LISTEN")
	k.rule(isAddress(c.Admin.Listen, 0), "is no address to listen on", "write it like localhost:9090", "ADMIN_LISTEN")
	k.rule(p.Listen != c.Admin.Listen || strings.HasSuffix(p.Listen, ":0"), "is also SMSBRIDGE_PUSH_LISTEN",
		"give it its own port: nothing of it may be public", "ADMIN_LISTEN", "PUSH_LISTEN")
	for name, token := range map[string]Secret{"PUSH_TOKEN": p.Token, "PUSH_TOKEN_PREVIOUS": p.TokenPrevious} {
		k.rule(!token.IsSet() || urlSafe.MatchString(token.Value()), "holds something else than letters, digits, underscore and dash, or more than 128",
			"choose another, for example the output of: openssl rand -hex 24", name)
	}
	k.rule(p.Ack != "" && isLine(p.Ack, 256), "is longer than 256 bytes or holds a control character",
		"write what the provider takes for success, such as OK, 0 or success", "PUSH_ACK")
	k.rule(p.SpoolDir != "" || p.SpoolMax.String() == defaults["PUSH_SPOOL_MAX"], "does nothing without SMSBRIDGE_PUSH_SPOOL_DIR",
		"name a folder or remove it", "PUSH_SPOOL_MAX", "PUSH_SPOOL_DIR")
	k.rule(p.SpoolDir == "" || !isWithin(p.SpoolDir, c.Life.StateDir), "is within SMSBRIDGE_STATE_DIR, which may be deleted at any time",
		"name a folder elsewhere, on a disk that outlives the process", "PUSH_SPOOL_DIR", "STATE_DIR")

	static := p.Auth == "static" || p.Auth == "either"
	digest := p.Auth == "md5" || p.Auth == "either"
	k.needed(static, p.Name, "PUSH_NAME")
	k.needed(static, p.Password, "PUSH_PASSWORD")
	k.needed(digest, p.AccessSecret, "PUSH_ACCESS_SECRET")
	k.rule(!digest || p.Token.IsSet() || len(p.Allow) > 0, "needs SMSBRIDGE_PUSH_TOKEN or SMSBRIDGE_PUSH_ALLOW beside it in the mode "+p.Auth,
		"set one of them: a digest does not cover what a report says, and whoever overheard one could use it at another instance",
		"PUSH_AUTH", "PUSH_TOKEN", "PUSH_TOKEN_FILE", "PUSH_ALLOW")
	for _, s := range []struct {
		name          string
		now, previous Secret
	}{
		{"PUSH_TOKEN", p.Token, p.TokenPrevious},
		{"PUSH_NAME", p.Name, p.NamePrevious},
		{"PUSH_PASSWORD", p.Password, p.PasswordPrevious},
		{"PUSH_ACCESS_SECRET", p.AccessSecret, p.AccessSecretPrevious},
		{"PUSH_INBOUND_NAME", p.InboundName, p.InboundNamePrevious},
		{"PUSH_INBOUND_PASSWORD", p.InboundPassword, p.InboundPasswordPrevious},
	} {
		k.rule(s.now.IsSet() || !s.previous.IsSet(), "is set without "+prefix+s.name,
			"set the one of today as well", s.name+"_PREVIOUS", s.name, s.name+"_FILE")
		k.secret(s.now, s.name)
		k.secret(s.previous, s.name+"_PREVIOUS")
	}
	k.secret(c.Kafka.SASLPassword, "KAFKA_SASL_PASSWORD")
}

// needed faults a secret of the chosen PUSH_AUTH that is not set: compared with
// nothing, a push that proves nothing would be believed.
func (k *checker) needed(mode bool, s Secret, name string) {
	k.require(!mode || s.IsSet(), "is required by SMSBRIDGE_PUSH_AUTH", "set it, or its _FILE, to what the provider sends",
		name, name+"_FILE", "PUSH_AUTH")
}

// secret refuses what only a slip of the hand puts into a secret.
func (k *checker) secret(s Secret, name string) {
	k.rule(!strings.ContainsFunc(s.Value(), unicode.IsControl) && len(s.Value()) <= maxSecret,
		"holds a control character or is too large for a secret", "set it to the secret and nothing else", name)
}

func (k *checker) inbound(c *Inbound) {
	none := slices.Equal(c.OptOutSuppress, List{"none"})
	for _, class := range c.OptOutSuppress {
		k.rule(none || slices.Contains([]string{"otp", "notice", "marketing"}, class), "holds something that is no class",
			"list some of otp, notice, marketing, or write none", "OPT_OUT_SUPPRESS")
	}
	k.rule(len(c.OptOutSuppress) > 0, "names no class", "list some of otp, notice, marketing, or write none", "OPT_OUT_SUPPRESS")
	first := make(map[string]string)
	for _, n := range []struct {
		variable string
		words    List
	}{{"MO_OPT_OUT", c.OptOut}, {"MO_OPT_IN", c.OptIn}, {"MO_HELP", c.Help}} {
		for _, word := range n.words {
			k.rule(isLine(word, 200), "holds a word with a control character or of more than 200 bytes", "list short words", n.variable)
			word = strings.ToLower(word)
			other := first[word]
			k.rule(other == "" || other == n.variable, "shares a word with "+prefix+other, "leave the word in one of them", n.variable)
			first[word] = n.variable
		}
	}
}

func (k *checker) reports(c *Config) {
	r := &c.Reports
	k.secret(r.HashKey, "NUMBER_HASH_KEY")
	k.secret(r.HashKeyPrevious, "NUMBER_HASH_KEY_PREVIOUS")
	k.rule(!r.HashKey.IsSet() || len(r.HashKey.Value()) >= leastHashKey, "is shorter than 16 bytes",
		"choose another, for example the output of: openssl rand -hex 24", "NUMBER_HASH_KEY")
	credentials := c.Provider.Name.IsSet() && c.Provider.Password.IsSet()
	k.require(!c.Life.Roles.Has("correlate") && !c.Life.Roles.Has("push") || r.HashKey.IsSet() || credentials, "is required where the provider's credentials, of which it is derived, are not set",
		"set it, or its _FILE, to the same secret in every process", "NUMBER_HASH_KEY", "NUMBER_HASH_KEY_FILE",
		"PROVIDER_NAME", "PROVIDER_NAME_FILE", "PROVIDER_PASSWORD", "PROVIDER_PASSWORD_FILE", "ROLES")
}

// leastHashKey is how many bytes keep a key from being guessed. Whoever knows it
// finds the number of a hash in minutes: there are few numbers.
const leastHashKey = 16

func (k *checker) life(c *Config) {
	for _, role := range c.Life.Roles {
		k.rule(slices.Contains([]string{"intake", "push", "correlate"}, role), "holds something that is no role",
			"list some of intake, push, correlate", "ROLES")
	}
	k.rule(len(c.Life.Roles) > 0, "names no role", "list some of intake, push, correlate", "ROLES")
	k.rule(c.Life.ShutdownGrace > c.Provider.Timeout, "is not longer than SMSBRIDGE_PROVIDER_TIMEOUT ("+shortDuration(c.Provider.Timeout)+")",
		"make it longer: a submit cut off by the stop has an unknown outcome", "SHUTDOWN_GRACE", "PROVIDER_TIMEOUT")
}

// isAddress reports whether text is host:port with a port of at least least.
func isAddress(text string, least int) bool {
	host, port, err := net.SplitHostPort(text)
	if err != nil || strings.ContainsAny(host, " /@") {
		return false
	}
	n, err := strconv.Atoi(port)
	return err == nil && n >= least && n <= 65535
}

// isWithin reports whether a folder is, or lies below, another one.
func isWithin(folder, other string) bool {
	path, err := filepath.Rel(other, folder)
	return err == nil && path != ".." && !strings.HasPrefix(path, ".."+string(filepath.Separator))
}

// isThisMachine knows the names and addresses that never leave the machine.
func isThisMachine(u *url.URL) bool {
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.Unmap().IsLoopback()
}

// isLine reports whether text is one line of valid UTF-8 within limit bytes.
func isLine(text string, limit int) bool {
	return len(text) <= limit && utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}
