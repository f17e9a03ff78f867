package main

import (
	"slices"
	"strings"
	"testing"

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
	}
	for _, topic := range topics[1:] {
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
// which is never there in these tests.
func failed(t *testing.T, settings ...string) (lines []string) {
	t.Helper()
	p := start(t, []string{"check"}, settings...)
	if code := p.exit(); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	for line := range strings.Lines(p.out.String()) {
		if !strings.HasPrefix(line, "ok ") && !strings.Contains(line, "provider") && !strings.HasPrefix(line, "smsbridge:") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func TestCheckIsContentWithTheLeastRights(t *testing.T) {
	t.Parallel()
	if lines := failed(t, secured(t, leastRights())...); len(lines) > 0 {
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
			if len(lines) != 1 || !strings.HasPrefix(lines[0], "FAIL") || !strings.Contains(lines[0], rule.Name+" "+name) || !strings.Contains(lines[0], "User:bob "+kind) {
				t.Errorf("got %q", lines)
			}
		})
	}
}

func TestCheckNamesTopicsThatAreMissingOrHaveTooFewPartitions(t *testing.T) {
	t.Parallel()
	broker := newBroker(t, kfake.SeedTopics(3, topics[0], topics[1], topics[3], topics[5], "sms.bridge.pushes"), kfake.SeedTopics(2, "sms.bridge.sendids", "sms.reports", "sms.bridge.journal"))
	lines := failed(t, "SMSBRIDGE_KAFKA_BROKERS="+broker)
	for _, want := range []string{
		"FAIL  topic sms.deadletter: does not exist; create it",
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
