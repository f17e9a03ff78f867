package kafkaio

import (
	"crypto/tls"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// startBroker returns brokers to test against: those of KAFKA_BROKERS when it
// is set, else a new embedded one that ends with the test.
func startBroker(t *testing.T) []string {
	t.Helper()
	if given := os.Getenv("KAFKA_BROKERS"); given != "" {
		return strings.Split(given, ",")
	}
	return startFake(t).ListenAddrs()
}

// startFake returns an embedded cluster, for tests that inject faults into it.
func startFake(t *testing.T, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster
}

// openClient returns a client that ends with the test.
func openClient(t *testing.T, brokers []string) *Client {
	t.Helper()
	c, err := Open(Config{Brokers: brokers, ClientID: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// dropAll closes the connections that are idle.
func (c *Client) dropAll() {
	for _, address := range c.brokers.candidates() {
		c.pool.drop(address)
	}
}

// fixed is a configuration of TLS that never changes.
func fixed(cfg *tls.Config) func() (*tls.Config, error) {
	return func() (*tls.Config, error) { return cfg, nil }
}

var topicNumber atomic.Int64

// newTopic creates a topic of its own for a test.
func newTopic(t *testing.T, c *Client, partitions int) string {
	t.Helper()
	name := topicName()
	if err := c.CreateTopics(t.Context(), NewTopic{Name: name, Partitions: partitions}); err != nil {
		t.Fatal(err)
	}
	return name
}

// topicName returns a name that was never used: real brokers outlive tests.
func topicName() string {
	return fmt.Sprintf("test-%d-%d", time.Now().UnixNano(), topicNumber.Add(1))
}
