// Package broker is a Kafka for one machine: franz-go's kfake, which speaks the
// real protocol, behind the few settings that a laboratory needs.
package broker

import (
	"context"
	"net"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Config says what the broker is like.
type Config struct {
	Listen     string   // address to listen on, and to be told to clients
	Topics     []string // created at start
	Partitions int      // of every topic that is created without a number
	AutoCreate bool     // create a topic when a client asks for it
	StateDir   string   // topics, records and offsets survive a restart here; empty: in memory only
}

// Broker is a running broker.
type Broker struct {
	addr    string
	cluster *kfake.Cluster
}

// Start listens and serves until Close.
func Start(ctx context.Context, cfg Config) (*Broker, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return nil, err
	}
	opts := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return listener, nil }),
		kfake.DefaultNumPartitions(cfg.Partitions),
	}
	if len(cfg.Topics) > 0 {
		opts = append(opts, kfake.SeedTopics(int32(cfg.Partitions), cfg.Topics...))
	}
	if cfg.AutoCreate {
		opts = append(opts, kfake.AllowAutoTopicCreation())
	}
	if cfg.StateDir != "" {
		opts = append(opts, kfake.DataDir(cfg.StateDir))
	}
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		listener.Close() //nolint:errcheck // the cluster's error says more
		return nil, err
	}
	cluster.ControlKey(int16(kmsg.JoinGroup), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if join, ok := r.(*kmsg.JoinGroupRequest); ok {
			join.RebalanceTimeoutMillis = min(join.RebalanceTimeoutMillis, mostRebalance)
		}
		return nil, nil, false
	})
	return &Broker{addr: listener.Addr().String(), cluster: cluster}, nil
}

// mostRebalance bounds how long a rebalance waits for members, in milliseconds.
// kfake gives a member that died while it joined no session timeout, and begins
// the wait anew with every other one who joins; with the minute that a real
// broker may be asked for, members that give up and come again never meet.
const mostRebalance = 8000

// Addr is where clients find the broker.
func (b *Broker) Addr() string { return b.addr }

// Close ends the broker. With a StateDir everything that was acknowledged is kept.
func (b *Broker) Close() { b.cluster.Close() }
