package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/createtopics"
	"github.com/segmentio/kafka-go/protocol/describeconfigs"
)

// Topic is a topic as the cluster describes it.
type Topic struct {
	Name       string
	ID         [16]byte // changes when a topic is deleted and made anew; zeros before Kafka 2.8
	Partitions int
	Replicas   int // of its first partition
}

// NewTopic is a topic to be created.
type NewTopic struct {
	Name       string
	Partitions int               // 0 or -1: the broker's default
	Replicas   int               // 0 or -1: the broker's default
	Config     map[string]string // such as cleanup.policy, retention.ms, min.insync.replicas
}

// Topics describes those of the named topics that exist and have been heard of
// by the broker that was asked. A topic that we may not see is an error with
// ErrUnauthorized.
func (c *Client) Topics(ctx context.Context, names ...string) (map[string]Topic, error) {
	topics, _, err := c.describe(ctx, names)
	return topics, err
}

// WaitTopics waits until all of the named topics exist and all of their
// partitions have leaders, which takes some hundred milliseconds after a topic
// was created, and describes them. It ends without them with ctx.
func (c *Client) WaitTopics(ctx context.Context, names ...string) (map[string]Topic, error) {
	var topics map[string]Topic
	err := c.persist(ctx, func() error {
		found, missing, err := c.describe(ctx, names)
		topics = found
		return errors.Join(err, missing)
	})
	if err != nil {
		return nil, err
	}
	return topics, nil
}

// describe returns the topics that exist, and why some of them cannot be used yet.
func (c *Client) describe(ctx context.Context, names []string) (topics map[string]Topic, missing, err error) {
	view, err := c.view(ctx, names...)
	if err != nil {
		return nil, nil, err
	}
	topics = make(map[string]Topic, len(names))
	for _, name := range names {
		t, ok := view.topics[name]
		switch {
		case !ok || t.err == kafka.UnknownTopicOrPartition:
			missing = errors.Join(missing, brokerError(kafka.UnknownTopicOrPartition, name, AnyPartition))
			continue
		case t.err == kafka.LeaderNotAvailable:
			missing = errors.Join(missing, brokerError(t.err, name, AnyPartition))
			continue
		case t.err != 0:
			return nil, nil, brokerError(t.err, name, AnyPartition)
		}
		for number, p := range t.partitions {
			if p.leader < 0 {
				missing = errors.Join(missing, brokerError(kafka.LeaderNotAvailable, name, number))
				break
			}
		}
		topic := Topic{Name: name, ID: t.id, Partitions: len(t.partitions)}
		if len(t.partitions) > 0 {
			topic.Replicas = t.partitions[0].replicas
		}
		topics[name] = topic
	}
	return topics, missing, nil
}

// ClusterID returns the name that the cluster gave itself.
func (c *Client) ClusterID(ctx context.Context) (string, error) {
	view, err := c.view(ctx)
	return view.id, err
}

// createPatience is how long a broker may take to create topics before it
// answers that it did not.
const createPatience = 15 * time.Second

// CreateTopics creates topics and waits until they can be used. A topic that
// exists is left as it is, whatever its partitions and configuration.
func (c *Client) CreateTopics(ctx context.Context, topics ...NewTopic) error {
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = t.Name
	}
	err := c.persist(ctx, func() error { return c.createOnce(ctx, topics) })
	if err != nil {
		return err
	}
	_, err = c.WaitTopics(ctx, names...)
	return err
}

func (c *Client) createOnce(ctx context.Context, topics []NewTopic) error {
	view, err := c.view(ctx)
	if err != nil {
		return err
	}
	req := &createtopics.Request{TimeoutMs: int32(createPatience.Milliseconds())}
	for _, t := range topics {
		topic := createtopics.RequestTopic{Name: t.Name, NumPartitions: orDefault(t.Partitions), ReplicationFactor: int16(orDefault(t.Replicas))}
		for _, key := range slices.Sorted(maps.Keys(t.Config)) {
			topic.Configs = append(topic.Configs, createtopics.RequestConfig{Name: key, Value: t.Config[key]})
		}
		req.Topics = append(req.Topics, topic)
	}
	res, err := c.ask(ctx, view.controller, req, newestVersion, nil)
	if err != nil {
		return err
	}
	for _, t := range res.(*createtopics.Response).Topics {
		code := kafka.Error(t.ErrorCode)
		if code == 0 || code == kafka.TopicAlreadyExists {
			continue
		}
		err = errors.Join(err, fmt.Errorf("creating it: %w (%s)", brokerError(code, t.Name, AnyPartition), t.ErrorMessage))
	}
	return err
}

// orDefault is -1, the broker's default, where nothing else was asked for.
func orDefault(n int) int32 {
	if n <= 0 {
		return -1
	}
	return int32(n)
}

// TopicConfig returns the configuration of a topic as it is in force, defaults
// included. A topic that the broker has not heard of is waited for until ctx
// ends. The right to see it (DescribeConfigs) is an optional one: callers
// meet ErrUnauthorized and say what they could not check.
func (c *Client) TopicConfig(ctx context.Context, topic string) (map[string]string, error) {
	config := map[string]string{}
	err := c.persist(ctx, func() error {
		res, err := c.ask(ctx, anyBroker, &describeconfigs.Request{
			Resources: []describeconfigs.RequestResource{{ResourceType: int8(kafka.ResourceTypeTopic), ResourceName: topic}},
		}, newestVersion, nil)
		if err != nil {
			return err
		}
		for _, resource := range res.(*describeconfigs.Response).Resources {
			if resource.ErrorCode != 0 {
				return brokerError(kafka.Error(resource.ErrorCode), topic, AnyPartition)
			}
			for _, entry := range resource.ConfigEntries {
				config[entry.ConfigName] = entry.ConfigValue
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return config, nil
}
