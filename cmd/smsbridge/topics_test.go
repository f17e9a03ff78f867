package main

import (
	"slices"
	"strings"
	"testing"
)

// printed returns the lines of smsbridge topics that begin with a word.
func printed(t *testing.T, word string, args []string, settings ...string) (lines []string) {
	t.Helper()
	p := start(t, append([]string{"topics"}, args...), settings...)
	if code := p.exit(); code != exitStopped {
		t.Fatalf("exit code %d", code)
	}
	for line := range strings.Lines(p.out.String()) {
		if strings.HasPrefix(line, word) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func TestTopicsPrintsEveryTopicAsItIsToBe(t *testing.T) {
	t.Parallel()
	lines := printed(t, "kafka-topics.sh ", nil, "SMSBRIDGE_KAFKA_TOPIC_REPLICATION=3", "SMSBRIDGE_KAFKA_TOPIC_PARTITIONS=24", "SMSBRIDGE_DEDUPE_WINDOW=100h")
	if len(lines) != len(topics) {
		t.Fatalf("%d topics, want %d", len(lines), len(topics))
	}
	for _, topic := range topics {
		if !slices.ContainsFunc(lines, func(line string) bool {
			return strings.Contains(line, " --create --if-not-exists --topic "+topic+" --partitions 24 --replication-factor 3 ") &&
				strings.Contains(line, "--config min.insync.replicas=2")
		}) {
			t.Errorf("%s is not created", topic)
		}
	}
	journal := lines[slices.IndexFunc(lines, func(line string) bool { return strings.Contains(line, "sms.bridge.journal") })]
	for _, want := range []string{"retention.ms=720000000", "retention.bytes=-1", "cleanup.policy=delete", "compression.type=producer"} {
		if !strings.Contains(journal, "--config "+want) {
			t.Errorf("the journal is created without %s", want)
		}
	}
}

func TestTopicsGivesRightsToWhomeverItIsTold(t *testing.T) {
	t.Parallel()
	if lines := printed(t, "kafka-acls.sh ", nil); len(lines) > 0 {
		t.Errorf("rights for nobody: %q", lines)
	}
	login := []string{
		"SMSBRIDGE_KAFKA_SASL_MECHANISM=plain", "SMSBRIDGE_KAFKA_SASL_USERNAME=o'bob", "SMSBRIDGE_KAFKA_SASL_PASSWORD=" + secret,
		"SMSBRIDGE_KAFKA_ALLOW_INSECURE_SASL=true", "SMSBRIDGE_KAFKA_GROUP=a b",
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"the login":          {nil, `--allow-principal 'User:o'\''bob' --operation Read --topic sms.commands --topic sms.bridge.journal --topic sms.bridge.sendids --topic sms.bridge.pushes --topic sms.bridge.control --topic sms.bridge.suppressions --group 'a b' --group 'a b-correlate'`},
		"somebody":           {[]string{"-principal", "User:CN=x,O=y"}, "--allow-principal User:CN=x,O=y --operation Write --topic sms.results "},
		"who uses tools":     {[]string{"-tools-principal", "User:ops"}, "--allow-principal User:ops --operation Describe --group 'a b'"},
		"an administrator's": {[]string{"-admin", "admin.properties"}, "--command-config admin.properties --add "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines := printed(t, "kafka-acls.sh ", c.args, login...)
			if !slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, c.want) }) {
				t.Errorf("%q is not among %q", c.want, lines)
			}
		})
	}
	p := start(t, []string{"topics", "-x"})
	if code := p.exit(); code != exitUsage || !strings.Contains(p.out.String(), "usage: smsbridge topics") {
		t.Errorf("exit code %d", code)
	}
}
