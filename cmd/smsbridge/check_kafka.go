package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"smsbridge/config"
	"smsbridge/connector/kafkaio"
)

func checkKafka(ctx context.Context, list *checklist, c config.Config) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
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
	if !list.say("kafka answers and knows us", client.Probe(ctx)) {
		return
	}
	checkTopics(ctx, list, client, c.Topics)
	checkJournal(ctx, list, client, c)
	checkRights(ctx, list, client, c)
}

// need is what run does with a topic.
type need struct {
	topic       string
	read, write bool
}

func needs(t config.Topics) []need {
	return []need{
		{topic: t.Commands, read: true},
		{topic: t.Results, write: true},
		{topic: t.Reports, write: true},
		{topic: t.Inbound, write: true},
		{topic: t.DeadLetter, write: true},
		{topic: t.Account, write: true},
		{topic: t.Journal, read: true, write: true},
	}
}

func checkTopics(ctx context.Context, list *checklist, client *kafkaio.Client, t config.Topics) {
	partitions := map[string]int{}
	for _, n := range needs(t) {
		found, err := client.Topics(ctx, n.topic)
		if errors.Is(err, kafkaio.ErrUnauthorized) {
			continue // checkRights tells what to do
		}
		topic, exists := found[n.topic]
		what := "topic " + n.topic
		switch {
		case exists:
			what += fmt.Sprintf(", %d partitions", topic.Partitions)
		case err == nil:
			err = errors.New("does not exist; create it, or let SMSBRIDGE_KAFKA_CREATE_TOPICS=true do it at start")
		}
		if list.say(what, err) {
			partitions[n.topic] = topic.Partitions
		}
	}
	commands, seen := partitions[t.Commands]
	if !seen {
		return
	}
	if have, seen := partitions[t.Journal]; seen {
		var err error
		if have < commands {
			err = fmt.Errorf("it has %d instead of %d, and the commands of the others would stand still; add some: kafka-topics --alter --topic %s --partitions %d", have, commands, t.Journal, commands)
		}
		list.say(fmt.Sprintf("topic %s has a partition for each of %s", t.Journal, t.Commands), err)
	}
	for _, name := range []string{t.Results, t.Reports} {
		if have, seen := partitions[name]; seen && have != commands {
			list.note(fmt.Sprintf("topic %s has not as many partitions as %s: joins of the two must move data", name, t.Commands))
		}
	}
}

func checkRights(ctx context.Context, list *checklist, client *kafkaio.Client, c config.Config) {
	var names []string
	for _, n := range needs(c.Topics) {
		names = append(names, n.topic)
	}
	rights, err := client.Rights(ctx, names...)
	if errors.Is(err, kafkaio.ErrRightsNotTold) {
		list.note("rights: " + err.Error() + "; a missing one shows when run needs it")
		return
	}
	if err != nil {
		list.say("rights", err)
		return
	}
	who := "User:" + cmp.Or(c.Kafka.SASLUsername, "NAME")
	grant := func(have bool, operation, resource string) error {
		if have {
			return nil
		}
		return fmt.Errorf("not allowed; whoever administers Kafka can: kafka-acls --add --allow-principal %s --operation %s %s", who, operation, resource)
	}
	for _, n := range needs(c.Topics) {
		have, exists := rights[n.topic]
		if !exists {
			continue // told before
		}
		if n.read {
			list.say(fmt.Sprintf("topic %s may be read", n.topic), grant(have.Read, "Read", "--topic "+n.topic))
		}
		if n.write {
			list.say(fmt.Sprintf("topic %s may be written", n.topic), grant(have.Write, "Write", "--topic "+n.topic))
		}
	}
	group, err := client.GroupRights(ctx, c.Kafka.Group)
	if err == nil {
		err = grant(group.Read, "Read", "--group "+c.Kafka.Group)
	}
	list.say(fmt.Sprintf("group %s may be joined", c.Kafka.Group), err)
}
