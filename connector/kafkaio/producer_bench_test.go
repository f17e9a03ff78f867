package kafkaio

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
)

// BenchmarkProduce measures 256 callers that each wait for their record, in
// twelve partitions, beside kafka-go's Writer with acks of all replicas and its
// linger at a millisecond (its default of a second would measure the linger).
func BenchmarkProduce(b *testing.B) {
	const callers, partitions = 256, 12
	value := make([]byte, 250)
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, "t"))
	if err != nil {
		b.Fatal(err)
	}
	defer fake.Close()
	run := func(b *testing.B, produce func(partition int) error) {
		b.Helper()
		b.ReportAllocs()
		b.SetParallelism(callers / 2)
		var turn atomic.Int64
		begun := time.Now()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := produce(int(turn.Add(1)) % partitions); err != nil {
					b.Error(err)
				}
			}
		})
		b.ReportMetric(float64(b.N)/time.Since(begun).Seconds(), "records/s")
	}
	b.Run("ours", func(b *testing.B) {
		c, err := Open(Config{Brokers: fake.ListenAddrs()})
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		p := c.NewProducer(ProducerConfig{})
		defer p.Close(b.Context())
		run(b, func(partition int) error {
			_, err := p.Produce(b.Context(), Message{Topic: "t", Partition: partition, Value: value})
			return err
		})
	})
	b.Run("kafka.Writer", func(b *testing.B) {
		w := &kafka.Writer{
			Addr: kafka.TCP(fake.ListenAddrs()...), Topic: "t", RequiredAcks: kafka.RequireAll,
			BatchTimeout: time.Millisecond, Balancer: &kafka.RoundRobin{},
		}
		defer w.Close()
		run(b, func(int) error { return w.WriteMessages(b.Context(), kafka.Message{Value: value}) })
	})
}
