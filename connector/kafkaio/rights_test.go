package kafkaio

import (
	"errors"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// permit is one rule of an embedded broker.
func permit(kind kmsg.ACLResourceType, name string, operation kmsg.ACLOperation) kfake.ACL {
	return kfake.ACL{Resource: kind, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: operation, Allow: true}
}

func TestRightsAreToldAsTheBrokerGrantsThem(t *testing.T) {
	t.Parallel()
	fake := startFake(t, kfake.EnableSASL(), kfake.EnableACLs(), kfake.SeedTopics(1, "read", "written", "both", "seen", "hidden"),
		kfake.Superuser("PLAIN", "admin", secret), kfake.User("PLAIN", "bob", secret,
			permit(kmsg.ACLResourceTypeTopic, "read", kmsg.ACLOperationRead),
			permit(kmsg.ACLResourceTypeTopic, "written", kmsg.ACLOperationWrite),
			permit(kmsg.ACLResourceTypeTopic, "both", kmsg.ACLOperationRead),
			permit(kmsg.ACLResourceTypeTopic, "both", kmsg.ACLOperationWrite),
			permit(kmsg.ACLResourceTypeTopic, "seen", kmsg.ACLOperationDescribe),
			permit(kmsg.ACLResourceTypeTopic, "missing", kmsg.ACLOperationDescribe),
			permit(kmsg.ACLResourceTypeGroup, "read", kmsg.ACLOperationRead),
			permit(kmsg.ACLResourceTypeGroup, "seen", kmsg.ACLOperationDescribe)))
	client := func(user string) *Client {
		c, err := Open(Config{Brokers: fake.ListenAddrs(), SASL: SASL{Mechanism: "plain", Username: user, Password: password(secret)}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	all := Rights{Read: true, Write: true, Describe: true}
	read, seen := Rights{Read: true, Describe: true}, Rights{Describe: true}
	for user, test := range map[string]struct{ topics, groups map[string]Rights }{
		"bob": {
			map[string]Rights{"read": read, "written": {Write: true, Describe: true}, "both": all, "seen": seen, "hidden": {}},
			map[string]Rights{"read": read, "seen": seen, "hidden": {}},
		},
		"admin": {
			map[string]Rights{"read": all, "hidden": all},
			map[string]Rights{"hidden": read},
		},
	} {
		c := client(user)
		got, err := c.Rights(t.Context(), append(slices.Collect(maps.Keys(test.topics)), "missing")...)
		if err != nil || !maps.Equal(got, test.topics) {
			t.Errorf("%s may do %+v with topics, %v; want %+v", user, got, err, test.topics)
		}
		for group, want := range test.groups {
			if got, err := c.GroupRights(t.Context(), group); err != nil || got != want {
				t.Errorf("%s may do %+v with group %s, %v; want %+v", user, got, group, err, want)
			}
		}
	}
}

func TestWithoutACLsEverythingIsAllowed(t *testing.T) {
	t.Parallel()
	c := openClient(t, startBroker(t))
	topic := newTopic(t, c, 1)
	got, err := c.Rights(t.Context(), topic)
	if want := (Rights{Read: true, Write: true, Describe: true}); err != nil || got[topic] != want {
		t.Errorf("%+v, %v", got, err)
	}
	group, err := c.GroupRights(t.Context(), topic)
	if want := (Rights{Read: true, Describe: true}); err != nil || group != want {
		t.Errorf("%+v, %v", group, err)
	}
}

func TestABrokerThatDoesNotTellRightsIsNotTakenForOneThatGrantsNone(t *testing.T) {
	t.Parallel()
	fake := startFake(t, kfake.SeedTopics(1, "t"))
	fake.ControlKey(int16(kmsg.DescribeGroups), func(req kmsg.Request) (kmsg.Response, error, bool) {
		res := req.ResponseKind().(*kmsg.DescribeGroupsResponse)
		group := kmsg.NewDescribeGroupsResponseGroup()
		group.Group, group.AuthorizedOperations = "g", math.MinInt32
		res.Groups = append(res.Groups, group)
		return res, nil, true
	})
	c := openClient(t, fake.ListenAddrs())
	if got, err := c.GroupRights(t.Context(), "g"); !errors.Is(err, ErrRightsNotTold) {
		t.Errorf("group: %+v, %v", got, err)
	}
	fake.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		if !req.(*kmsg.MetadataRequest).IncludeTopicAuthorizedOperations {
			return nil, nil, false
		}
		res := req.ResponseKind().(*kmsg.MetadataResponse)
		topic := kmsg.NewMetadataResponseTopic()
		topic.Topic, topic.AuthorizedOperations = new("t"), math.MinInt32
		res.Topics = append(res.Topics, topic)
		return res, nil, true
	})
	if got, err := c.Rights(t.Context(), "t"); !errors.Is(err, ErrRightsNotTold) {
		t.Errorf("topic: %+v, %v", got, err)
	}
}
