package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"smsbridge/config"
	"smsbridge/connector"
	"smsbridge/connector/kafkaio"
)

func checkKafka(ctx context.Context, list *checklist, c config.Config) {
	settings, err := kafkaConfig(c, slog.New(slog.DiscardHandler))
	if err != nil {
		list.say("kafka settings", err)
		return
	}
	client, err := kafkaio.Open(settings)
	if err != nil {
		list.say("kafka settings", err)
		return
	}
	defer client.Close() //nolint:errcheck // nothing was written
	if !checkConnection(ctx, list, client, c.Kafka) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 3*checkTimeout)
	defer cancel()
	plans := topicsOf(c).Plans(memoryOf(c))
	checkTopics(ctx, list, client, plans, c.Topics.Commands)
	checkSettings(ctx, list, client, plans)
	checkRights(ctx, list, client, c)
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
	ctx, cancel := context.WithTimeout(ctx, 3*checkTimeout)
	defer cancel()
	err := client.Probe(ctx)
	tls, login := errors.Is(err, kafkaio.ErrTLS), errors.Is(err, kafkaio.ErrLogin)
	if err != nil && !tls && !login {
		return list.say("kafka answers", err)
	}
	list.say("kafka answers", nil)
	if bool(k.TLS) || tls {
		if tls {
			return list.say("kafka TLS", err)
		}
		list.say("kafka TLS", nil)
	}
	if k.SASLMechanism == "" && !login {
		list.note("kafka knows us by no login (SMSBRIDGE_KAFKA_SASL_MECHANISM)")
		return true
	}
	return list.say("kafka takes the login "+k.SASLUsername, err)
}

func checkTopics(ctx context.Context, list *checklist, client *kafkaio.Client, plans []connector.Plan, commands string) {
	partitions := map[string]int{}
	for _, p := range plans {
		found, err := client.Topics(ctx, p.Topic)
		if errors.Is(err, kafkaio.ErrUnauthorized) {
			continue // checkRights tells what to do
		}
		topic, exists := found[p.Topic]
		what := "topic " + p.Topic
		switch {
		case exists:
			what += fmt.Sprintf(", %d partitions", topic.Partitions)
		case err == nil:
			err = errors.New("does not exist; create it (smsbridge topics prints how), or let SMSBRIDGE_KAFKA_CREATE_TOPICS=true do it at start")
		}
		if list.say(what, err) {
			partitions[p.Topic] = topic.Partitions
		}
	}
	want, seen := partitions[commands]
	if !seen {
		return
	}
	for _, p := range plans {
		have, seen := partitions[p.Topic]
		switch {
		case !seen:
		case p.Paired:
			var err error
			if have < want {
				err = fmt.Errorf("it has %d instead of %d, and the commands of the others would stand still; add some: kafka-topics --alter --topic %s --partitions %d", have, want, p.Topic, want)
			}
			list.say(fmt.Sprintf("topic %s has a partition for each of %s", p.Topic, commands), err)
		case p.Joined && have != want:
			list.note(fmt.Sprintf("topic %s has not as many partitions as %s: joins of the two must move data", p.Topic, commands))
		}
	}
}

// checkSettings looks at how topics keep their records, where we may see it.
func checkSettings(ctx context.Context, list *checklist, client *kafkaio.Client, plans []connector.Plan) {
	hidden := false
	for _, p := range plans {
		if topics, err := client.Topics(ctx, p.Topic); err != nil || topics[p.Topic].Name == "" {
			continue // told before
		}
		settings, err := client.TopicConfig(ctx, p.Topic)
		if errors.Is(err, kafkaio.ErrUnauthorized) {
			hidden = true
			continue
		}
		if err == nil {
			var faults []error
			for _, fault := range p.Faults(settings) {
				faults = append(faults, errors.New(fault))
			}
			err = errors.Join(faults...)
		}
		list.say("topic "+p.Topic+" keeps its records as it should", err)
	}
	if hidden {
		list.note("retention, cleanup and compression of topics were not seen: that needs the right DescribeConfigs, which run does not")
	}
}
