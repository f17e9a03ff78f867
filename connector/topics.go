package connector

import (
	"maps"
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

// Memory says for how long things must be known.
type Memory struct {
	Window   time.Duration // of command ids
	Validity time.Duration // the longest of a command
}

// Plan is a topic as it should be: it is created so, told so to those who create
// it, and compared with what is there.
type Plan struct {
	Topic       string
	Read, Write bool // what a running connector does with it
	// Paired: its partition N belongs to the commands' partition N, and must
	// be there. Joined: it is better so, as joins then move no data.
	Paired, Joined bool
	Keep           time.Duration     // retention that it is created with
	Least          time.Duration     // below it Lost happens; 0: nothing does
	Lost           string            // what happens to it, or because of it
	Config         map[string]string // beside the retention
}

// How long created topics keep their records.
const (
	keepOutputs     = 7 * 24 * time.Hour
	keepDeadLetters = 30 * 24 * time.Hour
)

// Plans are all topics as they should be. None is compacted: the key of a result
// or report is not what it is about.
func (t Topics) Plans(m Memory) []Plan {
	plain := func() map[string]string { return map[string]string{"cleanup.policy": "delete"} }
	// A journal that forgets by size, or waits while the broker compresses what
	// we sent as it is, would break or slow down every submit.
	journal := plain()
	journal["retention.bytes"] = "-1"
	journal["compression.type"] = "producer"
	return []Plan{
		{
			Topic: t.Commands, Read: true, Keep: max(keepOutputs, 2*m.Validity), Config: plain(),
			Least: m.Validity, Lost: "commands that wait, as behind a held line, are deleted unsent while they are still valid",
		},
		{Topic: t.Results, Write: true, Joined: true, Keep: keepOutputs, Config: plain()},
		{Topic: t.Reports, Write: true, Joined: true, Keep: keepOutputs, Config: plain()},
		{Topic: t.Inbound, Write: true, Keep: keepOutputs, Config: plain()},
		{Topic: t.DeadLetter, Write: true, Keep: keepDeadLetters, Config: plain()},
		{Topic: t.Account, Write: true, Keep: keepOutputs, Config: plain()},
		{
			Topic: t.Journal, Read: true, Write: true, Paired: true, Keep: 2 * m.Window, Config: journal,
			Least: m.Window, Lost: "command ids are forgotten too soon, and partitions halt",
		},
	}
}

// NewTopics says how missing topics are created.
type NewTopics struct {
	Partitions, Replicas int
}

// insync is min.insync.replicas of topics of so many replicas: with it, what was
// acknowledged survives the loss of a broker.
const (
	insync        = "2"
	insyncFromRep = 3
)

// New is the topic of a plan as it is created.
func (n NewTopics) New(p Plan) kafkaio.NewTopic {
	config := maps.Clone(p.Config)
	config["retention.ms"] = strconv.FormatInt(p.Keep.Milliseconds(), 10)
	if n.Replicas >= insyncFromRep {
		config["min.insync.replicas"] = insync
	}
	return kafkaio.NewTopic{Name: p.Topic, Partitions: n.Partitions, Replicas: n.Replicas, Config: config}
}

// all lists every topic as it is created where it is missing.
func (n NewTopics) all(t Topics, m Memory) []kafkaio.NewTopic {
	plans := t.Plans(m)
	list := make([]kafkaio.NewTopic, len(plans))
	for i, p := range plans {
		list[i] = n.New(p)
	}
	return list
}
