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
	"github.com/twmb/franz-go/pkg/kmsg"

	"smsbridge/codec"
	"smsbridge/codec/sms"
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
func installation(t *testing.T, args ...string) (settings []string, client *kgo.Client) {
	t.Helper()
	prefix := fmt.Sprintf("t%d.", time.Now().UnixNano())
	settings = append(sasl(t), "SMSBRIDGE_TOPIC_PREFIX="+prefix, "SMSBRIDGE_KAFKA_GROUP="+prefix+"group",
		"SMSBRIDGE_KAFKA_TOPIC_PARTITIONS=3", answering(t, "0,6", 0))
	brokers := os.Getenv("KAFKA_BROKERS")
	plain := "--bootstrap-server " + brokers
	var commands []string
	for _, line := range printed(t, "kafka-", args, settings...) {
		commands = append(commands, regexp.MustCompile(`--bootstrap-server \S+`).ReplaceAllString(line, plain))
	}
	carryOut(t, commands)
	return settings, newClient(t, brokers, kgo.RecordPartitioner(kgo.ManualPartitioner()))
}

// valueOf is what the settings say of a variable.
func valueOf(settings []string, name string) string {
	for _, s := range settings {
		if value, found := strings.CutPrefix(s, "SMSBRIDGE_"+name+"="); found {
			return value
		}
	}
	return ""
}

// rule is one ACL.
type rule struct {
	user      string
	group     bool
	name      string
	operation kadm.ACLOperation
}

func (r rule) builder() *kadm.ACLBuilder {
	b := kadm.NewACLs().Allow(r.user).AllowHosts().Operations(r.operation).ResourcePatternType(kadm.ACLPatternLiteral)
	if r.group {
		return b.Groups(r.name)
	}
	return b.Topics(r.name)
}

// rules are the ACLs of a user that are about an installation.
func rules(t *testing.T, admin *kadm.Client, user, prefix string) (list []rule) {
	t.Helper()
	all := kadm.NewACLs().Topics().Groups().Allow(user).AllowHosts().Operations().ResourcePatternType(kadm.ACLPatternLiteral)
	found, err := admin.DescribeACLs(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		for _, d := range f.Described {
			r := rule{user, d.Type == kmsg.ACLResourceTypeGroup, d.Name, d.Operation}
			if strings.HasPrefix(d.Name, prefix) && !slices.Contains(list, r) {
				list = append(list, r)
			}
		}
	}
	return list
}

// without takes a right away for a while.
func without(t *testing.T, admin *kadm.Client, r rule, work func()) {
	t.Helper()
	if _, err := admin.DeleteACLs(t.Context(), r.builder()); err != nil {
		t.Fatal(err)
	}
	work()
	if _, err := admin.CreateACLs(t.Context(), r.builder()); err != nil {
		t.Fatal(err)
	}
}

func checked(t *testing.T, settings []string) string {
	t.Helper()
	p := start(t, []string{"check"}, settings...)
	p.exit()
	return p.out.String()
}

func TestOnRealKafkaThePrintedCommandsAreAllThatCheckWants(t *testing.T) {
	settings, client := installation(t)
	admin := kadm.NewClient(client)
	if out := checked(t, settings); strings.Contains(out, "FAIL") || !strings.Contains(out, "takes the login smsbridge") {
		t.Fatalf("not content:\n%s", out)
	}
	found := rules(t, admin, "User:smsbridge", valueOf(settings, "TOPIC_PREFIX"))
	if len(found) < len(topics)+1 {
		t.Fatalf("rules %v", found)
	}
	for _, r := range found {
		want := fmt.Sprintf("--operation %s --topic %s", titled(r.operation), r.name)
		if r.group {
			want = "--operation Read --group " + r.name
		}
		without(t, admin, r, func() {
			eventually(t, "the missing right is told: "+want, func() bool {
				var faults []string
				for line := range strings.Lines(checked(t, settings)) {
					if strings.HasPrefix(line, "FAIL") {
						faults = append(faults, line)
					}
				}
				return len(faults) == 1 && strings.Contains(faults[0], want)
			})
		})
	}
}

// Whoever may no more than the second list says can use every tool, and without
// any one right of it some tool fails for that right.
func TestOnRealKafkaTheToolsNeedExactlyTheirRights(t *testing.T) {
	settings, client := installation(t, "-tools-principal", "User:nobody")
	admin, prefix := kadm.NewClient(client), valueOf(settings, "TOPIC_PREFIX")
	settings = append(settings, "SMSBRIDGE_KAFKA_SASL_MECHANISM=plain", "SMSBRIDGE_KAFKA_SASL_USERNAME=nobody")
	put := func(topic string, value []byte) *kgo.Record {
		t.Helper()
		r, err := client.ProduceSync(t.Context(), &kgo.Record{Topic: prefix + topic, Partition: 1, Value: value}).First()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	command := put("commands", []byte(`{"id":"c","to":"13800000000","text":"hush"}`))
	put("results", codec.EncodeResult(sms.Result{
		CommandID: "c", Revision: 1, Status: sms.Failed, CommandedAt: command.Timestamp, At: time.Now(),
		Command: sms.Position{Topic: command.Topic, Partition: 1, Offset: command.Offset},
	}).Body)
	// refused returns what the tools tell when one is not allowed something.
	refused := func() string {
		t.Helper()
		put("bridge.journal", []byte{1, 200}) // a loss, to be accepted
		for _, args := range [][]string{
			{"explain", "c"},
			{"audit"},
			{"redrive", "-status", "failed", "-yes"},
			{"journal", "status"},
			{"journal", "accept-loss", "-partition", "1", "-yes"},
			{"pause", "-class", "marketing"},
			{"cancel", "-id", "none", "-yes"},
		} {
			p := start(t, args, settings...)
			if p.exit() != exitStopped {
				return p.out.String()
			}
		}
		return ""
	}
	if out := refused(); out != "" {
		t.Fatalf("with all rights: %s", out)
	}
	for _, r := range rules(t, admin, "User:nobody", prefix) {
		without(t, admin, r, func() {
			eventually(t, "missed: "+r.name+" "+titled(r.operation), func() bool {
				out := refused()
				return strings.Contains(out, "not authorised") && strings.Contains(out, r.name)
			})
		})
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
