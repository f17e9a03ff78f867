package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// addresses is a network in which single brokers can be away (refused) or silent
// (accepted, and never answering).
type addresses struct {
	dial func(ctx context.Context, network, addr string) (net.Conn, error)

	mu     sync.Mutex
	away   map[string]bool
	silent map[string]bool
	dials  map[string]int
}

func (n *addresses) is(state map[string]bool, addr string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return state[addr]
}

func (n *addresses) set(state map[string]bool, addr string, value bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	state[addr] = value
}

func (n *addresses) dialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	n.mu.Lock()
	n.dials[addr]++
	n.mu.Unlock()
	if n.is(n.away, addr) {
		return nil, errors.New("refused")
	}
	c, err := n.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &addressed{c, n, addr}, nil
}

type addressed struct {
	net.Conn
	network *addresses
	addr    string
}

func (c *addressed) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		switch {
		case c.network.is(c.network.away, c.addr):
			return 0, errors.New("reset")
		case err != nil, !c.network.is(c.network.silent, c.addr):
			return n, err
		}
	}
}

func (c *addressed) Write(b []byte) (int, error) {
	switch {
	case c.network.is(c.network.away, c.addr):
		return 0, errors.New("broken pipe")
	case c.network.is(c.network.silent, c.addr):
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// three is a cluster of three brokers whose topic t is led by the second, and a
// client that was given some of them.
func three(t *testing.T, cfg Config, given func(all []string) []string, opts ...kfake.Opt) (*bubble, *Client, *addresses) {
	t.Helper()
	b := startBubble(t, append(opts, kfake.NumBrokers(3), kfake.Ports(9092, 9093, 9094), kfake.SeedTopics(3, "t"))...)
	for p := range int32(3) {
		if err := b.cluster.MoveTopicPartition("t", p, 1); err != nil {
			t.Fatal(err)
		}
	}
	n := &addresses{dial: b.network.DialContext, away: map[string]bool{}, silent: map[string]bool{}, dials: map[string]int{}}
	cfg.Brokers, cfg.Dial, cfg.SessionTimeout = given(b.cluster.ListenAddrs()), n.dialContext, session
	return b, openWith(t, cfg), n
}

func TestLosingTheOneConfiguredBrokerStopsNobodyWhoseLeadersAreWell(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, c, n := three(t, Config{}, func(all []string) []string { return all[:1] })
		p := openProducer(t, c)
		produce(t, p, "before")
		f := c.Fetcher(FetchConfig{Topic: "t"})
		if _, err := f.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
		n.set(n.away, b.cluster.ListenAddrs()[0], true)
		for i := range 300 {
			if i == 60 {
				if err := b.cluster.MoveTopicPartition("t", 0, 2); err != nil {
					t.Fatal(err)
				}
			}
			begun := time.Now()
			produce(t, p, "without")
			if _, err := f.Next(t.Context()); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begun); took > 2*time.Second {
				t.Errorf("record %d took %v", i, took)
			}
			time.Sleep(time.Second)
		}
	})
}

func TestAFrozenConfiguredBrokerDelaysTheBeginningBySecondsOnly(t *testing.T) {
	t.Parallel()
	login := SASL{Mechanism: "plain", Username: "u", Password: password("p")}
	for name, sasl := range map[string]SASL{"plain": {}, "with a login": login} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var opts []kfake.Opt
				if sasl.Mechanism != "" {
					opts = []kfake.Opt{kfake.EnableSASL(), kfake.Superuser("PLAIN", "u", "p")}
				}
				b, c, n := three(t, Config{SASL: sasl}, func(all []string) []string { return all }, opts...)
				group := ""
				for i := 0; group == "" || b.cluster.CoordinatorFor(group) == 0; i++ {
					group = fmt.Sprint("g", i)
				}
				n.set(n.silent, b.cluster.ListenAddrs()[0], true)
				begun := time.Now()
				gen := settleAt(t, join(t, c, group, "t"), "t", 3)
				if err := commit(gen, 1, 0); err != nil {
					t.Fatal(err)
				}
				produce(t, openProducer(t, c), "v")
				if took := time.Since(begun); took > 20*time.Second {
					t.Errorf("ready after %v", took)
				}
			})
		})
	}
}

func TestAFrozenBrokerThatIsAskedForTheLayoutHoldsNoOthersPartitions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, c, n := three(t, Config{}, func(all []string) []string { return all[:1] })
		p := openProducer(t, c)
		produce(t, p, "before")
		n.set(n.silent, b.cluster.ListenAddrs()[0], true)
		f := c.Fetcher(FetchConfig{Topic: "t"})
		end := time.Now().Add(5 * time.Minute)
		for time.Now().Before(end) {
			begun := time.Now()
			c.renew()
			produce(t, p, "v")
			if _, err := f.Next(t.Context()); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begun); took > time.Second {
				t.Errorf("%v after %v", took, end.Sub(begun))
			}
			time.Sleep(time.Second)
		}
	})
}

func TestASilentAddressIsPutAside(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, c, n := three(t, Config{}, func(all []string) []string { return all })
		frozen := b.cluster.ListenAddrs()[0]
		c.brokers.last = frozen
		n.set(n.silent, frozen, true)
		for i := range 5 {
			begun := time.Now()
			if _, err := c.ClusterID(t.Context()); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begun); i == 0 && took != stepTimeout || i > 0 && took > 0 {
				t.Errorf("look %d took %v", i, took)
			}
		}
		if n.dials[frozen] != 1 {
			t.Errorf("dialled %d times", n.dials[frozen])
		}
	})
}

func TestALayoutThatTakesLongIsWaitedForAndAskedForOnceASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, c, _ := three(t, Config{}, func(all []string) []string { return all })
		looks := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Count: -1, Observe: true})
		b.cluster.ControlKey(int16(kmsg.Metadata), func(kmsg.Request) (kmsg.Response, error, bool) {
			b.cluster.KeepControl()
			b.cluster.SleepControl(func() { time.Sleep(1200 * time.Millisecond) })
			return nil, nil, false
		})
		begun := time.Now()
		produce(t, openProducer(t, c), "v")
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("written after %v", took)
		}
		before := looks.Hits()
		for range 1000 {
			c.renew()
			time.Sleep(10 * time.Millisecond)
		}
		if n := looks.Hits() - before; n > 11 {
			t.Errorf("asked %d times in ten seconds", n)
		}
		time.Sleep(5 * time.Second) // the broker ends its last answer
	})
}

func TestALoginThatHungOnceIsMadeAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, c, n := three(t, Config{SASL: SASL{Mechanism: "plain", Username: "u", Password: password("p")}},
			func(all []string) []string { return all[1:2] }, kfake.EnableSASL(), kfake.Superuser("PLAIN", "u", "p"))
		address := b.cluster.ListenAddrs()[1]
		hung := false
		b.cluster.ControlKey(int16(kmsg.SASLHandshake), func(kmsg.Request) (kmsg.Response, error, bool) {
			n.set(n.silent, address, !hung)
			hung = true
			return nil, nil, false
		})
		time.AfterFunc(10*time.Second, func() { n.set(n.silent, address, false) })
		begun := time.Now()
		produce(t, openProducer(t, c), "v")
		if took := time.Since(begun); took > 20*time.Second {
			t.Errorf("written after %v", took)
		}
	})
}

func TestAConnectionIsRenewedBeforeTheBrokerEndsIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, c, n := three(t, Config{SASL: SASL{Mechanism: "plain", Username: "u", Password: password("p")}},
			func(all []string) []string { return all[1:2] }, kfake.EnableSASL(), kfake.Superuser("PLAIN", "u", "p"),
			kfake.BrokerConfigs(map[string]string{"connections.max.reauth.ms": "60000"}))
		if _, err := c.ClusterID(t.Context()); err != nil {
			t.Fatal(err)
		}
		address := b.cluster.ListenAddrs()[1]
		before := n.dials[address]
		for range 65 {
			time.Sleep(time.Second)
			if _, err := c.ClusterID(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := n.dials[address] - before; got != 1 {
			t.Errorf("dialled %d times", got)
		}
	})
}

func TestProbeTellsAFrozenBrokerFromOneThatDoesNotSpeakKafka(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, c, n := three(t, Config{}, func(all []string) []string { return all })
		for _, address := range b.cluster.ListenAddrs() {
			n.set(n.silent, address, true)
		}
		begun := time.Now()
		err := c.Probe(t.Context())
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("told after %v", took)
		}
		if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "frozen") || strings.Contains(err.Error(), "speak") {
			t.Error(err)
		}
	})
}
