package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// permit is one rule of the embedded broker.
func permit(kind kmsg.ACLResourceType, name string, operation kmsg.ACLOperation) kfake.ACL {
	return kfake.ACL{Resource: kind, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: operation, Allow: true}
}

// leastRights is what run needs, and nothing besides.
func leastRights() []kfake.ACL {
	rules := []kfake.ACL{
		permit(kmsg.ACLResourceTypeGroup, "smsbridge", kmsg.ACLOperationRead),
		permit(kmsg.ACLResourceTypeTopic, "sms.commands", kmsg.ACLOperationRead),
		permit(kmsg.ACLResourceTypeTopic, "sms.bridge.journal", kmsg.ACLOperationRead),
		permit(kmsg.ACLResourceTypeGroup, "smsbridge-correlate", kmsg.ACLOperationRead),
		permit(kmsg.ACLResourceTypeTopic, "sms.bridge.sendids", kmsg.ACLOperationRead),
		permit(kmsg.ACLResourceTypeTopic, "sms.bridge.pushes", kmsg.ACLOperationRead),
		permit(kmsg.ACLResourceTypeTopic, "sms.bridge.control", kmsg.ACLOperationRead),
		permit(kmsg.ACLResourceTypeTopic, "sms.bridge.suppressions", kmsg.ACLOperationRead),
	}
	for _, topic := range topics[1 : len(topics)-1] {
		rules = append(rules, permit(kmsg.ACLResourceTypeTopic, topic, kmsg.ACLOperationWrite))
	}
	return rules
}

// secured returns a broker with all topics, and the settings to reach it as bob,
// who may do what the rules say.
func secured(t *testing.T, rules []kfake.ACL) []string {
	t.Helper()
	broker := newBroker(t, kfake.SeedTopics(3, topics...), kfake.EnableSASL(), kfake.EnableACLs(),
		kfake.Superuser("PLAIN", "admin", "pw"), kfake.User("PLAIN", "bob", "pw", rules...))
	return []string{
		"SMSBRIDGE_KAFKA_BROKERS=" + broker, "SMSBRIDGE_KAFKA_ALLOW_INSECURE_SASL=true",
		"SMSBRIDGE_KAFKA_SASL_MECHANISM=plain", "SMSBRIDGE_KAFKA_SASL_USERNAME=bob", "SMSBRIDGE_KAFKA_SASL_PASSWORD=pw",
	}
}

// failed returns the lines of a check that are not ok, the provider's aside,
// which is never there in these tests, and what it notes of login and spool.
func failed(t *testing.T, settings ...string) (lines []string) {
	t.Helper()
	p := start(t, []string{"check"}, settings...)
	if code := p.exit(); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	for line := range strings.Lines(p.out.String()) {
		if !strings.HasPrefix(line, "ok ") && !strings.Contains(line, "provider") && !strings.Contains(line, "no login") && !strings.Contains(line, "no spool") && !strings.HasPrefix(line, "smsbridge:") && !strings.Contains(line, "checks failed:") && strings.TrimSpace(line) != "" {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func TestCheckIsContentWithTheLeastRights(t *testing.T) {
	t.Parallel()
	lines := failed(t, secured(t, leastRights())...)
	if len(lines) != 1 || !strings.Contains(lines[0], "DescribeConfigs") {
		t.Errorf("got %q", lines)
	}
}

func TestCheckNamesEachMissingRightAndHowToGrantIt(t *testing.T) {
	t.Parallel()
	for at, rule := range leastRights() {
		name, kind := "may be written", "--operation Write --topic "+rule.Name
		switch {
		case rule.Resource == kmsg.ACLResourceTypeGroup:
			name, kind = "may be joined", "--operation Read --group "+rule.Name
		case rule.Operation == kmsg.ACLOperationRead:
			name, kind = "may be read", "--operation Read --topic "+rule.Name
		}
		t.Run(rule.Name+" "+name, func(t *testing.T) {
			t.Parallel()
			lines := failed(t, secured(t, slices.Delete(leastRights(), at, at+1))...)
			lines = slices.DeleteFunc(lines, func(line string) bool { return strings.Contains(line, "DescribeConfigs") })
			if len(lines) != 1 || !strings.HasPrefix(lines[0], "FAIL") || !strings.Contains(lines[0], rule.Name+" "+name) || !strings.Contains(lines[0], "User:bob "+kind) || !strings.Contains(lines[0], "smsbridge topics -principal User:bob") {
				t.Errorf("got %q", lines)
			}
		})
	}
}

func TestCheckNamesTopicsThatAreMissingOrHaveTooFewPartitions(t *testing.T) {
	t.Parallel()
	broker := newBroker(t, kfake.SeedTopics(3, topics[0], topics[1], topics[3], topics[5], "sms.bridge.pushes", "sms.bridge.control", "sms.bridge.suppressions"), kfake.SeedTopics(2, "sms.bridge.sendids", "sms.reports", "sms.bridge.journal"))
	lines := failed(t, "SMSBRIDGE_KAFKA_BROKERS="+broker)
	for _, want := range []string{
		"FAIL  topic sms.deadletter: does not exist; create it (smsbridge topics",
		"FAIL  topic sms.bridge.journal has a partition for each of sms.commands: it has 2 instead of 3",
		"FAIL  topics sms.bridge.sendids and sms.bridge.pushes have as many partitions: they have 2 and 3",
		"note  topic sms.reports has not as many partitions as sms.commands",
	} {
		if !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, want) }) {
			t.Errorf("%q is missing", want)
		}
	}
	if len(lines) != 4 {
		t.Errorf("got %q", lines)
	}
}

func TestCheckIsContentWithMissingTopicsThatRunCreates(t *testing.T) {
	t.Parallel()
	lines := failed(t, "SMSBRIDGE_KAFKA_BROKERS="+newBroker(t), "SMSBRIDGE_KAFKA_CREATE_TOPICS=true")
	if len(lines) == 0 || slices.ContainsFunc(lines, func(line string) bool {
		return !strings.HasSuffix(line, "run creates it (SMSBRIDGE_KAFKA_CREATE_TOPICS)")
	}) {
		t.Errorf("got %q", lines)
	}
}

// answering is a provider that answers the question for the balance so, by a
// clock that is wrong by skew.
func answering(t *testing.T, answer string, skew time.Duration) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(skew).UTC().Format(http.TimeFormat))
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(s.Close)
	return "SMSBRIDGE_PROVIDER_URL=" + s.URL
}

func TestCheckIsContentWhereAllIsWellAndExitsZero(t *testing.T) {
	t.Parallel()
	p := start(t, []string{"check"}, "SMSBRIDGE_KAFKA_BROKERS="+newBroker(t, kfake.SeedTopics(3, topics...)), answering(t, "0,6", 0))
	if code := p.exit(); code != exitStopped || strings.Contains(p.out.String(), "FAIL") || !strings.Contains(p.out.String(), "balance 6") {
		t.Errorf("exit code %d", code)
	}
}

func TestCheckTellsWhatIsWrongOutsideOfTopics(t *testing.T) {
	t.Parallel()
	broker := "SMSBRIDGE_KAFKA_BROKERS=" + newBroker(t, kfake.SeedTopics(3, topics...))
	silent := httptest.NewServer(http.NotFoundHandler()) // no Kafka broker
	t.Cleanup(silent.Close)
	well := answering(t, "0,6", 0)
	for name, c := range map[string]struct {
		settings []string
		want     string
	}{
		"broker's name":    {[]string{well, "SMSBRIDGE_KAFKA_BROKERS=kafka.invalid:9092"}, "FAIL  name kafka.invalid is known: "},
		"broker is none":   {[]string{well, "SMSBRIDGE_KAFKA_BROKERS=" + silent.Listener.Addr().String()}, "FAIL  kafka "},
		"broker is away":   {[]string{well, "SMSBRIDGE_KAFKA_BROKERS=127.0.0.1:1"}, "FAIL  kafka answers: "},
		"provider's name":  {[]string{broker, "SMSBRIDGE_PROVIDER_URL=https://sms.invalid/x"}, "FAIL  name sms.invalid is known: "},
		"provider is away": {[]string{broker, "SMSBRIDGE_PROVIDER_URL=http://127.0.0.1:1"}, "FAIL  provider answers: "},
		"wrong path":       {[]string{broker, "SMSBRIDGE_PROVIDER_URL=" + silent.URL}, "FAIL  provider answers: "},
		"account":          {[]string{broker, answering(t, "10,no such account", 0)}, "FAIL  provider knows us: code 10 "},
		"balance":          {[]string{broker, answering(t, "0,0", 0)}, "FAIL  balance 0: nothing is left"},
		"balance is low":   {[]string{broker, answering(t, "0,6", 0), "SMSBRIDGE_BALANCE_LOW=7"}, "note  balance 6 is below"},
		"no spool":         {[]string{broker, well}, "note  no spool (SMSBRIDGE_PUSH_SPOOL_DIR)"},
		"clock ahead":      {[]string{broker, answering(t, "0,6", -time.Hour)}, "FAIL  clock is within 30s of the provider's: it is 1h0m"},
		"clock behind":     {[]string{broker, answering(t, "0,6", time.Minute)}, "FAIL  clock is within 30s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, []string{"check"}, c.settings...)
			want := exitFailed
			if strings.HasPrefix(c.want, "note") {
				want = exitStopped
			}
			if code := p.exit(); code != want || !strings.Contains(p.out.String(), "\n"+c.want) {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

func TestCheckEndsWithWhatFailedAndItsNumberAndEachHasARemedy(t *testing.T) {
	t.Parallel()
	notFound := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(notFound.Close)
	broker := newBroker(t, kfake.SeedTopics(3, topics[1:]...))
	p := start(t, []string{"check"}, "SMSBRIDGE_KAFKA_BROKERS="+broker, "SMSBRIDGE_PROVIDER_URL="+notFound.URL)
	if code := p.exit(); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	progress, faults, found := strings.Cut(p.out.String(), " checks failed:\n")
	if !found || strings.Contains(progress, "FAIL") || !strings.Contains(progress, "\n2 of ") || strings.Count(faults, "FAIL") != 2 {
		t.Errorf("the failures are not last, or not counted")
	}
	for _, want := range []string{"create it (smsbridge topics prints how)", "HTTP 404", "SMSBRIDGE_PROVIDER_URL (and _BALANCE_URL) must be the address as the provider gave it"} {
		if !strings.Contains(faults, want) {
			t.Errorf("%q is missing", want)
		}
	}
}

func TestCheckTellsAFrozenKafkaAsThatWithinTenSeconds(t *testing.T) {
	t.Parallel()
	frozen, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and never answers
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = frozen.Close() })
	began := time.Now()
	p := start(t, []string{"check"}, "SMSBRIDGE_KAFKA_BROKERS="+frozen.Addr().String(), answering(t, "0,6", 0))
	if code := p.exit(); code != exitFailed || !strings.Contains(p.out.String(), "FAIL  kafka answers: no answer within ") {
		t.Errorf("exit code %d", code)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}
