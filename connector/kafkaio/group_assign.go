package kafkaio

import "github.com/segmentio/kafka-go"

// assigner remembers which partitions the leader of the group gave out. The
// broker that it asked may not have heard yet of a new topic, or of partitions
// that were added, and without a comparison nobody would ever own them.
//
// Only the leader assigns. What the other members counted for themselves before
// they joined is good enough for them: the leader's word starts the rebalance.
type assigner struct {
	kafka.GroupBalancer
	assigned func(counts map[string]int)
}

// AssignGroups implements kafka.GroupBalancer.
func (a assigner) AssignGroups(members []kafka.GroupMember, partitions []kafka.Partition) kafka.GroupMemberAssignments {
	counts := map[string]int{}
	for _, p := range partitions {
		counts[p.Topic]++
	}
	a.assigned(counts)
	return a.GroupBalancer.AssignGroups(members, partitions)
}

// assigned keeps what the leader saw, for changed to compare with.
func (g *Group) assigned(counts map[string]int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.counts = counts
}
