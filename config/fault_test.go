package config

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// faulty loads and gives the names of the variables at fault, without prefix.
func faulty(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	faults, ok := errors.AsType[Faults](err)
	if !ok {
		t.Fatalf("not Faults: %v", err)
	}
	var names []string
	for _, f := range faults {
		if f.Rule == "" || f.Remedy == "" {
			t.Errorf("%s: rule and remedy must be told: %+v", f.Variable, f)
		}
		names = append(names, strings.TrimPrefix(f.Variable, prefix))
	}
	return names
}

// TestEachRule holds, for every rule, values just outside of it and which
// variable is then at fault, and values just inside (fault empty).
func TestEachRule(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.pem")
	if err := os.WriteFile(garbage, []byte("canary"), 0o600); err != nil {
		t.Fatal(err)
	}
	cert, key := pair(t, dir)
	for name, c := range map[string]struct {
		pairs string // separated by blanks
		fault string
	}{
		"duration":                         {"PROVIDER_TIMEOUT=canary", "PROVIDER_TIMEOUT"},
		"duration without unit":            {"PROVIDER_TIMEOUT=15", "PROVIDER_TIMEOUT"},
		"negative duration":                {"PROVIDER_TIMEOUT=-1s", "PROVIDER_TIMEOUT"},
		"whole number":                     {"PROVIDER_MAX_IN_FLIGHT=1.5", "PROVIDER_MAX_IN_FLIGHT"},
		"number":                           {"PROVIDER_RATE=canary", "PROVIDER_RATE"},
		"not a number":                     {"PROVIDER_RATE=NaN", "PROVIDER_RATE"},
		"infinite":                         {"PROVIDER_RATE=Inf", "PROVIDER_RATE"},
		"negative rate":                    {"PROVIDER_RATE=-1", "PROVIDER_RATE"},
		"switch":                           {"KAFKA_TLS=canary", "KAFKA_TLS"},
		"nothing in flight":                {"PROVIDER_MAX_IN_FLIGHT=0", "PROVIDER_MAX_IN_FLIGHT"},
		"one in flight":                    {"PROVIDER_MAX_IN_FLIGHT=1", ""},
		"no recipients":                    {"PROVIDER_MAX_RECIPIENTS=0", "PROVIDER_MAX_RECIPIENTS"},
		"short session":                    {"KAFKA_SESSION_TIMEOUT=5999ms", "KAFKA_SESSION_TIMEOUT"},
		"shortest session":                 {"KAFKA_SESSION_TIMEOUT=6s", ""},
		"longest session":                  {"KAFKA_SESSION_TIMEOUT=45s", ""},
		"long session":                     {"KAFKA_SESSION_TIMEOUT=46s", "KAFKA_SESSION_TIMEOUT"},
		"no partitions":                    {"KAFKA_TOPIC_PARTITIONS=0", "KAFKA_TOPIC_PARTITIONS"},
		"no replicas":                      {"KAFKA_TOPIC_REPLICATION=0", "KAFKA_TOPIC_REPLICATION"},
		"three replicas":                   {"KAFKA_TOPIC_REPLICATION=3", ""},
		"multiplier below one":             {"RETRY_MULTIPLIER=0.9", "RETRY_MULTIPLIER"},
		"multiplier of one":                {"RETRY_MULTIPLIER=1", ""},
		"negative attempts":                {"RETRY_MAX_ATTEMPTS=-1", "RETRY_MAX_ATTEMPTS"},
		"first pause above the longest":    {"RETRY_INITIAL=31s", "RETRY_INITIAL"},
		"first pause is the longest":       {"RETRY_INITIAL=30s", ""},
		"no validity":                      {"VALIDITY_OTP=0s", "VALIDITY_OTP"},
		"window below validity":            {"VALIDITY_MARKETING=49h", "DEDUPE_WINDOW"},
		"window of the validity":           {"VALIDITY_MARKETING=48h", ""},
		"grace as the timeout":             {"SHUTDOWN_GRACE=15s", "SHUTDOWN_GRACE"},
		"grace above the timeout":          {"SHUTDOWN_GRACE=16s", ""},
		"on unknown":                       {"ON_UNKNOWN=canary", "ON_UNKNOWN"},
		"ordering":                         {"ORDERING=canary", "ORDERING"},
		"ordering by partition":            {"ORDERING=partition", ""},
		"log level":                        {"LOG_LEVEL=canary", "LOG_LEVEL"},
		"log format":                       {"LOG_FORMAT=canary", "LOG_FORMAT"},
		"broker without port":              {"KAFKA_BROKERS=canary", "KAFKA_BROKERS"},
		"broker without host":              {"KAFKA_BROKERS=:9092", "KAFKA_BROKERS"},
		"broker with scheme":               {"KAFKA_BROKERS=kafka://canary:9092", "KAFKA_BROKERS"},
		"broker of port 0":                 {"KAFKA_BROKERS=one:0", "KAFKA_BROKERS"},
		"broker of IPv6":                   {"KAFKA_BROKERS=[2001:db8::1]:9092", ""},
		"commas alone":                     {"KAFKA_BROKERS=,,", "KAFKA_BROKERS"},
		"group with a line break":          {"KAFKA_GROUP=can\nary", "KAFKA_GROUP"},
		"topic with a slash":               {"TOPIC_RESULTS=can/ary", "TOPIC_RESULTS"},
		"topic of dots":                    {"TOPIC_RESULTS=..", "TOPIC_RESULTS"},
		"topic twice":                      {"TOPIC_RESULTS=sms.commands", "TOPIC_RESULTS"},
		"topic twice to Kafka":             {"TOPIC_RESULTS=sms_commands", "TOPIC_RESULTS"},
		"internal topic twice":             {"TOPIC_JOURNAL=sms.commands", "TOPIC_JOURNAL"},
		"prefix":                           {"TOPIC_PREFIX=can/ary", "TOPIC_PREFIX"},
		"url without scheme":               {"PROVIDER_URL=canary.example/sms", "PROVIDER_URL"},
		"url with a login":                 {"PROVIDER_URL=https://canary:canary@provider.example/sms", "PROVIDER_URL"},
		"url with a password":              {"PROVIDER_URL=https://provider.example/sms?pwd=canary", "PROVIDER_URL"},
		"url with another parameter":       {"PROVIDER_URL=https://provider.example/sms?v=2", ""},
		"url with a fragment":              {"PROVIDER_URL=https://provider.example/sms#canary", "PROVIDER_URL"},
		"url that is none":                 {"PROVIDER_URL=https://can%zzary/", "PROVIDER_URL"},
		"url of another kind":              {"PROVIDER_URL=ftp://canary.example/sms", "PROVIDER_URL"},
		"balance url":                      {"PROVIDER_BALANCE_URL=canary", "PROVIDER_BALANCE_URL"},
		"http to another machine":          {"PROVIDER_URL=http://provider.example/sms", "PROVIDER_URL"},
		"http balance elsewhere":           {"PROVIDER_BALANCE_URL=http://provider.example/sms", "PROVIDER_BALANCE_URL"},
		"http allowed":                     {"PROVIDER_URL=http://provider.example/sms PROVIDER_ALLOW_HTTP=true", ""},
		"http to a name like localhost":    {"PROVIDER_URL=http://localhost.example/sms", "PROVIDER_URL"},
		"http to localhost":                {"PROVIDER_URL=http://localhost:8090/sms", ""},
		"http to loopback":                 {"PROVIDER_URL=http://127.1.2.3:8090/sms", ""},
		"http to loopback of IPv6":         {"PROVIDER_URL=http://[::1]:8090/sms", ""},
		"http to localhost by a proxy":     {"PROVIDER_URL=http://localhost:8090/sms PROVIDER_PROXY=http://proxy.example:3128", "PROVIDER_URL"},
		"https by a proxy":                 {"PROVIDER_PROXY=http://proxy.example:3128", ""},
		"proxy with a login":               {"PROVIDER_PROXY=http://canary:canary@proxy.example:3128", "PROVIDER_PROXY"},
		"proxy of another kind":            {"PROVIDER_PROXY=canary://proxy.example:3128", "PROVIDER_PROXY"},
		"alias with a blank":               {"PROVIDER_ACCOUNT=can\tary", "PROVIDER_ACCOUNT"},
		"signature with brackets":          {"PROVIDER_SIGNATURE=【canary】", "PROVIDER_SIGNATURE"},
		"signature":                        {"PROVIDER_SIGNATURE=店铺", ""},
		"control character in a secret":    {"PROVIDER_PASSWORD=canary\n", "PROVIDER_PASSWORD"},
		"mechanism":                        {"KAFKA_SASL_MECHANISM=canary", "KAFKA_SASL_MECHANISM"},
		"login without its name":           {"KAFKA_TLS=true KAFKA_SASL_MECHANISM=plain KAFKA_SASL_PASSWORD=canary", "KAFKA_SASL_USERNAME"},
		"login without its password":       {"KAFKA_TLS=true KAFKA_SASL_MECHANISM=plain KAFKA_SASL_USERNAME=user", "KAFKA_SASL_PASSWORD"},
		"login without TLS":                {"KAFKA_SASL_MECHANISM=plain KAFKA_SASL_USERNAME=user KAFKA_SASL_PASSWORD=canary", "KAFKA_SASL_MECHANISM"},
		"login without TLS, forced":        {"KAFKA_SASL_MECHANISM=scram-sha-512 KAFKA_SASL_USERNAME=user KAFKA_SASL_PASSWORD=canary KAFKA_ALLOW_INSECURE_SASL=true", ""},
		"login with TLS":                   {"KAFKA_SASL_MECHANISM=scram-sha-256 KAFKA_SASL_USERNAME=user KAFKA_SASL_PASSWORD=canary KAFKA_TLS=true", ""},
		"name without mechanism":           {"KAFKA_SASL_USERNAME=user", "KAFKA_SASL_USERNAME"},
		"password without mechanism":       {"KAFKA_SASL_PASSWORD=canary", "KAFKA_SASL_PASSWORD"},
		"authorities without TLS":          {"KAFKA_TLS_CA_FILE=" + cert, "KAFKA_TLS_CA_FILE"},
		"authorities":                      {"KAFKA_TLS=true KAFKA_TLS_CA_FILE=" + cert, ""},
		"authorities that are none":        {"KAFKA_TLS=true KAFKA_TLS_CA_FILE=" + garbage, "KAFKA_TLS_CA_FILE"},
		"authorities that are missing":     {"KAFKA_TLS=true KAFKA_TLS_CA_FILE=/nowhere", "KAFKA_TLS_CA_FILE"},
		"certificate without key":          {"KAFKA_TLS=true KAFKA_TLS_CERT_FILE=" + cert, "KAFKA_TLS_KEY_FILE"},
		"key without certificate":          {"KAFKA_TLS=true KAFKA_TLS_KEY_FILE=" + key, "KAFKA_TLS_CERT_FILE"},
		"certificate and key":              {"KAFKA_TLS=true KAFKA_TLS_CERT_FILE=" + cert + " KAFKA_TLS_KEY_FILE=" + key, ""},
		"certificate and something else":   {"KAFKA_TLS=true KAFKA_TLS_CERT_FILE=" + cert + " KAFKA_TLS_KEY_FILE=" + garbage, "KAFKA_TLS_CERT_FILE"},
		"address":                          {"PUSH_LISTEN=8080", "PUSH_LISTEN"},
		"port":                             {"PUSH_LISTEN=:65536", "PUSH_LISTEN"},
		"any free port":                    {"PUSH_LISTEN=127.0.0.1:0 ADMIN_LISTEN=127.0.0.1:0", ""},
		"admin address":                    {"ADMIN_LISTEN=canary", "ADMIN_LISTEN"},
		"admin at the public address":      {"ADMIN_LISTEN=:8080", "ADMIN_LISTEN"},
		"token with a slash":               {"PUSH_TOKEN=can/ary", "PUSH_TOKEN"},
		"push auth":                        {"PUSH_AUTH=canary", "PUSH_AUTH"},
		"push auth not said":               {"PUSH_AUTH=", "PUSH_AUTH"},
		"believing anybody":                {"PUSH_AUTH=none PUSH_ACCESS_SECRET=", ""},
		"static without a name":            {"PUSH_AUTH=static PUSH_PASSWORD=canary", "PUSH_NAME"},
		"static without a password":        {"PUSH_AUTH=static PUSH_NAME=canary", "PUSH_PASSWORD"},
		"static":                           {"PUSH_AUTH=static PUSH_NAME=canary PUSH_PASSWORD=canary", ""},
		"md5 without a secret":             {"PUSH_ACCESS_SECRET=", "PUSH_ACCESS_SECRET"},
		"either without a secret":          {"PUSH_AUTH=either PUSH_NAME=canary PUSH_PASSWORD=canary PUSH_ACCESS_SECRET=", "PUSH_ACCESS_SECRET"},
		"either without a password":        {"PUSH_AUTH=either PUSH_NAME=canary", "PUSH_PASSWORD"},
		"md5, open to everybody":           {"PUSH_ALLOW=", "PUSH_AUTH"},
		"either, open to everybody":        {"PUSH_AUTH=either PUSH_NAME=canary PUSH_PASSWORD=canary PUSH_ALLOW=", "PUSH_AUTH"},
		"md5 with a token":                 {"PUSH_ALLOW= PUSH_TOKEN=canary", ""},
		"inbound auth":                     {"PUSH_INBOUND_AUTH=md5", "PUSH_INBOUND_AUTH"},
		"inbound password alone":           {"PUSH_INBOUND_PASSWORD=canary", ""},
		"previous inbound name alone":      {"PUSH_INBOUND_NAME_PREVIOUS=canary", "PUSH_INBOUND_NAME_PREVIOUS"},
		"previous token alone":             {"PUSH_TOKEN_PREVIOUS=canary", "PUSH_TOKEN_PREVIOUS"},
		"previous token with a slash":      {"PUSH_TOKEN=canary PUSH_TOKEN_PREVIOUS=can/ary", "PUSH_TOKEN_PREVIOUS"},
		"socks proxy":                      {"PROVIDER_PROXY=socks5://127.0.0.1:1080", "PROVIDER_PROXY"},
		"previous password alone":          {"PUSH_PASSWORD_PREVIOUS=canary", "PUSH_PASSWORD_PREVIOUS"},
		"previous access secret":           {"PUSH_ACCESS_SECRET_PREVIOUS=canary", ""},
		"network":                          {"PUSH_ALLOW=10.0.0.0/33", "PUSH_ALLOW"},
		"network of names":                 {"PUSH_TRUSTED_PROXIES=canary.example", "PUSH_TRUSTED_PROXIES"},
		"spool":                            {"PUSH_SPOOL_DIR=/var/spool/x PUSH_SPOOL_MAX=512MiB", ""},
		"spool of bytes":                   {"PUSH_SPOOL_DIR=/var/spool/x PUSH_SPOOL_MAX=4096", ""},
		"spool too small":                  {"PUSH_SPOOL_DIR=/var/spool/x PUSH_SPOOL_MAX=4095", "PUSH_SPOOL_MAX"},
		"spool too large":                  {"PUSH_SPOOL_DIR=/var/spool/x PUSH_SPOOL_MAX=1025GiB", "PUSH_SPOOL_MAX"},
		"spool beyond counting":            {"PUSH_SPOOL_DIR=/var/spool/x PUSH_SPOOL_MAX=9999999999999TiB", "PUSH_SPOOL_MAX"},
		"spool of a disk's maker":          {"PUSH_SPOOL_DIR=/var/spool/x PUSH_SPOOL_MAX=1GB", "PUSH_SPOOL_MAX"},
		"spool below nothing":              {"PUSH_SPOOL_DIR=/var/spool/x PUSH_SPOOL_MAX=-1GiB", "PUSH_SPOOL_MAX"},
		"bound of no spool":                {"PUSH_SPOOL_MAX=2GiB", "PUSH_SPOOL_MAX"},
		"spool in the state folder":        {"STATE_DIR=/var/x PUSH_SPOOL_DIR=/var/x/spool", "PUSH_SPOOL_DIR"},
		"spool is the state folder":        {"STATE_DIR=/var/x PUSH_SPOOL_DIR=/var/x/", "PUSH_SPOOL_DIR"},
		"spool beside the state folder":    {"STATE_DIR=/var/x PUSH_SPOOL_DIR=/var/xy", ""},
		"long answer":                      {"PUSH_ACK=" + strings.Repeat("k", 257), "PUSH_ACK"},
		"number with its country":          {"NUMBER_ALLOW=+86138", "NUMBER_ALLOW"},
		"numbers":                          {"NUMBER_ALLOW=138,13900000000", ""},
		"keyword of two meanings":          {"MO_HELP=stop", "MO_HELP"},
		"system extension":                 {"MO_SYSTEM_EXTENSION_LENGTH=21", "MO_SYSTEM_EXTENSION_LENGTH"},
		"balance asked without pause":      {"BALANCE_INTERVAL=0s", "BALANCE_INTERVAL"},
		"negative balance":                 {"BALANCE_LOW=-1", "BALANCE_LOW"},
		"no url":                           {"PROVIDER_URL=", "PROVIDER_URL"},
		"no name":                          {"PROVIDER_NAME=", "PROVIDER_NAME"},
		"no password":                      {"PROVIDER_PASSWORD=", "PROVIDER_PASSWORD"},
		"file of a secret is missing":      {"PUSH_TOKEN_FILE=/nowhere/file", "PUSH_TOKEN_FILE"},
		"file of a secret is a folder":     {"PUSH_TOKEN_FILE=" + dir, "PUSH_TOKEN_FILE"},
		"file of a required secret":        {"PROVIDER_PASSWORD= PROVIDER_PASSWORD_FILE=" + garbage, ""},
		"secret twice":                     {"PROVIDER_PASSWORD_FILE=" + garbage, "PROVIDER_PASSWORD"},
		"missing file of a mode's secret":  {"PUSH_ACCESS_SECRET= PUSH_ACCESS_SECRET_FILE=/nowhere/file", "PUSH_ACCESS_SECRET_FILE"},
		"missing file of a login's secret": {"KAFKA_TLS=true KAFKA_SASL_MECHANISM=plain KAFKA_SASL_USERNAME=user KAFKA_SASL_PASSWORD_FILE=/nowhere/file", "KAFKA_SASL_PASSWORD_FILE"},
	} {
		t.Run(name, func(t *testing.T) {
			config, err := load(t, strings.Split(c.pairs, " ")...)
			var want []string
			if c.fault != "" {
				want = []string{c.fault}
			}
			if got := faulty(t, err); !slices.Equal(got, want) {
				t.Errorf("at fault %v, want %v: %v", got, want, err)
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("a value got out: %v", err)
			}
			var out strings.Builder
			if err := config.Print(&out); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(out.String()) {
				if strings.Contains(line, "_URL=") && strings.Contains(line, "canary") {
					t.Errorf("a refused URL is printed: %s", line)
				}
			}
		})
	}
}

func TestAllFaultsAreToldAtOnce(t *testing.T) {
	environ(t, "KAFKA_SESION_TIMEOUT=10s", "PROVIDER_URL=http://provider.example/", "PROVIDER_NAME=login-canary",
		"PUSH_AUTH=static", "PUSH_NAME=n", "RETRY_MULTIPLIER=x", "VALIDITY_OTP=0s", "TOPIC_RESULTS=a/b", "SHUTDOWN_GRACE=1s")
	_, err := Load()
	const want = `the configuration has 8 faults:
  SMSBRIDGE_KAFKA_SESION_TIMEOUT is not known; did you mean SMSBRIDGE_KAFKA_SESSION_TIMEOUT?
  SMSBRIDGE_PROVIDER_PASSWORD is required; set it to: interface password of the account, from the provider's console
  SMSBRIDGE_RETRY_MULTIPLIER is not a number; write it like 10
  SMSBRIDGE_VALIDITY_OTP is outside of 1s to 8760h; choose a value between them
  SMSBRIDGE_TOPIC_RESULTS is no name of a topic; use letters, digits, dot, underscore and dash, 249 at the most
  SMSBRIDGE_PROVIDER_URL is plain http to another machine; use https, or set SMSBRIDGE_PROVIDER_ALLOW_HTTP=true where the provider has nothing else
  SMSBRIDGE_PUSH_PASSWORD is required by SMSBRIDGE_PUSH_AUTH; set it, or its _FILE, to what the provider sends
  SMSBRIDGE_SHUTDOWN_GRACE is not longer than SMSBRIDGE_PROVIDER_TIMEOUT (15s); make it longer: a submit cut off by the stop has an unknown outcome`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestUnknownVariablesAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ pair, remedy string }{
		"a letter missing":       {"PROVIDER_URl=x", "PROVIDER_URL?"},
		"a word missing":         {"KAFKA_BROKER=x:1", "KAFKA_BROKERS?"},
		"a file of no secret":    {"PROVIDER_SIGNATURE_FILE=/x", ""},
		"nothing like it":        {"XYZZY=x", "remove it"},
		"empty":                  {"XYZZY=", "remove it"},
		"port that is ours":      {"PUSH_PORT=8080", "PUSH_"},
		"port, but of nothing":   {"PORT_8080_TCP_COLOUR=x", "remove it"},
		"almost from Kubernetes": {"SERVICE_HOSTS=x", "remove it"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, c.pair)
			variable, _, _ := strings.Cut(c.pair, "=")
			if got := faulty(t, err); !slices.Equal(got, []string{variable}) {
				t.Fatalf("at fault %v: %v", got, err)
			}
			if !strings.Contains(err.Error(), c.remedy) {
				t.Errorf("no %q in %v", c.remedy, err)
			}
		})
	}
}

func TestWhatKubernetesInjectsIsIgnored(t *testing.T) {
	_, err := load(t,
		"SERVICE_HOST=10.96.0.12", "SERVICE_PORT=8080", "SERVICE_PORT_PUSH=8080", "PORT=tcp://10.96.0.12:8080",
		"PORT_8080_TCP=tcp://10.96.0.12:8080", "PORT_8080_TCP_PROTO=tcp", "PORT_8080_TCP_PORT=8080", "PORT_8080_TCP_ADDR=10.96.0.12",
		"ADMIN_SERVICE_HOST=10.96.0.13", "ADMIN_SERVICE_PORT=9090", "ADMIN_SERVICE_PORT_HTTP_METRICS=9090",
		"ADMIN_PORT=tcp://10.96.0.13:9090", "ADMIN_PORT_9090_TCP_ADDR=10.96.0.13", "PORT_53_UDP=udp://10.96.0.12:53",
	)
	if err != nil {
		t.Error(err)
	}
}
