package connector

import "slices"

// Right is one that the brokers must give by an ACL. Read and Write hold
// Describe in themselves.
type Right struct {
	Operation Operation
	Resource  Resource
	Name      string
}

// Operation is what is done with a resource, as Kafka's own tools name it.
type Operation string

// The operations.
const (
	OpRead     Operation = "Read"
	OpWrite    Operation = "Write"
	OpDescribe Operation = "Describe"
)

// Resource is what a right is about, as the options of kafka-acls name it.
type Resource string

// The resources.
const (
	OnTopic Resource = "topic"
	OnGroup Resource = "group"
)

// Rights are all that a running connector of some roles needs.
func (t Topics) Rights(group string, roles Roles) []Right {
	var list []Right
	for _, topic := range t.List(Kept{}) {
		read, write := topic.ReadBy(roles), topic.WrittenBy(roles)
		if read {
			list = append(list, Right{OpRead, OnTopic, topic.Name})
		}
		if write {
			list = append(list, Right{OpWrite, OnTopic, topic.Name})
		}
		if !read && !write && topic.SeenBy(roles) {
			list = append(list, Right{OpDescribe, OnTopic, topic.Name})
		}
	}
	if roles.Intake {
		list = append(list, Right{OpRead, OnGroup, group})
	}
	if roles.Correlate {
		list = append(list, Right{OpRead, OnGroup, CorrelateGroup(group)})
	}
	return list
}

// Tool is a command of the program that works beside running connectors.
type Tool struct {
	Name   string
	Rights []Right
}

// Tools are the commands that need rights of their own, each with all that it
// needs. To be allowed to put commands on their topic is to be allowed to send.
func (t Topics) Tools(group string) []Tool {
	reads := func(names ...string) (list []Right) {
		for _, name := range names {
			list = append(list, Right{OpRead, OnTopic, name})
		}
		return list
	}
	look := Right{OpDescribe, OnGroup, group}
	return []Tool{
		{"explain", append(reads(t.Commands, t.Results, t.Reports, t.DeadLetter, t.Journal, t.Control, t.Account, t.Suppressions), look)},
		{"pause, resume", []Right{{OpWrite, OnTopic, t.Control}}},
		{"cancel", append(reads(t.Commands, t.Journal, t.Control), Right{OpWrite, OnTopic, t.Control}, look)},
		{"suppress add, remove, import", []Right{{OpWrite, OnTopic, t.Suppressions}}},
		{"suppress list", reads(t.Suppressions)},
		{"audit", append(reads(t.Commands, t.Results, t.Journal), look)},
		{"redrive", append(reads(t.Commands, t.Results), Right{OpWrite, OnTopic, t.Commands})},
		{"journal status", append(reads(t.Commands, t.Journal), look)},
		{"journal accept-loss, adopt (which needs Describe on the other group too)", append(reads(t.Commands, t.Journal), Right{OpWrite, OnTopic, t.Journal}, look)},
	}
}

// Together is every right of the tools, each once.
func Together(tools []Tool) []Right {
	var list []Right
	for _, tool := range tools {
		for _, r := range tool.Rights {
			if !slices.Contains(list, r) {
				list = append(list, r)
			}
		}
	}
	return list
}
