package connector

import (
	"slices"
	"strconv"
	"time"

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
	Journal, Sendids, Pushes                                 string // internal
}

// Topic is one of them: which roles read and write it, which only count its
// partitions, and how long its records are needed.
type Topic struct {
	Name                  string
	Read, Write, Describe Roles
	Keep                  time.Duration
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
	return []Topic{
		{Name: t.Commands, Read: Roles{Intake: true}, Describe: Roles{Correlate: true}, Keep: keepOutputs},
		{Name: t.Results, Write: Roles{Intake: true}, Keep: keepOutputs},
		{Name: t.Reports, Write: Roles{Correlate: true}, Keep: keepOutputs},
		{Name: t.Inbound, Write: Roles{Push: true}, Keep: keepOutputs},
		{Name: t.DeadLetter, Write: Roles{Intake: true, Push: true, Correlate: true}, Keep: keepDeadLetters},
		{Name: t.Account, Write: Roles{Intake: true}, Keep: keepOutputs},
		{Name: t.Journal, Read: Roles{Intake: true}, Write: Roles{Intake: true}, Keep: 2 * k.DedupeWindow},
		{Name: t.Sendids, Read: Roles{Correlate: true}, Write: Roles{Intake: true, Correlate: true}, Keep: max(2*k.ReportDeadline, keepOutputs)},
		{Name: t.Pushes, Read: Roles{Correlate: true}, Write: Roles{Push: true}, Keep: max(2*k.ReportDeadline, keepOutputs)},
	}
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

// Missing lists every topic as it is created where it is missing. None is
// compacted: no key is what its record is about.
func (n NewTopics) Missing(t Topics, k Kept) []kafkaio.NewTopic {
	all := t.List(k)
	list := make([]kafkaio.NewTopic, len(all))
	for i := range all {
		list[i] = kafkaio.NewTopic{
			Name: all[i].Name, Partitions: n.Partitions, Replicas: n.Replicas,
			Config: map[string]string{"cleanup.policy": "delete", "retention.ms": strconv.FormatInt(all[i].Keep.Milliseconds(), 10)},
		}
	}
	return list
}
