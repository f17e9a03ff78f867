package main

import (
	"context"
	"errors"

	"smsbridge/config"
	"smsbridge/connector"
	"smsbridge/connector/kafkaio"
)

// checkJournal looks at how the journal topic is kept, where we may see it.
func checkJournal(ctx context.Context, list *checklist, client *kafkaio.Client, c config.Config) {
	name := c.Topics.Journal
	topics, err := client.Topics(ctx, name)
	if _, exists := topics[name]; err != nil || !exists {
		return // told before
	}
	settings, err := client.TopicConfig(ctx, name)
	if errors.Is(err, kafkaio.ErrUnauthorized) {
		list.say("topic "+name+" must keep its records longer than SMSBRIDGE_DEDUPE_WINDOW; that could not be seen without the right DescribeConfigs", nil)
		return
	}
	if err == nil {
		var faults []error
		for _, fault := range connector.JournalFaults(name, settings, c.Commands.DedupeWindow) {
			faults = append(faults, errors.New(fault))
		}
		err = errors.Join(faults...)
	}
	list.say("topic "+name+" keeps long enough what happened", err)
}
