//go:build realkafka

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// These tests want the cluster of deploy/kafka/kafka.sh, which KAFKA_SH names,
// as those of kafkaio do: see make conformance.

// sasl returns the settings for the listener where ACLs count.
func sasl(t *testing.T) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), os.Getenv("KAFKA_SH"), "env", "sasl").Output()
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`SMSBRIDGE_KAFKA_\w+=\S+`).FindAllString(string(out), -1)
}

// carryOut runs printed commands by Kafka's own tools, where everything is
// allowed.
func carryOut(t *testing.T, lines []string) {
	t.Helper()
	bin := t.TempDir()
	for name, class := range map[string]string{"kafka-topics.sh": "TopicCommand", "kafka-acls.sh": "AclCommand"} {
		text := fmt.Sprintf("#!/bin/sh\nexec %s tool org.apache.kafka.tools.%s \"$@\"\n", os.Getenv("KAFKA_SH"), class)
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	shell := exec.CommandContext(t.Context(), "sh", "-e")
	shell.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	shell.Stdin = strings.NewReader(strings.Join(lines, "\n"))
	if out, err := shell.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// installation is a deployment made by the commands that smsbridge topics
// prints, and nothing else.
func installation(t *testing.T) (settings []string, admin *kadm.Client) {
	t.Helper()
	prefix := fmt.Sprintf("t%d.", time.Now().UnixNano())
	settings = append(sasl(t), "SMSBRIDGE_TOPIC_PREFIX="+prefix, "SMSBRIDGE_KAFKA_GROUP="+prefix+"group",
		"SMSBRIDGE_KAFKA_TOPIC_PARTITIONS=3", answering(t, "0,6", 0))
	brokers := os.Getenv("KAFKA_BROKERS")
	plain := "--bootstrap-server " + brokers
	var commands []string
	for _, line := range printed(t, "kafka-", nil, settings...) {
		commands = append(commands, regexp.MustCompile(`--bootstrap-server \S+`).ReplaceAllString(line, plain))
	}
	carryOut(t, commands)
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(brokers, ",")...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return settings, kadm.NewClient(client)
}

// rules are all ACLs of the connector's user.
func rules(t *testing.T, admin *kadm.Client) kadm.DescribeACLsResults {
	t.Helper()
	all := kadm.NewACLs().Topics().Groups().Allow("User:smsbridge").AllowHosts().Operations().ResourcePatternType(kadm.ACLPatternLiteral)
	found, err := admin.DescribeACLs(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func checked(t *testing.T, settings []string) string {
	t.Helper()
	p := start(t, []string{"check"}, settings...)
	p.exit()
	return p.out.String()
}

func TestOnRealKafkaThePrintedCommandsAreAllThatCheckWants(t *testing.T) {
	settings, admin := installation(t)
	var prefix string
	for _, s := range settings {
		if value, found := strings.CutPrefix(s, "SMSBRIDGE_TOPIC_PREFIX="); found {
			prefix = value
		}
	}
	if out := checked(t, settings); strings.Contains(out, "FAIL") || !strings.Contains(out, "takes the login smsbridge") {
		t.Fatalf("not content:\n%s", out)
	}
	type rule struct {
		group     bool
		name      string
		operation kadm.ACLOperation
	}
	var found []rule
	for _, f := range rules(t, admin) {
		for _, d := range f.Described {
			if strings.HasPrefix(d.Name, prefix) && !slices.Contains(found, rule{d.Type == 3, d.Name, d.Operation}) {
				found = append(found, rule{d.Type == 3, d.Name, d.Operation})
			}
		}
	}
	if len(found) < len(topics)+1 {
		t.Fatalf("rules %v", found)
	}
	for _, r := range found {
		builder := func() *kadm.ACLBuilder {
			b := kadm.NewACLs().Allow("User:smsbridge").AllowHosts().Operations(r.operation).ResourcePatternType(kadm.ACLPatternLiteral)
			if r.group {
				return b.Groups(r.name)
			}
			return b.Topics(r.name)
		}
		if _, err := admin.DeleteACLs(t.Context(), builder()); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("--operation %s --topic %s", titled(r.operation), r.name)
		if r.group {
			want = "--operation Read --group " + r.name
		}
		eventually(t, "the missing right is told: "+want, func() bool {
			var faults []string
			for line := range strings.Lines(checked(t, settings)) {
				if strings.HasPrefix(line, "FAIL") {
					faults = append(faults, line)
				}
			}
			return len(faults) == 1 && strings.Contains(faults[0], want)
		})
		if _, err := admin.CreateACLs(t.Context(), builder()); err != nil {
			t.Fatal(err)
		}
	}
}

func titled(o kadm.ACLOperation) string {
	name := strings.ToLower(o.String())
	return strings.ToUpper(name[:1]) + name[1:]
}

func eventually(t *testing.T, what string, ask func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ask(); {
		if time.Now().After(deadline) {
			t.Fatalf("not true in time: %s", what)
		}
	}
}
