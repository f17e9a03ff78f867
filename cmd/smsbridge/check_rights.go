package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"smsbridge/config"
	"smsbridge/connector"
	"smsbridge/connector/kafkaio"
)

// checkRights asks the brokers for each right that run needs, and tries none.
func checkRights(ctx context.Context, list *checklist, client *kafkaio.Client, c config.Config) {
	needed := topicsOf(c).Rights(c.Kafka.Group, rolesOf(c.Life.Roles))
	topics, groups, err := granted(ctx, client, needed)
	if errors.Is(err, kafkaio.ErrRightsNotTold) {
		list.note("rights: " + err.Error() + "; a missing one shows when run needs it")
		return
	}
	if err != nil {
		list.say("rights", err, "does Kafka answer? Then ask whoever administers it")
		return
	}
	who := word("User:" + cmp.Or(c.Kafka.SASLUsername, "NAME"))
	for _, r := range needed {
		have := topics[r.Name]
		what := map[connector.Operation]string{
			connector.OpRead: "may be read", connector.OpWrite: "may be written", connector.OpDescribe: "may be seen",
		}[r.Operation]
		if r.Resource == connector.OnGroup {
			what, have = "may be joined", groups[r.Name]
		} else if _, exists := topics[r.Name]; !exists {
			continue // told before
		}
		may := map[connector.Operation]bool{
			connector.OpRead: have.Read, connector.OpWrite: have.Write, connector.OpDescribe: have.Describe,
		}[r.Operation]
		var err error
		if !may {
			err = errors.New("not allowed")
		}
		list.say(fmt.Sprintf("%s %s %s", r.Resource, r.Name, what), err, fmt.Sprintf(
			"whoever administers Kafka can: kafka-acls --add --allow-principal %s --operation %s --%s %s (all rights at once: smsbridge topics -principal %s)",
			who, r.Operation, r.Resource, word(r.Name), who))
	}
}

func granted(ctx context.Context, client *kafkaio.Client, needed []connector.Right) (topics, groups map[string]kafkaio.Rights, err error) {
	groups = map[string]kafkaio.Rights{}
	var names []string
	for _, r := range needed {
		if r.Resource == connector.OnTopic {
			names = append(names, r.Name)
		} else if groups[r.Name], err = client.GroupRights(ctx, r.Name); err != nil {
			return nil, nil, err
		}
	}
	topics, err = client.Rights(ctx, names...)
	return topics, groups, err
}
