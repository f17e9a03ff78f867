package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"smsbridge/config"
	"smsbridge/connector"
)

// script is what smsbridge topics prints.
type script struct {
	out       io.Writer
	where     string // options of every command
	principal string
	tools     string
}

func topicsCommand() *command {
	return &command{
		name: "topics", brief: "print the commands that create the topics and give the rights",
		long: `Prints what creates the topics of this configuration and gives the rights that smsbridge needs, for a shell with
Apache Kafka's own tools on its PATH. Does nothing itself.`,
		flags: func(flags *flag.FlagSet) action {
			principal := flags.String("principal", "", "`User:NAME` of who runs smsbridge run; the login of this configuration where it is left out")
			tools := flags.String("tools-principal", "", "`User:NAME` of who uses the other commands; without it their rights are printed as comments")
			admin := flags.String("admin", "", "properties `FILE` of the administrator's login (--command-config)")
			return func(_ context.Context, _ []string, s streams) error {
				return printTopics(script{out: s.out, principal: *principal, tools: *tools}, *admin)
			}
		},
	}
}

// printTopics prints what an administrator has to run.
func printTopics(s script, admin string) error {
	c, err := config.LoadTools()
	if err != nil {
		return err
	}
	if s.principal == "" && c.Kafka.SASLUsername != "" {
		s.principal = "User:" + c.Kafka.SASLUsername
	}
	s.where = "--bootstrap-server " + word(strings.Join(c.Kafka.Brokers, ","))
	if admin != "" {
		s.where += " --command-config " + word(admin)
	}
	s.print(c)
	return nil
}

func (s script) print(c config.Config) {
	topics, group := topicsOf(c), c.Kafka.Group
	s.say("What smsbridge needs of Kafka with this configuration. Nothing was done yet: read it, then pipe it into a shell")
	s.say("that has Apache Kafka's tools on its PATH. Where your brokers want a login, -admin names its properties file.")
	how := connector.NewTopics{Partitions: c.Kafka.TopicPartitions, Replicas: c.Kafka.TopicReplication}
	if how.Replicas < 0 {
		s.say("SMSBRIDGE_KAFKA_TOPIC_REPLICATION is not set, so the brokers decide on replicas: 3, with min.insync.replicas=2, is what the")
		s.say("guarantees assume, and what is printed with SMSBRIDGE_KAFKA_TOPIC_REPLICATION=3.")
	}
	s.title("Topics, with SMSBRIDGE_KAFKA_TOPIC_PARTITIONS partitions each: fixed for life, as a key must keep its partition")
	for _, topic := range topics.List(keptOf(c)) {
		s.create(how, topic)
	}
	s.title("Rights of smsbridge run with SMSBRIDGE_ROLES=" + strings.Join(c.Life.Roles, ","))
	s.grant(s.principal, topics.Rights(group, rolesOf(c.Life.Roles)))
	s.title("Rights of the tools, for whoever uses them; Write on " + topics.Commands + " is the right to send texts")
	tools := topics.Tools(group)
	for _, tool := range tools {
		s.say("  smsbridge %s: %s", tool.Name, listed(tool.Rights))
	}
	s.grant(s.tools, connector.Together(tools))
}

func (s script) say(format string, args ...any) { fmt.Fprintf(s.out, "# "+format+"\n", args...) }

func (s script) title(text string) { fmt.Fprintf(s.out, "\n# %s.\n", text) }

func (s script) create(how connector.NewTopics, t connector.Topic) {
	topic := how.New(t)
	fmt.Fprintf(s.out, "kafka-topics.sh %s --create --if-not-exists --topic %s --partitions %d", s.where, topic.Name, topic.Partitions)
	if topic.Replicas > 0 {
		fmt.Fprintf(s.out, " --replication-factor %d", topic.Replicas)
	}
	for _, name := range slices.Sorted(maps.Keys(topic.Config)) {
		fmt.Fprintf(s.out, " --config %s=%s", name, topic.Config[name])
	}
	fmt.Fprintln(s.out)
}

// grant prints one command for each operation: the tool gives it on everything
// that it names.
func (s script) grant(principal string, rights []connector.Right) {
	prefix := ""
	if principal == "" {
		prefix = "# "
	}
	for _, operation := range []connector.Operation{connector.OpRead, connector.OpWrite, connector.OpDescribe} {
		var on []string
		for _, r := range rights {
			if r.Operation == operation {
				on = append(on, "--"+string(r.Resource), word(r.Name))
			}
		}
		if len(on) > 0 {
			fmt.Fprintf(s.out, "%skafka-acls.sh %s --add --allow-principal %s --operation %s %s\n",
				prefix, s.where, word(cmp.Or(principal, "User:NAME")), operation, strings.Join(on, " "))
		}
	}
}

func listed(rights []connector.Right) string {
	words := make([]string, len(rights))
	for i, r := range rights {
		words[i] = fmt.Sprintf("%s %s %s", r.Operation, r.Resource, r.Name)
	}
	return strings.Join(words, ", ")
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9._:,=/@+-]+$`)

// word quotes for a shell what could be anything else than one word.
func word(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
