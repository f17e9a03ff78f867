package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"time"

	"smsbridge/config"
	"smsbridge/connector"
	"smsbridge/connector/kafkaio"
)

func checkKafka(ctx context.Context, list *checklist, c config.Config) {
	settings, err := kafkaConfig(c, slog.New(slog.DiscardHandler))
	if err != nil {
		list.say("kafka settings", err, "see the SMSBRIDGE_KAFKA_ variables: smsbridge config")
		return
	}
	client, err := kafkaio.Open(settings)
	if err != nil {
		list.say("kafka settings", err, "see the SMSBRIDGE_KAFKA_ variables: smsbridge config")
		return
	}
	defer client.Close() //nolint:errcheck // nothing was written
	if !checkConnection(ctx, list, client, c.Kafka) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 3*checkTimeout)
	defer cancel()
	topics := used(c)
	checkCounts(list, checkTopics(ctx, list, client, topics, bool(c.Kafka.CreateTopics)), topics, c.Topics)
	checkSettings(ctx, list, client, topics)
	checkRights(ctx, list, client, c)
}

// used lists the topics that a process of this configuration has to do with.
func used(c config.Config) []connector.Topic {
	roles := rolesOf(c.Life.Roles)
	return slices.DeleteFunc(topicsOf(c).List(keptOf(c)), func(t connector.Topic) bool { return !t.SeenBy(roles) })
}

// checkConnection tells at which step the way to the brokers ends.
func checkConnection(ctx context.Context, list *checklist, client *kafkaio.Client, k config.Kafka) bool {
	known := false
	for _, broker := range k.Brokers {
		if host, _, err := net.SplitHostPort(broker); err == nil {
			known = checkName(ctx, list, host, "SMSBRIDGE_KAFKA_BROKERS") || known
		}
	}
	if !known {
		return false
	}
	err := probe(ctx, client)
	tls, login := errors.Is(err, kafkaio.ErrTLS), errors.Is(err, kafkaio.ErrLogin)
	if err != nil && !tls && !login {
		return list.say("kafka answers", err, "is it up, and may this machine reach it? SMSBRIDGE_KAFKA_BROKERS, and what the brokers give as their own addresses (advertised.listeners)")
	}
	list.say("kafka answers", nil, "")
	if bool(k.TLS) || tls {
		if tls {
			return list.say("kafka TLS", err, "SMSBRIDGE_KAFKA_TLS, and _TLS_CA_FILE for the authority that signed the brokers' certificates")
		}
		list.say("kafka TLS", nil, "")
	}
	if k.SASLMechanism == "" && !login {
		list.note("kafka knows us by no login (SMSBRIDGE_KAFKA_SASL_MECHANISM)")
		return true
	}
	return list.say("kafka takes the login "+k.SASLUsername, err, "SMSBRIDGE_KAFKA_SASL_MECHANISM, _USERNAME and _PASSWORD must be those that the brokers know")
}

// checkTopics tells which topics are there, and returns how many partitions they
// have. Those that run creates may be missing.
func checkTopics(ctx context.Context, list *checklist, client *kafkaio.Client, topics []connector.Topic, created bool) map[string]int {
	partitions := map[string]int{}
	for _, t := range topics {
		found, err := client.Topics(ctx, t.Name)
		if errors.Is(err, kafkaio.ErrUnauthorized) {
			continue // checkRights tells what to do
		}
		topic, exists := found[t.Name]
		what := "topic " + t.Name
		switch {
		case exists:
			what += fmt.Sprintf(", %d partitions", topic.Partitions)
		case err == nil && created:
			list.note(what + " does not exist; run creates it (SMSBRIDGE_KAFKA_CREATE_TOPICS)")
			continue
		case err == nil:
			err = errors.New("does not exist")
		}
		if list.say(what, err, "create it (smsbridge topics prints how), or let SMSBRIDGE_KAFKA_CREATE_TOPICS=true do it at start") {
			partitions[t.Name] = topic.Partitions
		}
	}
	return partitions
}

// checkCounts compares the topics' numbers of partitions, those that were seen.
func checkCounts(list *checklist, partitions map[string]int, topics []connector.Topic, names config.Topics) {
	commands, seen := partitions[names.Commands]
	if have, also := partitions[names.Journal]; seen && also {
		var err error
		if have < commands {
			err = fmt.Errorf("it has %d instead of %d, and the commands of the others would stand still", have, commands)
		}
		list.say(fmt.Sprintf("topic %s has a partition for each of %s", names.Journal, names.Commands), err,
			fmt.Sprintf("add some: kafka-topics --alter --topic %s --partitions %d", names.Journal, commands))
	}
	for _, t := range topics {
		if have, also := partitions[t.Name]; t.Joined && seen && also && have != commands {
			list.note(fmt.Sprintf("topic %s has not as many partitions as %s: joins of the two must move data", t.Name, names.Commands))
		}
	}
	pushes, seen := partitions[names.Pushes]
	if have, also := partitions[names.Sendids]; seen && also {
		var err error
		if have != pushes {
			err = fmt.Errorf("they have %d and %d", have, pushes)
		}
		list.say(fmt.Sprintf("topics %s and %s have as many partitions", names.Sendids, names.Pushes), err,
			"make both anew with the same number, which never changes")
	}
}

// checkSettings looks at how topics keep their records, where we may see it.
func checkSettings(ctx context.Context, list *checklist, client *kafkaio.Client, topics []connector.Topic) {
	hidden := false
	for _, t := range topics {
		if found, err := client.Topics(ctx, t.Name); err != nil || found[t.Name].Name == "" {
			continue // told before
		}
		settings, err := client.TopicConfig(ctx, t.Name)
		if errors.Is(err, kafkaio.ErrUnauthorized) {
			hidden = true
			continue
		}
		if err == nil {
			var faults []error
			for _, fault := range t.Faults(settings) {
				faults = append(faults, errors.New(fault))
			}
			err = errors.Join(faults...)
		}
		list.say("topic "+t.Name+" keeps its records as it should", err, "")
	}
	if hidden {
		list.note("retention, cleanup and compression of topics were not seen: that needs the right DescribeConfigs, which run does not")
	}
}

// probe is Probe with an end, behind which Kafka is told as frozen where its
// addresses still take connections: a broker that hangs looks like that.
func probe(ctx context.Context, client *kafkaio.Client) error {
	bounded, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	err := client.Probe(bounded)
	late := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
	if !late || errors.Is(err, kafkaio.ErrTLS) || errors.Is(err, kafkaio.ErrLogin) {
		return err
	}
	return fmt.Errorf("no answer within %s: it is frozen, or something on the way swallows what is sent", probeTimeout)
}

// probeTimeout is less than what whoever waits at a terminal bears.
const probeTimeout = 8 * time.Second
