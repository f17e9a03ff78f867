package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// environ gives the test exactly the variables of pairs, each NAME=value
// without the prefix, and none else of ours.
func environ(t *testing.T, pairs ...string) {
	t.Helper()
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, prefix) {
			t.Setenv(name, "") // restores it afterwards
			os.Unsetenv(name)
		}
	}
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(prefix+name, value)
	}
}

// needed is the least that a process must be told.
var needed = []string{
	"PROVIDER_URL=https://provider.example/sms",
	"PROVIDER_NAME=login-canary",
	"PROVIDER_PASSWORD=password-canary",
	"PUSH_AUTH=md5",
	"PUSH_ACCESS_SECRET=secret-canary",
	"PUSH_ALLOW=192.0.2.0/24",
}

func load(t *testing.T, pairs ...string) (Config, error) {
	t.Helper()
	environ(t, append(append([]string{}, needed...), pairs...)...)
	return Load()
}

func TestLoadGivesTheContractsDefaults(t *testing.T) {
	c, err := load(t)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := c.Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"KAFKA_BROKERS=localhost:9092", "KAFKA_GROUP=smsbridge", "KAFKA_TLS=false", "KAFKA_SASL_MECHANISM=",
		"KAFKA_ALLOW_INSECURE_SASL=false", "KAFKA_SESSION_TIMEOUT=10s", "KAFKA_CREATE_TOPICS=false",
		"KAFKA_TOPIC_PARTITIONS=12", "KAFKA_TOPIC_REPLICATION=-1", "TOPIC_PREFIX=sms.", "TOPIC_COMMANDS=sms.commands",
		"TOPIC_RESULTS=sms.results", "TOPIC_REPORTS=sms.reports", "TOPIC_INBOUND=sms.inbound",
		"TOPIC_DEADLETTER=sms.deadletter", "TOPIC_ACCOUNT=sms.account", "TOPIC_JOURNAL=sms.bridge.journal",
		"PROVIDER_BALANCE_URL=https://provider.example/sms", "PROVIDER_ALLOW_HTTP=false", "PROVIDER_PROXY=",
		"PROVIDER_ACCOUNT=default", "PROVIDER_SIGNATURE=", "PROVIDER_SIGNATURE_BOUND=false", "SEND_AT_MAX=168h", "PROVIDER_TIMEOUT=15s", "PROVIDER_MAX_IN_FLIGHT=64",
		"PROVIDER_RATE=0", "PROVIDER_MAX_RECIPIENTS=500", "RETRY_INITIAL=500ms", "RETRY_MAX=30s", "RETRY_MULTIPLIER=2",
		"RETRY_MAX_ATTEMPTS=0", "ON_UNKNOWN=report", "ORDERING=key", "VALIDITY_OTP=5m", "VALIDITY_NOTICE=24h",
		"VALIDITY_MARKETING=24h", "DEDUPE_WINDOW=48h", "PUSH_LISTEN=:8080", "PUSH_TOKEN=", "PUSH_ALLOW=192.0.2.0/24", "PUSH_INBOUND_AUTH=static", "PUSH_INBOUND_NAME=",
		"PUSH_TRUSTED_PROXIES=", "PUSH_ACK=OK", "PUSH_SPOOL_DIR=", "PUSH_SPOOL_MAX=1GiB", "MO_SYSTEM_EXTENSION_LENGTH=", "NUMBER_ALLOW=",
		"CAP_PER_MINUTE=0", "CAP_PER_DAY=0",
		"ADMIN_LISTEN=localhost:9090", "BALANCE_INTERVAL=5m", "BALANCE_LOW=0", "SHUTDOWN_GRACE=25s",
		"LOG_LEVEL=info", "LOG_FORMAT=json",
	} {
		if !strings.Contains(out.String(), "\n"+prefix+line+"\n") {
			t.Errorf("not printed: %s", line)
		}
	}
}

func TestTopicDefaultsBeginWithThePrefix(t *testing.T) {
	c, err := load(t, "TOPIC_PREFIX=otp-", "TOPIC_RESULTS=elsewhere")
	if err != nil {
		t.Fatal(err)
	}
	got := []string{
		c.Topics.Commands, c.Topics.Results, c.Topics.Reports, c.Topics.Inbound,
		c.Topics.DeadLetter, c.Topics.Account, c.Topics.Journal,
	}
	want := []string{
		"otp-commands", "elsewhere", "otp-reports", "otp-inbound",
		"otp-deadletter", "otp-account", "otp-bridge.journal",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestLoadReadsValuesOfEveryKind(t *testing.T) {
	c, err := load(t,
		"KAFKA_BROKERS=one:9092, two:9093,,", "KAFKA_CREATE_TOPICS=on", "PROVIDER_BALANCE_URL=https://other.example/balance",
		"PROVIDER_RATE=0.5", "PROVIDER_TIMEOUT=900ms", "PUSH_ALLOW=192.0.2.7,10.1.2.3/8,::ffff:192.0.2.8,2001:db8::/32",
		"PROVIDER_MAX_IN_FLIGHT=7", "PUSH_TOKEN=token-1",
	)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Kafka.Brokers; !slices.Equal(got, List{"one:9092", "two:9093"}) {
		t.Errorf("brokers %v", got)
	}
	if got := c.Push.Allow.String(); got != "192.0.2.7/32,10.0.0.0/8,192.0.2.8/32,2001:db8::/32" {
		t.Errorf("networks %v", got)
	}
	if !c.Kafka.CreateTopics || c.Provider.BalanceURL != "https://other.example/balance" || c.Provider.Rate != 0.5 ||
		c.Provider.Timeout != 900*time.Millisecond || c.Provider.MaxInFlight != 7 {
		t.Errorf("got %+v", c.Provider)
	}
	if c.Push.Token.Value() != "token-1" || c.Provider.Password.Value() != "password-canary" {
		t.Error("a secret lost its value")
	}
}

func TestEmptyVariableCountsAsNotSet(t *testing.T) {
	c, err := load(t, "KAFKA_GROUP=", "PROVIDER_TIMEOUT=", "PUSH_TOKEN=", "PUSH_TOKEN_FILE=")
	if err != nil {
		t.Fatal(err)
	}
	if c.Kafka.Group != "smsbridge" || c.Provider.Timeout != 15*time.Second || c.Push.Token.IsSet() {
		t.Errorf("got %+v", c)
	}
}

func TestVariablesWithoutOurPrefixAreSomebodyElses(t *testing.T) {
	t.Setenv("KAFKA_GROUP", "stranger")
	t.Setenv("PROVIDER_TIMEOUT", "nonsense")
	c, err := load(t)
	if err != nil {
		t.Fatal(err)
	}
	if c.Kafka.Group != "smsbridge" {
		t.Errorf("took the group %s", c.Kafka.Group)
	}
}

func TestEveryVariableIsDescribed(t *testing.T) {
	seen := make(map[string]bool)
	for _, v := range new(Config).variables() {
		tag := v.field.Tag
		if v.name == "" || tag.Get("desc") == "" || seen[v.name] {
			t.Errorf("%s.%s: name and description must be there, and the name only once", v.area, v.field.Name)
		}
		if (tag.Get("min") == "") != (tag.Get("max") == "") {
			t.Errorf("%s has half a range", v.name)
		}
		if _, hasRange := tag.Lookup("min"); !hasRange && (v.value.CanInt() || v.value.CanFloat()) {
			t.Errorf("%s is a number without a range", v.name)
		}
		seen[v.name] = true
	}
}

func TestPrintHoldsNoSecret(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("token-canary\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := load(t, "PUSH_TOKEN_FILE="+file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := c.Print(&out); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "canary") {
		t.Errorf("got %s", &out)
	}
	for _, line := range []string{"PROVIDER_PASSWORD=******", "PUSH_TOKEN_FILE=" + file} {
		if !strings.Contains(out.String(), "\n"+prefix+line+"\n") {
			t.Errorf("not printed: %s", line)
		}
	}
}

func TestPrintedConfigurationCanBeLoadedAgain(t *testing.T) {
	c, err := load(t, "PROVIDER_RATE=2.5", "VALIDITY_OTP=90s", "PUSH_ALLOW=10.0.0.0/8", "MO_HELP=帮助,HELP")
	if err != nil {
		t.Fatal(err)
	}
	var first, second strings.Builder
	if err := c.Print(&first); err != nil {
		t.Fatal(err)
	}
	var pairs []string
	for line := range strings.Lines(first.String()) {
		if pair, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), prefix); ok {
			pairs = append(pairs, pair)
		}
	}
	environ(t, pairs...)
	c, err = Load()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Print(&second); err != nil {
		t.Fatal(err)
	}
	if first.String() != second.String() {
		t.Errorf("got %s\nwant %s", &second, &first)
	}
}

func TestPrintHidesWhatAURLHoldsOfASecret(t *testing.T) {
	c, err := load(t, "PROVIDER_URL=https://provider.example/sms?key=canary", "PROVIDER_BALANCE_URL=https://user:canary@provider.example/balance")
	if err == nil {
		t.Error("a login in a URL is no fault")
	}
	c.Provider.Proxy = "http://user:can/ary@proxy.example:3128"
	var out strings.Builder
	if err := c.Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"PROVIDER_URL=https://provider.example/sms?******", "PROVIDER_BALANCE_URL=", "PROVIDER_PROXY=http://******@proxy.example:3128"} {
		if !strings.Contains(out.String(), "\n"+prefix+line+"\n") {
			t.Errorf("not printed: %s", line)
		}
	}
}

func TestWarningsNameWhatIsOpenToStrangers(t *testing.T) {
	for name, test := range map[string]struct {
		set  string
		says string // of one of them; empty: there are none
	}{
		"nothing":              {"PUSH_NAME=canary PUSH_PASSWORD=long-enough-canary", ""},
		"reports of anybody":   {"PUSH_AUTH=none PUSH_ALLOW=", "PUSH_AUTH"},
		"of a list":            {"PUSH_AUTH=none PUSH_INBOUND_AUTH=none", ""},
		"messages of anybody":  {"PUSH_AUTH=static PUSH_NAME=canary PUSH_PASSWORD=long-enough-canary PUSH_INBOUND_AUTH=none PUSH_ALLOW=", "PUSH_INBOUND_AUTH"},
		"messages of nobody":   {"PUSH_INBOUND_AUTH=static", "PUSH_INBOUND_NAME"},
		"every proxy":          {"PUSH_TRUSTED_PROXIES=10.0.0.0/8,0.0.0.0/0 PUSH_INBOUND_AUTH=none", "PUSH_TRUSTED_PROXIES"},
		"every proxy, IPv6":    {"PUSH_TRUSTED_PROXIES=::/0 PUSH_INBOUND_AUTH=none", "PUSH_TRUSTED_PROXIES"},
		"short secret":         {"PUSH_ACCESS_SECRET=canary PUSH_INBOUND_AUTH=none", "PUSH_ACCESS_SECRET"},
		"admin everywhere":     {"ADMIN_LISTEN=:9090 PUSH_INBOUND_AUTH=none", "ADMIN_LISTEN"},
		"admin on 0.0.0.0":     {"ADMIN_LISTEN=0.0.0.0:9090 PUSH_INBOUND_AUTH=none", "ADMIN_LISTEN"},
		"a derived key":        {"NUMBER_HASH_KEY= PUSH_INBOUND_AUTH=none", "NUMBER_HASH_KEY"},
		"admin on one address": {"ADMIN_LISTEN=10.1.2.3:9090 PUSH_INBOUND_AUTH=none", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := load(t, append([]string{"NUMBER_HASH_KEY=key-of-more-than-16-bytes"}, strings.Fields(test.set)...)...)
			if err != nil {
				t.Fatal(err)
			}
			all := strings.Join(c.Warnings(), "\n")
			if (all == "") != (test.says == "") || !strings.Contains(all, test.says) || strings.Contains(all, "canary") {
				t.Errorf("warned %q, want one of %q", all, test.says)
			}
		})
	}
}
