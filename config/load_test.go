package config

import (
	"os"
	"strings"
	"testing"
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
		"PROVIDER_ACCOUNT=default", "PROVIDER_SIGNATURE=", "PROVIDER_TIMEOUT=15s", "PROVIDER_MAX_IN_FLIGHT=64",
		"PROVIDER_RATE=0", "PROVIDER_MAX_RECIPIENTS=500", "RETRY_INITIAL=500ms", "RETRY_MAX=30s", "RETRY_MULTIPLIER=2",
		"RETRY_MAX_ATTEMPTS=0", "ON_UNKNOWN=report", "ORDERING=key", "VALIDITY_OTP=5m", "VALIDITY_NOTICE=24h",
		"VALIDITY_MARKETING=24h", "DEDUPE_WINDOW=48h", "PUSH_LISTEN=:8080", "PUSH_TOKEN=", "PUSH_ALLOW=",
		"PUSH_TRUSTED_PROXIES=", "PUSH_ACK=OK", "MO_SYSTEM_EXTENSION_LENGTH=0", "NUMBER_ALLOW=",
		"ADMIN_LISTEN=localhost:9090", "BALANCE_INTERVAL=5m", "BALANCE_LOW=0", "SHUTDOWN_GRACE=25s",
		"LOG_LEVEL=info", "LOG_FORMAT=json",
	} {
		if !strings.Contains(out.String(), "\n"+prefix+line+"\n") {
			t.Errorf("not printed: %s", line)
		}
	}
}
