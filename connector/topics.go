package connector

import (
	"strconv"
	"time"

	"smsbridge/connector/kafkaio"
)

// Topics names the topics of one deployment.
type Topics struct {
	Commands, Results, Reports, Inbound, DeadLetter, Account string
	Journal                                                  string // internal
}

// everything lists all topics.
func (t Topics) everything() []string {
	return append(t.output(), t.Commands, t.Journal)
}

// output lists the topics that are written to.
func (t Topics) output() []string {
	return []string{t.Results, t.Reports, t.Inbound, t.DeadLetter, t.Account}
}

// NewTopics says how missing topics are created.
type NewTopics struct {
	Partitions, Replicas int
}

// How long created topics keep their records.
const (
	keepOutputs     = 7 * 24 * time.Hour
	keepDeadLetters = 30 * 24 * time.Hour
)

// all lists every topic as it is created where it is missing. None is compacted:
// the key of a result or report is not what it is about.
func (n NewTopics) all(t Topics, window time.Duration) []kafkaio.NewTopic {
	list := make([]kafkaio.NewTopic, 0, 8)
	add := func(name string, keep time.Duration) {
		list = append(list, kafkaio.NewTopic{
			Name: name, Partitions: n.Partitions, Replicas: n.Replicas,
			Config: map[string]string{"cleanup.policy": "delete", "retention.ms": strconv.FormatInt(keep.Milliseconds(), 10)},
		})
	}
	add(t.Commands, keepOutputs)
	for _, name := range t.output() {
		if name == t.DeadLetter {
			add(name, keepDeadLetters)
			continue
		}
		add(name, keepOutputs)
	}
	// A journal that forgets sooner than ids are to be remembered would halt.
	add(t.Journal, 2*window)
	return list
}
