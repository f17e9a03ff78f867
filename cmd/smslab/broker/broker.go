// Package broker is a Kafka for one machine: franz-go's kfake, which speaks the
// real protocol, behind the few settings that a laboratory needs.
package broker

import (
	"context"
	"net"
	"sync"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
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
	addr     string
	cluster  *kfake.Cluster
	client   *kgo.Client // of its own groups
	stop     context.CancelFunc
	watching sync.WaitGroup
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
	client, err := kgo.NewClient(kgo.SeedBrokers(listener.Addr().String()))
	if err != nil {
		cluster.Close()
		return nil, err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	b := &Broker{addr: listener.Addr().String(), cluster: cluster, client: client, stop: stop}
	heard := listen(cluster)
	b.watching.Go(func() { heard.expel(run, client) })
	return b, nil
}

// Addr is where clients find the broker.
func (b *Broker) Addr() string { return b.addr }

// Close ends the broker. With a StateDir everything that was acknowledged is kept.
func (b *Broker) Close() {
	b.stop()
	b.watching.Wait()
	b.client.Close()
	b.cluster.Close()
}
