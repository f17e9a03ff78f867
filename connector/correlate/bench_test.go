package correlate

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric/noop"

	"smsbridge/codec"
	"smsbridge/codec/sms"
	"smsbridge/codec/wire"
	"smsbridge/connector/kafkaio"
	"smsbridge/connector/local"
)

var benchSendids = flag.Int("sendids", 1_000_000, "in the store of the benchmark")

// swallow is a producer that keeps what is written to sendids, to be read back.
type swallow struct {
	facts  []kafkaio.Record
	offset int64
}

func (s *swallow) Produce(_ context.Context, messages ...kafkaio.Message) ([]kafkaio.Ack, error) {
	for i := range messages {
		if m := &messages[i]; m.Topic == sendidsTopic {
			s.facts = append(s.facts, kafkaio.Record{Topic: m.Topic, Offset: s.offset, Key: m.Key, Value: m.Value})
			s.offset++
		}
	}
	return nil, nil
}

func numbered(n int) string { return fmt.Sprintf("20260102110405%012d", n) }

// BenchmarkReports is all that a report costs here, without Kafka: its push is read
// and its sendid looked up among many, the event and what was seen are made, and
// what was seen is read back into the store. ns/op is for one report. Where reports
// come in no order, each has its block of entries read.
func BenchmarkReports(b *testing.B) {
	folder := b.TempDir()
	store, err := local.Open(folder, sendidsKind, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	disk, err := store.Disk()
	if err != nil {
		b.Fatal(err)
	}
	out := &swallow{}
	c := &Correlator{cfg: Config{
		Pushes: pushesTopic, Sendids: sendidsTopic, Account: "default", NumberKeys: []codec.HashKey{codec.HashKey("key")},
		Producer: out, Report: reportMessage, Log: slog.New(slog.DiscardHandler), Reached: func(string) {},
	}, rules: rules{10 * time.Minute, 72 * time.Hour}}
	c.parts.Store(&[]*partition{})
	if c.metrics, err = c.newMetrics(noop.Meter{}); err != nil {
		b.Fatal(err)
	}
	p := &partition{
		c: c, work: b.Context(), log: c.cfg.Log, todo: map[string]struct{}{}, asked: map[string]time.Time{},
		shelf: &shelf{disk: disk, rules: c.rules, held: map[string]*held{}},
	}
	const each = 500 // records of a batch
	for n := 0; n < *benchSendids; {
		for range each {
			m := SentRecord(sendidsTopic, Sent{SendID: numbered(n), Recipients: 1, Origin: sms.Origin{
				CommandID: fmt.Sprint("order-", n), Command: sms.Position{Topic: "sms.commands", Partition: 3, Offset: int64(n)},
				Key: []byte("customer"), Class: sms.OTP, Metadata: map[string]string{"tenant": "a"}, SubmittedAt: time.Now(),
				Trace: sms.Trace{Parent: fmt.Sprintf("00-%016x%016x-%016x-01", rand.Uint64(), rand.Uint64(), rand.Uint64())}, // does not compress
			}})
			_, _ = out.Produce(b.Context(), m)
			n++
		}
		readBack(b, p, out)
	}
	store.Flush()
	perSendid := float64(sizeOf(b, folder)) / float64(*benchSendids)
	offset := int64(0)
	half := *benchSendids / 2
	for _, order := range []struct {
		name string
		pick func(n int) int
	}{
		{"as they were sent", func(n int) int { return 2 * (n&^8191 | n*7919&8191) }}, // but for 8,192 of them
		{"in no order", func(n int) int { return 2*(n*7919%half) + 1 }},
	} {
		taken := 0
		b.Run(order.name, func(b *testing.B) {
			before := cpu()
			for n := 0; n < b.N; {
				var pushes batch
				for range min(each, b.N-n) {
					m := PushRecord(pushesTopic, wire.ReportPush{
						SendID: numbered(order.pick(taken) % *benchSendids), State: "DELIVRD", Mobiles: []string{"13800000000"}, Time: stateTime,
					}, time.Now())
					pushes.records = append(pushes.records, kafkaio.Record{Topic: pushesTopic, Offset: offset, Key: m.Key, Value: m.Value})
					offset++
					taken++
					n++
				}
				pushes.next = offset
				if err := p.take(pushes); err != nil {
					b.Fatal(err)
				}
				readBack(b, p, out)
			}
			b.ReportMetric(float64(b.N)/(cpu()-before).Seconds(), "reports/s/core")
			b.ReportMetric(float64(resident())/1e6, "MB")
			b.ReportMetric(perSendid, "disk-B/sendid")
		})
	}
}

// resident is the memory that the process holds, in bytes.
func resident() int64 {
	var pages, held int64
	statm, _ := os.ReadFile("/proc/self/statm")
	_, _ = fmt.Sscan(string(statm), &pages, &held)
	return held * int64(os.Getpagesize())
}

// cpu is what the process has used: on a busy machine the only time that counts.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func sizeOf(b *testing.B, folder string) (bytes int64) {
	b.Helper()
	err := filepath.WalkDir(folder, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return bytes
}

func readBack(b *testing.B, p *partition, out *swallow) {
	b.Helper()
	if err := p.learn(batch{out.facts, out.offset}); err != nil {
		b.Fatal(err)
	}
	out.facts = out.facts[:0]
}
