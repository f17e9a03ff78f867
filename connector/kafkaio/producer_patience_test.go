package kafkaio

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// switched is a network that can be away. Then connections that exist break, and
// new ones are refused after a second. It can also be silent: then requests
// arrive, and no answer ever comes back.
type switched struct {
	dial   func(ctx context.Context, network, addr string) (net.Conn, error)
	away   atomic.Bool
	silent atomic.Bool
}

func (s *switched) dialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	if s.away.Load() {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		<-ctx.Done()
		return nil, errors.New("refused")
	}
	conn, err := s.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &switchedConn{conn, s}, nil
}

type switchedConn struct {
	net.Conn
	s *switched
}

func (c *switchedConn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if err != nil || !c.s.silent.Load() {
			return n, err
		}
	}
}

func (c *switchedConn) Write(b []byte) (int, error) {
	if c.s.away.Load() {
		return 0, errors.New("broken pipe")
	}
	return c.Conn.Write(b)
}

// overSwitched returns a client in a network that can be away, and its log.
func (b *bubble) overSwitched(t *testing.T) (*Client, *switched, *logged) {
	t.Helper()
	network := &switched{dial: b.network.DialContext}
	log := new(logged)
	c, err := Open(Config{Brokers: b.cluster.ListenAddrs(), Dial: network.dialContext, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, network, log
}

func TestRecordsWaitWhileKafkaIsAwayAndThatIsToldOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, kfake.SeedTopics(2, "t"))
		c, network, log := b.overSwitched(t)
		network.away.Store(true)
		p := openProducer(t, c)
		time.AfterFunc(time.Hour, func() { network.away.Store(false) })
		begun := time.Now()
		produce(t, p, "v")
		if took := time.Since(begun); took < time.Hour || took > time.Hour+10*time.Second {
			t.Errorf("written after %v", took)
		}
		synctest.Wait()
		if log.count("kafka writes wait") != 1 || log.count("kafka writes go on") != 1 {
			t.Errorf("logged %s", log.b.String())
		}
	})
}

func TestProduceThatEndsBeforeKafkaCameBackWasNeverSent(t *testing.T) {
	t.Parallel()
	for name, known := range map[string]bool{"nothing known yet": false, "connected before": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := startBubble(t, kfake.SeedTopics(1, "t"))
				c, network, _ := b.overSwitched(t)
				p := openProducer(t, c)
				want := 1
				if known {
					produce(t, p, "before")
					want++
					c.dropAll()
				}
				network.away.Store(true)
				for range 20 {
					ctx, cancel := context.WithTimeout(t.Context(), 1300*time.Millisecond)
					_, err := p.Produce(ctx, Message{Topic: "t", Value: []byte("withdrawn")})
					cancel()
					if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrUndecided) {
						t.Fatal(err)
					}
				}
				if p.buffered > 1000 {
					t.Errorf("%d bytes are kept for what was withdrawn", p.buffered)
				}
				network.away.Store(false)
				produce(t, p, "after")
				b.read(t, "t", want)
			})
		})
	}
}

func TestProduceThatEndsDuringItsRequestIsUndecided(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, kfake.SeedTopics(1, "t"))
		p := openProducer(t, b.client(t, 0))
		produce(t, p, "before")
		hold := make(chan struct{})
		b.cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
			b.cluster.SleepControl(func() { <-hold })
			return nil, nil, false
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		waits := make(chan error, 1)
		go func() {
			time.Sleep(time.Second / 2)
			_, err := p.Produce(ctx, Message{Topic: "t", Value: []byte("waits behind")})
			waits <- err
		}()
		if _, err := p.Produce(ctx, Message{Topic: "t", Value: []byte("sent")}); !errors.Is(err, ErrUndecided) {
			t.Fatal(err)
		}
		if err := <-waits; err == nil || errors.Is(err, ErrUndecided) {
			t.Fatal(err)
		}
		close(hold)
		produce(t, p, "after")
		if got := b.read(t, "t", 3)[0]; got[1] != "sent" {
			t.Fatal(got)
		}
	})
}

func TestBrokerThatFallsSilentDuringARequestIsAskedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, kfake.SeedTopics(1, "t"))
		p := openProducer(t, b.client(t, 0))
		asked := false
		b.onProduce(func(*kmsg.ProduceRequest) (kmsg.Response, error, bool) {
			if asked {
				return nil, nil, false
			}
			asked = true
			return nil, nil, true // never answered
		})
		begun := time.Now()
		produce(t, p, "v")
		if took := time.Since(begun); took < answerPatience || took > answerPatience+time.Second {
			t.Errorf("took %v", took)
		}
		b.read(t, "t", 1)
	})
}

func TestProducerThatIsFullRefusesAndRecovers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, kfake.SeedTopics(1, "t"))
		c, network, _ := b.overSwitched(t)
		network.away.Store(true)
		p := c.NewProducer(ProducerConfig{MaxBuffered: 10_000})
		defer p.Close(t.Context())
		outcomes := make(chan error, 20)
		for range 20 {
			p.Send([]Message{{Topic: "t", Value: make([]byte, 900)}}, func(_ []Ack, err error) { outcomes <- err })
		}
		synctest.Wait()
		refusals := len(outcomes)
		if refusals != 10 {
			t.Errorf("%d of 20 kB refused at 10 kB", refusals)
		}
		for range refusals {
			if err := <-outcomes; !errors.Is(err, ErrOverloaded) {
				t.Error(err)
			}
		}
		if _, err := p.Produce(t.Context(), Message{Topic: "t", Value: make([]byte, 10_000)}); !errors.Is(err, ErrTooLarge) {
			t.Error(err)
		}
		network.away.Store(false)
		for range 20 - refusals {
			if err := <-outcomes; err != nil {
				t.Error(err)
			}
		}
		if p.buffered != 0 {
			t.Errorf("%d bytes are still counted", p.buffered)
		}
		produce(t, p, "room again")
	})
}

func TestClosingInTimeTellsEveryRecordsFate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, kfake.SeedTopics(1, "t"))
		p := b.client(t, 0).NewProducer(ProducerConfig{})
		produce(t, p, "before")
		hold := make(chan struct{})
		defer close(hold)
		b.cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
			b.cluster.SleepControl(func() { <-hold })
			return nil, errors.New("frozen"), true
		})
		sent, waiting, unknown := make(chan error, 1), make(chan error, 1), make(chan error, 1)
		p.Send([]Message{{Topic: "t"}}, func(_ []Ack, err error) { sent <- err })
		synctest.Wait()
		p.Send([]Message{{Topic: "t"}}, func(_ []Ack, err error) { waiting <- err })
		p.Send([]Message{{Topic: "no such topic"}}, func(_ []Ack, err error) { unknown <- err })
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begun := time.Now()
		if err := p.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if took := time.Since(begun); took != 3*time.Second {
			t.Errorf("closed after %v", took)
		}
		if err := <-sent; !errors.Is(err, ErrUndecided) {
			t.Error(err)
		}
		if err := <-waiting; !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
		if err := <-unknown; !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	})
}

func TestSendMayBeCalledUnderTheLockThatItsCallbackTakes(t *testing.T) {
	t.Parallel()
	p := openClient(t, []string{"127.0.0.1:1"}).NewProducer(ProducerConfig{MaxBuffered: 1})
	defer p.Close(t.Context())
	lock := make(chan struct{}, 1)
	lock <- struct{}{}
	refused := make(chan error, 1)
	p.Send([]Message{{Topic: "t"}}, func(_ []Ack, err error) {
		lock <- struct{}{}
		refused <- err
	})
	<-lock
	if err := <-refused; !errors.Is(err, ErrTooLarge) {
		t.Fatal(err)
	}
}

func FuzzProduceAnswer(f *testing.F) {
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0, 0, 0, 1}, 20))
	f.Fuzz(func(_ *testing.T, body []byte) {
		p := &Producer{topics: map[string]*outTopic{}}
		_ = (&produceAnswer{body}).each(func(topic []byte, partition int32, _ stored) { p.awaited(string(topic), partition) })
	})
}
