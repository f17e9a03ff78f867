package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"smsbridge/config"
	"smsbridge/connector"
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
	checkTopics(ctx, list, client, c)
	if c.Life.Roles.Has("intake") {
		checkJournal(ctx, list, client, c)
	}
	checkRights(ctx, list, client, c)
}

// used lists the topics that a process of this configuration has to do with.
func used(c config.Config) []connector.Topic {
	roles := rolesOf(c.Life.Roles)
	return slices.DeleteFunc(topicsOf(c).List(keptOf(c)), func(t connector.Topic) bool { return !t.SeenBy(roles) })
}

// joined lists the groups that such a process joins.
func joined(c config.Config) []string {
	var names []string
	roles := rolesOf(c.Life.Roles)
	if roles.Intake {
		names = append(names, c.Kafka.Group)
	}
	if roles.Correlate {
		names = append(names, connector.CorrelateGroup(c.Kafka.Group))
	}
	return names
}

func checkTopics(ctx context.Context, list *checklist, client *kafkaio.Client, c config.Config) {
	partitions := map[string]int{}
	for _, t := range used(c) {
		found, err := client.Topics(ctx, t.Name)
		if errors.Is(err, kafkaio.ErrUnauthorized) {
			continue // checkRights tells what to do
		}
		topic, exists := found[t.Name]
		what := "topic " + t.Name
		switch {
		case exists:
			what += fmt.Sprintf(", %d partitions", topic.Partitions)
		case err == nil:
			err = errors.New("does not exist; create it, or let SMSBRIDGE_KAFKA_CREATE_TOPICS=true do it at start")
		}
		if list.say(what, err) {
			partitions[t.Name] = topic.Partitions
		}
	}
	checkCounts(list, partitions, c.Topics)
}

// checkCounts compares the topics' numbers of partitions, those that were seen.
func checkCounts(list *checklist, partitions map[string]int, t config.Topics) {
	commands, seen := partitions[t.Commands]
	if have, also := partitions[t.Journal]; seen && also {
		var err error
		if have < commands {
			err = fmt.Errorf("it has %d instead of %d, and the commands of the others would stand still; add some: kafka-topics --alter --topic %s --partitions %d", have, commands, t.Journal, commands)
		}
		list.say(fmt.Sprintf("topic %s has a partition for each of %s", t.Journal, t.Commands), err)
	}
	for _, name := range []string{t.Results, t.Reports} {
		if have, also := partitions[name]; seen && also && have != commands {
			list.note(fmt.Sprintf("topic %s has not as many partitions as %s: joins of the two must move data", name, t.Commands))
		}
	}
	pushes, seen := partitions[t.Pushes]
	if have, also := partitions[t.Sendids]; seen && also {
		var err error
		if have != pushes {
			err = fmt.Errorf("they have %d and %d; both must be made with the same number, which never changes", have, pushes)
		}
		list.say(fmt.Sprintf("topics %s and %s have as many partitions", t.Sendids, t.Pushes), err)
	}
}

func checkRights(ctx context.Context, list *checklist, client *kafkaio.Client, c config.Config) {
	var names []string
	roles := rolesOf(c.Life.Roles)
	for _, t := range used(c) {
		names = append(names, t.Name)
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
	for _, t := range used(c) {
		have, exists := rights[t.Name]
		if !exists {
			continue // told before
		}
		if t.ReadBy(roles) {
			list.say(fmt.Sprintf("topic %s may be read", t.Name), grant(have.Read, "Read", "--topic "+t.Name))
		}
		if t.WrittenBy(roles) {
			list.say(fmt.Sprintf("topic %s may be written", t.Name), grant(have.Write, "Write", "--topic "+t.Name))
		}
	}
	for _, name := range joined(c) {
		group, err := client.GroupRights(ctx, name)
		if err == nil {
			err = grant(group.Read, "Read", "--group "+name)
		}
		list.say(fmt.Sprintf("group %s may be joined", name), err)
	}
}
