package broker

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A real broker gives every member of a group a session timeout. kfake forgets
// to where its answer to a join finds the connection closed, as it does when the
// member was killed while it waited: that member then owns partitions for ever.
const (
	ghostAfter  = 12 * time.Second // members that live send a heartbeat every few seconds
	ghostsEvery = time.Second
	// mostRebalance bounds how long a rebalance waits for members, in
	// milliseconds. kfake begins the wait anew with everyone who joins; with the
	// minute that a real broker may be asked for, members that give up and come
	// again never meet.
	mostRebalance = 5000
)

// ghosts expels members of which nothing is heard any more.
type ghosts struct {
	mu     sync.Mutex
	groups map[string]struct{}
	heard  map[string]time.Time // by member
}

// listen hears what members ask of the cluster, without answering for it.
func listen(cluster *kfake.Cluster) *ghosts {
	g := &ghosts{groups: make(map[string]struct{}), heard: make(map[string]time.Time)}
	on := func(key kmsg.Key, see func(kmsg.Request)) {
		cluster.ControlKey(key.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
			cluster.KeepControl()
			see(r)
			return nil, nil, false
		})
	}
	on(kmsg.JoinGroup, func(r kmsg.Request) {
		join := r.(*kmsg.JoinGroupRequest)
		join.RebalanceTimeoutMillis = min(join.RebalanceTimeoutMillis, mostRebalance)
		g.hear(join.Group, join.MemberID)
	})
	on(kmsg.SyncGroup, func(r kmsg.Request) { s := r.(*kmsg.SyncGroupRequest); g.hear(s.Group, s.MemberID) })
	on(kmsg.Heartbeat, func(r kmsg.Request) { h := r.(*kmsg.HeartbeatRequest); g.hear(h.Group, h.MemberID) })
	return g
}

func (g *ghosts) hear(group, member string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.groups[group] = struct{}{}
	g.heard[member] = time.Now()
}

// expel runs until ctx ends.
func (g *ghosts) expel(ctx context.Context, client *kgo.Client) {
	tick := time.NewTicker(ghostsEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			g.look(ctx, client)
		case <-ctx.Done():
			return
		}
	}
}

func (g *ghosts) look(ctx context.Context, client *kgo.Client) {
	describe := kmsg.NewPtrDescribeGroupsRequest()
	g.mu.Lock()
	for group := range g.groups {
		describe.Groups = append(describe.Groups, group)
	}
	g.mu.Unlock()
	if len(describe.Groups) == 0 {
		return
	}
	answer, err := describe.RequestWith(ctx, client)
	if err != nil {
		return
	}
	for _, group := range answer.Groups {
		for _, member := range group.Members {
			if group.State == "Stable" && g.silent(member.MemberID) {
				leave := kmsg.NewPtrLeaveGroupRequest()
				leave.Group, leave.MemberID = group.Group, member.MemberID
				leave.Members = []kmsg.LeaveGroupRequestMember{{MemberID: member.MemberID}}
				_, _ = leave.RequestWith(ctx, client) // else a second later
			}
		}
	}
}

// silent reports whether a member was not heard of for too long. One that is
// seen for the first time has just joined.
func (g *ghosts) silent(member string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	last, known := g.heard[member]
	if !known {
		g.heard[member] = time.Now()
	}
	return known && time.Since(last) > ghostAfter
}
