package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

const (
	// rebalancePatience is how long the group waits for a member that drains. A
	// member that died is missed after the session timeout already.
	rebalancePatience = time.Minute
	// heartbeatEvery is how soon a rebalance is noticed.
	heartbeatEvery = 200 * time.Millisecond
	// firstWatch is when partitions are counted for the first time.
	firstWatch = time.Second
	// watchEvery is how often partitions are counted.
	watchEvery = 5 * time.Second
	// rejoinPause keeps a member that cannot join from trying without pause.
	rejoinPause = 500 * time.Millisecond
	// coordinatorPatience is how long the coordinator may take for an answer, on top
	// of what it may wait for other members. kafka-go's default of 5 s is too
	// short: who gives up on a join comes back as another member, for whom the
	// wait begins anew, and several who do so in turn never come together.
	coordinatorPatience = 15 * time.Second
	// closePatience bounds Group.Close before its connections are cut.
	closePatience = 3 * time.Second
)

// ErrGroupClosed is what Group.Next returns after Close.
var ErrGroupClosed = errors.New("the group was left")

// GroupConfig says which group to join, and for what.
type GroupConfig struct {
	ID     string
	Topics []string
	// RebalanceTimeout is how long a rebalance waits for members to release
	// their generation. One that takes longer is expelled. Zero: 1 min.
	RebalanceTimeout time.Duration
}

// Group is a membership in a consumer group. kafka-go joins; who may commit,
// how long, and what a lost answer means is decided here.
//
// Partitions are assigned by the range strategy: contiguous shares whose sizes
// differ by at most one for each topic, and fewer partitions change hands when a
// member comes or goes than with round robin. Round robin is offered too, for
// groups in which another program knows nothing else.
type Group struct {
	c       *Client
	cfg     GroupConfig
	log     *slog.Logger
	leash   *leash
	stop    context.CancelFunc
	wg      sync.WaitGroup
	next    chan joined
	done    chan struct{} // closed by Close
	closing sync.Once

	// commits has size 1: who is in it may have a commit under way.
	commits chan struct{}

	mu          sync.Mutex
	library     *kafka.ConsumerGroup // nil before the first join, and when left before
	coordinator int32                // below 0: not known
	current     *Generation
	counts      map[string]int // partitions of the topics, as they were assigned or last counted
}

// joined is what Next returns.
type joined struct {
	gen *Generation
	err error
}

// JoinGroup begins to join a group. It does no I/O: see Group.Next.
func (c *Client) JoinGroup(cfg GroupConfig) (*Group, error) {
	if cfg.RebalanceTimeout == 0 {
		cfg.RebalanceTimeout = rebalancePatience
	}
	g := &Group{
		c:           c,
		cfg:         cfg,
		log:         c.log.With("group", cfg.ID),
		leash:       newLeash(c.dialForGroup),
		next:        make(chan joined),
		done:        make(chan struct{}),
		commits:     make(chan struct{}, 1),
		coordinator: anyBroker,
	}
	library := kafka.ConsumerGroupConfig{
		ID:                cfg.ID,
		Brokers:           []string{someBroker},
		Dialer:            &kafka.Dialer{ClientID: c.cfg.ClientID, DialFunc: g.leash.dial, Timeout: requestTimeout},
		Topics:            cfg.Topics,
		GroupBalancers:    []kafka.GroupBalancer{assigner{kafka.RangeGroupBalancer{}, g.assigned}, assigner{kafka.RoundRobinGroupBalancer{}, g.assigned}},
		HeartbeatInterval: min(heartbeatEvery, c.cfg.SessionTimeout/3),
		SessionTimeout:    c.cfg.SessionTimeout,
		Timeout:           coordinatorPatience,
		RebalanceTimeout:  cfg.RebalanceTimeout,
		JoinGroupBackoff:  rejoinPause,
		StartOffset:       kafka.FirstOffset, // ours to decide by Offsets; kafka-go wants something
		// Not WatchPartitionChanges: while a topic does not exist, kafka-go's
		// watcher ends each generation at once, and the members rebalance
		// without pause. See Group.watch.
	}
	if err := library.Validate(); err != nil {
		return nil, fmt.Errorf("joining group %q: %w", cfg.ID, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	g.stop = stop
	g.wg.Go(func() { g.run(ctx, library) })
	return g, nil
}

// Next waits until this process is a member of a new generation. An error other
// than that of ctx and ErrGroupClosed is for an operator to mend; Next may be
// called again and goes on trying.
func (g *Group) Next(ctx context.Context) (*Generation, error) {
	select {
	case j := <-g.next:
		return j.gen, j.err
	case <-g.done:
		return nil, ErrGroupClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// join lets kafka-go begin, unless the group is being left already.
func (g *Group) join(ctx context.Context, cfg kafka.ConsumerGroupConfig) *kafka.ConsumerGroup {
	// Counted before the group's leader does, so that partitions added in
	// between are noticed. A failure counts none, and costs one more rebalance.
	bounded, cancel := context.WithTimeout(ctx, watchEvery)
	counts, err := g.count(bounded)
	cancel()
	if err != nil {
		counts = map[string]int{}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.counts = counts
	if ctx.Err() != nil {
		return nil
	}
	g.library, err = kafka.NewConsumerGroup(cfg)
	if err != nil {
		g.log.Error("kafka group cannot be joined", "error", err) // was validated
	}
	return g.library
}

// run takes in what kafka-go has to say, because it stands still, and is no
// member of anything, while nobody listens.
func (g *Group) run(ctx context.Context, cfg kafka.ConsumerGroupConfig) {
	library := g.join(ctx, cfg)
	if library == nil {
		return
	}
	troubled := false
	for {
		theirs, err := library.Next(ctx)
		if ctx.Err() != nil || errors.Is(err, kafka.ErrGroupClosed) {
			return
		}
		if err != nil {
			fatal := g.judge(err)
			if fatal == nil {
				if !troubled && !passing(err) {
					troubled = true
					g.log.Warn("kafka group cannot be joined, trying on", "error", err)
				}
				continue
			}
			select {
			case g.next <- joined{err: fatal}:
			case <-ctx.Done():
				return
			}
			continue
		}
		if troubled {
			troubled = false
			g.log.Info("kafka group joined after trouble")
		}
		g.offer(ctx, theirs)
	}
}

// offer hands a generation to Next, as long as it is one.
func (g *Group) offer(ctx context.Context, theirs *kafka.Generation) {
	gen := newGeneration(g, theirs)
	g.mu.Lock()
	g.current = gen
	g.coordinator = anyBroker // joining anew is often the way that its move is learned
	g.mu.Unlock()
	// What is started here is what kafka-go waits for before it joins anew.
	theirs.Start(gen.hold)
	theirs.Start(g.watch)
	select {
	case g.next <- joined{gen: gen}:
	case <-gen.lost:
		gen.Release()
	case <-ctx.Done():
		gen.Release()
	}
}

// watch counts partitions, and ends the generation by returning when there are
// others than before. The leader of the group then assigns them.
func (g *Group) watch(ctx context.Context) {
	// The first look is not at once: a broker that lags behind would have the
	// members rebalance without pause.
	timer := time.NewTimer(firstWatch)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		counts, err := g.count(ctx)
		if err == nil && g.changed(counts) {
			return
		}
		timer.Reset(watchEvery)
	}
}

func (g *Group) count(ctx context.Context) (map[string]int, error) {
	view, err := g.c.view(ctx, g.cfg.Topics...)
	if err != nil {
		return nil, err
	}
	counts := map[string]int{}
	for _, topic := range g.cfg.Topics {
		if t := view.topics[topic]; t.err == 0 && len(t.partitions) > 0 {
			counts[topic] = len(t.partitions)
		}
	}
	return counts, nil
}

// changed remembers the counts. Topics that are not seen are not news: brokers
// learn of a topic one after the other.
func (g *Group) changed(counts map[string]int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for topic, n := range counts {
		if g.counts[topic] != n {
			g.counts = counts
			return true
		}
	}
	return false
}

// judge returns what an operator has to know of an error of kafka-go, nil for
// what passes by itself.
func (g *Group) judge(err error) error {
	var code kafka.Error
	if !errors.As(err, &code) {
		return nil
	}
	switch code {
	case kafka.GroupAuthorizationFailed:
		return fmt.Errorf("%w: group %s: %s: give the user of KAFKA_SASL_USERNAME Read on the group by an ACL (see smsbridge topics)", ErrUnauthorized, g.cfg.ID, title(code))
	case kafka.TopicAuthorizationFailed:
		return fmt.Errorf("%w: topics %v of group %s: %s: give the user of KAFKA_SASL_USERNAME Read by an ACL (see smsbridge topics)", ErrUnauthorized, g.cfg.Topics, g.cfg.ID, title(code))
	case kafka.InconsistentGroupProtocol:
		return fmt.Errorf("group %s is in use by programs that assign partitions by other rules than range and roundrobin: %s: use another KAFKA_GROUP", g.cfg.ID, title(code))
	case kafka.InvalidSessionTimeout:
		return fmt.Errorf("KAFKA_SESSION_TIMEOUT is %s: the broker refuses it: %s: keep between group.min.session.timeout.ms and group.max.session.timeout.ms", g.c.cfg.SessionTimeout, title(code))
	case kafka.InvalidGroupId, kafka.UnsupportedVersion:
		return fmt.Errorf("group %s: %s", g.cfg.ID, title(code))
	default:
		return nil
	}
}

// passing says whether an error belongs to the normal life of a group.
func passing(err error) bool {
	return errors.Is(err, kafka.RebalanceInProgress) || errors.Is(err, kafka.UnknownMemberId) || errors.Is(err, kafka.IllegalGeneration)
}
