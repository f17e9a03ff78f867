package connector

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"smsbridge/connector/correlate"
	"smsbridge/connector/kafkaio"
)

// Roles are what a process does. Every role of a deployment must be taken by
// some process.
type Roles struct {
	Intake    bool // submits commands
	Push      bool // takes what the provider pushes
	Correlate bool // finds the command of each delivery report
}

func (r Roles) share(other Roles) bool {
	return r.Intake && other.Intake || r.Push && other.Push || r.Correlate && other.Correlate
}

// Topics names the topics of one deployment.
type Topics struct {
	Commands, Results, Reports, Inbound, DeadLetter, Account string
	Journal, Sendids, Pushes, Control                        string // internal
	Suppressions                                             string // internal
	Doubts                                                   string // internal; empty: others submit on the account too
}

// Topic is one of them as it should be: it is created so, told so to those who
// create it, and compared with what is there.
type Topic struct {
	Name        string
	Read, Write Roles
	Describe    Roles         // these only count its partitions
	Keep        time.Duration // retention that it is created with
	Least       time.Duration // with less, Lost happens; 0: nothing does
	Lost        string
	Joined      bool              // with the commands; better with as many partitions, as that moves no data
	Compact     bool              // better compacted: the latest record of each key matters, however old
	Config      map[string]string // beside retention and cleanup
}

// ReadBy reports whether one of the roles reads it.
func (t *Topic) ReadBy(r Roles) bool { return t.Read.share(r) }

// WrittenBy reports whether one of the roles writes it.
func (t *Topic) WrittenBy(r Roles) bool { return t.Write.share(r) }

// SeenBy reports whether one of the roles has anything to do with it.
func (t *Topic) SeenBy(r Roles) bool {
	return t.ReadBy(r) || t.WrittenBy(r) || t.Describe.share(r)
}

// Kept is for how long the past matters.
type Kept struct {
	DedupeWindow   time.Duration
	ReportDeadline time.Duration
	SendAtMax      time.Duration // how far ahead texts may be submitted
	Validity       time.Duration // the longest of a command
	Caps           time.Duration // how far back they count; 0: there are none
}

// How long records are kept that are for others.
const (
	keepOutputs     = 7 * 24 * time.Hour
	keepDeadLetters = 30 * 24 * time.Hour
)

// List is every topic. It is the one place that says what is done with each.
func (t Topics) List(k Kept) []Topic {
	// Internal topics are kept for twice as long as what stands in them matters:
	// a standstill must not cost the past.
	reports := correlate.Retention(k.ReportDeadline, k.SendAtMax)
	journal := max(k.DedupeWindow, k.Caps)
	list := []Topic{
		{
			Name: t.Commands, Read: Roles{Intake: true}, Describe: Roles{Correlate: true}, Keep: max(keepOutputs, 2*k.Validity),
			Least: k.Validity, Lost: "commands that wait, as behind a held line, are deleted unsent while they are valid",
		},
		{Name: t.Results, Write: Roles{Intake: true}, Keep: keepOutputs, Joined: true},
		{Name: t.Reports, Write: Roles{Correlate: true}, Keep: keepOutputs, Joined: true},
		{Name: t.Inbound, Write: Roles{Push: true}, Keep: keepOutputs},
		{Name: t.DeadLetter, Write: Roles{Intake: true, Push: true, Correlate: true}, Keep: keepDeadLetters},
		{Name: t.Account, Write: Roles{Intake: true}, Keep: keepOutputs},
		{
			Name: t.Journal, Read: Roles{Intake: true}, Write: Roles{Intake: true}, Keep: 2 * journal,
			Least: journal, Lost: "command ids, and what caps have counted, are forgotten too soon, and partitions halt",
			// Every submit would wait for a broker that compresses what we sent plain.
			Config: map[string]string{"retention.bytes": "-1", "compression.type": "producer"},
		},
		{
			Name: t.Sendids, Read: Roles{Correlate: true}, Write: Roles{Intake: true, Correlate: true}, Keep: 2 * reports,
			Least: reports, Lost: "delivery reports no longer find their commands",
		},
		{
			Name: t.Pushes, Read: Roles{Correlate: true}, Write: Roles{Push: true}, Keep: 2 * reports,
			Least: reports, Lost: "delivery reports that wait for their command are lost",
		},
		{
			Name: t.Control, Read: Roles{Intake: true}, Compact: true, Keep: keepOutputs,
			Least: keepOutputs, Lost: "what operators paused goes on, what they cancelled and still waits is submitted",
		},
	}
	list = append(list, Topic{
		Name: t.Suppressions, Read: Roles{Intake: true}, Write: Roles{Push: true}, Compact: true, Keep: keepOutputs,
		Least: keepOutputs, Lost: "people who opted out are sent texts again",
	})
	if t.Doubts == "" {
		return list
	}
	for i := range list {
		if list[i].Name == t.Journal {
			list[i].Write.Correlate = true // evidence
		}
	}
	return append(list, Topic{
		Name: t.Doubts, Read: Roles{Correlate: true}, Write: Roles{Intake: true}, Keep: 2 * reports,
		Least: reports, Lost: "reports no longer explain what is in doubt",
	})
}

// used lists the names of the topics that the roles have to do with.
func (t Topics) used(r Roles) []string {
	return t.names(func(topic *Topic) bool { return topic.SeenBy(r) })
}

// written lists the names of those that the roles write to.
func (t Topics) written(r Roles) []string {
	return t.names(func(topic *Topic) bool { return topic.WrittenBy(r) })
}

func (t Topics) names(which func(*Topic) bool) []string {
	var names []string
	for _, topic := range t.List(Kept{}) {
		if which(&topic) && !slices.Contains(names, topic.Name) {
			names = append(names, topic.Name)
		}
	}
	return names
}

// CorrelateGroup is the consumer group of the processes that correlate.
func CorrelateGroup(group string) string { return group + "-correlate" }

// NewTopics says how missing topics are created.
type NewTopics struct {
	Partitions, Replicas int
}

// With min.insync.replicas of three or more replicas, what was acknowledged
// survives the loss of a broker.
const (
	insync         = "2"
	insyncReplicas = 3
)

// New is a topic as it is created.
func (n NewTopics) New(t Topic) kafkaio.NewTopic {
	config := map[string]string{"cleanup.policy": "delete", "retention.ms": strconv.FormatInt(t.Keep.Milliseconds(), 10)}
	if t.Compact {
		config = map[string]string{"cleanup.policy": "compact"}
	}
	maps.Copy(config, t.Config)
	if n.Replicas >= insyncReplicas {
		config["min.insync.replicas"] = insync
	}
	return kafkaio.NewTopic{Name: t.Name, Partitions: n.Partitions, Replicas: n.Replicas, Config: config}
}

// Missing lists every topic as it is created where it is missing.
func (n NewTopics) Missing(t Topics, k Kept) []kafkaio.NewTopic {
	all := t.List(k)
	list := make([]kafkaio.NewTopic, len(all))
	for i := range all {
		list[i] = n.New(all[i])
	}
	return list
}
