package correlate

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/metric/noop"

	"smsbridge/codec"
	"smsbridge/codec/sms"
	"smsbridge/codec/wire"
	"smsbridge/connector/kafkaio"
)

// BenchmarkPace is the way of a report from the provider's push to the consumer, at
// an even pace, with everything in one process. An operation is a report, so
// -benchtime=5000x takes 5 s; what ns/op says is only the pace.
func BenchmarkPace(b *testing.B) {
	const aSecond, partitions = 1000, 12
	for name, ahead := range map[string]time.Duration{"known": time.Minute, "overtaking": -20 * time.Millisecond} {
		b.Run(name, func(b *testing.B) {
			p := newPace(b, partitions)
			defer p.close()
			sendids := make([]string, b.N)
			for i := range sendids {
				sendids[i] = numbered(i)
				if ahead > 0 {
					p.submitted(sendids[i])
				}
			}
			p.flush()
			p.write(p.pushed("warm")) // an orphan to be, as no pushes come before it
			time.Sleep(2 * time.Second)
			b.ResetTimer()
			before := cpu()
			tick := time.NewTicker(time.Second / aSecond)
			defer tick.Stop()
			for _, sendid := range sendids {
				<-tick.C
				p.begin(sendid)
				p.send(p.pushed(sendid))
				if ahead < 0 {
					time.AfterFunc(-ahead, func() { p.submitted(sendid) })
				}
			}
			took := p.all(b.N)
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "max-ms")
			b.ReportMetric((cpu()-before).Seconds()*1e6/float64(b.N), "cpu-us/report")
		})
	}
}

// pace is a broker, a correlator and a consumer on the machine's own network.
type pace struct {
	b       *testing.B
	out     *kafkaio.Producer
	closers []func()
	pending sync.WaitGroup

	mu    sync.Mutex
	begun map[string]time.Time
	took  []time.Duration
	more  chan struct{}
}

func newPace(b *testing.B, partitions int) *pace {
	b.Helper()
	p := &pace{b: b, begun: map[string]time.Time{}, more: make(chan struct{}, 1)}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(net.Listen),
		kfake.SeedTopics(int32(partitions), pushesTopic, sendidsTopic, reportsTopic, deadTopic))
	if err != nil {
		b.Fatal(err)
	}
	p.closers = append(p.closers, cluster.Close)
	client := func(name string) *kafkaio.Client {
		c, err := kafkaio.Open(kafkaio.Config{Brokers: cluster.ListenAddrs(), ClientID: name})
		if err != nil {
			b.Fatal(err)
		}
		p.closers = append(p.closers, func() { _ = c.Close() })
		return c
	}
	p.out = client("submit").NewProducer(kafkaio.ProducerConfig{})
	consumer, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics(reportsTopic))
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	own := client("correlator")
	c, err := New(Config{
		Group: "g", Pushes: pushesTopic, Sendids: sendidsTopic, Account: "default",
		OrphanAfter: 10 * time.Minute, ReportDeadline: 72 * time.Hour, NumberKeys: []codec.HashKey{codec.HashKey("key")}, Grace: 10 * time.Second, StateDir: b.TempDir(),
		Kafka: own, Producer: own.NewProducer(kafkaio.ProducerConfig{}), Report: reportMessage, DeadLetter: deadMessage,
		Log: slog.New(slog.DiscardHandler), Meter: noop.Meter{},
	})
	if err != nil {
		b.Fatal(err)
	}
	running.Go(func() { _ = c.Run(ctx) })
	running.Go(func() { p.consume(ctx, consumer) })
	p.closers = append(p.closers, func() { cancel(); running.Wait(); consumer.Close() })
	return p
}

func (p *pace) close() {
	for _, c := range slices.Backward(p.closers) {
		c()
	}
}

func (p *pace) consume(ctx context.Context, consumer *kgo.Client) {
	for ctx.Err() == nil {
		records := consumer.PollFetches(ctx).Records()
		now := time.Now()
		p.mu.Lock()
		for _, e := range decodeEvents(p.b, records) {
			if at, ok := p.begun[e.SendID]; ok {
				p.took = append(p.took, now.Sub(at))
				delete(p.begun, e.SendID)
			}
		}
		p.mu.Unlock()
		select {
		case p.more <- struct{}{}:
		default:
		}
	}
}

func (p *pace) begin(sendid string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begun[sendid] = time.Now()
}

// all waits for so many reports.
func (p *pace) all(n int) []time.Duration {
	for {
		p.mu.Lock()
		took := slices.Clone(p.took)
		p.mu.Unlock()
		if len(took) >= n {
			return took
		}
		<-p.more
	}
}

func (p *pace) send(m kafkaio.Message) {
	p.pending.Add(1)
	p.out.Send([]kafkaio.Message{m}, func(_ []kafkaio.Ack, err error) {
		p.pending.Done()
		if err != nil {
			p.b.Error(err)
		}
	})
}

func (p *pace) flush() { p.pending.Wait() }

func (p *pace) write(m kafkaio.Message) {
	if _, err := p.out.Produce(p.b.Context(), m); err != nil {
		p.b.Fatal(err)
	}
}

func (p *pace) submitted(sendid string) {
	p.send(SentRecord(sendidsTopic, Sent{SendID: sendid, Recipients: 1, Origin: sms.Origin{
		CommandID: fmt.Sprint("order-", sendid), Command: sms.Position{Topic: "sms.commands", Partition: 3, Offset: 12345},
		Key: []byte("customer"), Class: sms.OTP, Metadata: map[string]string{"tenant": "a"}, SubmittedAt: time.Now(),
		Trace: sms.Trace{Parent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
	}}))
}

func (p *pace) pushed(sendid string) kafkaio.Message {
	return PushRecord(pushesTopic, wire.ReportPush{SendID: sendid, State: "DELIVRD", Mobiles: []string{"13800000000"}, Time: stateTime}, time.Now())
}
