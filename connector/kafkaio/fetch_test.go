package kafkaio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// newKgo returns the independent client, which writes what we read.
func newKgo(t *testing.T, brokers []string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner())}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func produceAll(t *testing.T, cl *kgo.Client, records ...*kgo.Record) {
	t.Helper()
	if err := cl.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// readUntil reads to the offset end, and fails the test when that is not
// reached within half a minute.
func readUntil(t *testing.T, f *Fetcher, end int64) []Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var all []Record
	for f.Position() < end {
		records, err := f.Next(ctx)
		if err != nil {
			t.Fatalf("at offset %d of %d: %v", f.Position(), end, err)
		}
		all = append(all, records...)
	}
	return all
}

func end(t *testing.T, c *Client, topic string) int64 {
	t.Helper()
	offset, err := c.EndOffset(t.Context(), topic, 0)
	if err != nil {
		t.Fatal(err)
	}
	return offset
}

func TestRecordsOfEveryCodecAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	brokers := startBroker(t)
	for name, codec := range map[string]kgo.CompressionCodec{
		"none":   kgo.NoCompression(),
		"gzip":   kgo.GzipCompression(),
		"snappy": kgo.SnappyCompression(),
		"lz4":    kgo.Lz4Compression(),
		"zstd":   kgo.ZstdCompression(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := openClient(t, brokers)
			topic := newTopic(t, c, 2)
			// Not long ago: brokers delete by the records' own time.
			at := time.Now().Truncate(time.Millisecond)
			var written []*kgo.Record
			for i := range 500 {
				written = append(written, &kgo.Record{
					Topic: topic, Partition: 1, Timestamp: at.Add(time.Duration(i) * time.Millisecond),
					Key: fmt.Appendf(nil, "key-%d", i%7), Value: bytes.Repeat([]byte{byte(i)}, i),
					Headers: []kgo.RecordHeader{{Key: "n", Value: fmt.Append(nil, i)}, {Key: "n", Value: nil}, {Key: "", Value: []byte{}}},
				})
			}
			produceAll(t, newKgo(t, brokers, kgo.ProducerBatchCompression(codec)), written...)

			f := c.Fetcher(FetchConfig{Topic: topic, Partition: 1})
			got := readUntil(t, f, 500)
			if len(got) != len(written) {
				t.Fatalf("%d records, want %d", len(got), len(written))
			}
			for i, w := range written {
				same(t, got[i], w)
			}
			if f.HighWatermark() != 500 {
				t.Errorf("high watermark %d", f.HighWatermark())
			}
		})
	}
}

// Java packs snappy in a framing of its own, which a real broker shows when it
// is made to pack.
func TestWhatTheBrokerPacksItselfIsRead(t *testing.T) {
	t.Parallel()
	brokers := startBroker(t)
	c := openClient(t, brokers)
	for _, codec := range []string{"gzip", "snappy", "lz4", "zstd"} {
		name := topicName()
		if err := c.CreateTopics(t.Context(), NewTopic{Name: name, Partitions: 1, Config: map[string]string{"compression.type": codec}}); err != nil {
			t.Fatal(err)
		}
		var written []*kgo.Record
		for i := range 1000 {
			written = append(written, &kgo.Record{Topic: name, Timestamp: time.Now().Truncate(time.Millisecond), Value: bytes.Repeat(fmt.Append(nil, i), 50)})
		}
		produceAll(t, newKgo(t, brokers, kgo.ProducerBatchCompression(kgo.NoCompression())), written...)
		got := readUntil(t, c.Fetcher(FetchConfig{Topic: name}), 1000)
		if len(got) != 1000 {
			t.Fatalf("%s: %d records", codec, len(got))
		}
		for i, w := range written {
			same(t, got[i], w)
		}
	}
}

// same compares what was read with what franz-go wrote.
func same(t *testing.T, got Record, want *kgo.Record) {
	t.Helper()
	if got.Topic != want.Topic || got.Partition != int(want.Partition) || got.Offset != want.Offset || !got.Time.Equal(want.Timestamp) ||
		!sameBytes(got.Key, want.Key) || !sameBytes(got.Value, want.Value) || len(got.Headers) != len(want.Headers) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	for i, h := range want.Headers {
		if got.Headers[i].Key != h.Key || !sameBytes(got.Headers[i].Value, h.Value) {
			t.Fatalf("header %d of offset %d: got %+v, want %+v", i, got.Offset, got.Headers[i], h)
		}
	}
}

// sameBytes tells null from empty.
func sameBytes(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

func TestNullIsNotEmpty(t *testing.T) {
	t.Parallel()
	brokers := startBroker(t)
	c := openClient(t, brokers)
	topic := newTopic(t, c, 1)
	written := []*kgo.Record{
		{Topic: topic, Key: nil, Value: nil},
		{Topic: topic, Key: []byte{}, Value: []byte{}},
		{Topic: topic, Key: []byte("k"), Value: nil},
	}
	produceAll(t, newKgo(t, brokers), written...)
	for i, got := range readUntil(t, c.Fetcher(FetchConfig{Topic: topic}), 3) {
		same(t, got, written[i])
	}
}

func TestOnlyCommittedTransactionsAreRead(t *testing.T) {
	t.Parallel()
	brokers := startBroker(t)
	c := openClient(t, brokers)
	topic := newTopic(t, c, 1)
	plain := newKgo(t, brokers)
	one := newKgo(t, brokers, kgo.TransactionalID(topic+"-one"))
	two := newKgo(t, brokers, kgo.TransactionalID(topic+"-two"))

	var want []string
	for round := range 6 {
		write := func(cl *kgo.Client, who string) {
			for i := range 3 {
				produceAll(t, cl, &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "%d %s %d", round, who, i)})
			}
		}
		finish := func(cl *kgo.Client, commit bool) {
			if err := cl.EndTransaction(t.Context(), kgo.TransactionEndTry(commit)); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(one.BeginTransaction(), two.BeginTransaction()); err != nil {
			t.Fatal(err)
		}
		// The two overlap; each is rolled back in turn, and what is written
		// plainly among them always counts.
		write(one, "one")
		write(two, "two")
		write(plain, "plain")
		write(one, "one")
		finish(one, round%2 == 0)
		write(two, "two")
		finish(two, round%3 == 0)

		for i := range 3 {
			want = append(want, fmt.Sprintf("%d plain %d", round, i))
			if round%2 == 0 {
				want = append(want, fmt.Sprintf("%d one %d", round, i), fmt.Sprintf("%d one %d", round, i))
			}
			if round%3 == 0 {
				want = append(want, fmt.Sprintf("%d two %d", round, i), fmt.Sprintf("%d two %d", round, i))
			}
		}
	}
	seen := map[string]int{}
	got := readUntil(t, c.Fetcher(FetchConfig{Topic: topic, MaxBytes: 300}), end(t, c, topic))
	for _, r := range got {
		seen[string(r.Value)]++
	}
	for _, w := range want {
		seen[w]--
	}
	for value, n := range seen {
		if n != 0 {
			t.Errorf("%q: %+d", value, n)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d records, want %d", len(got), len(want))
	}
}

func TestReadingFromEveryOffsetGivesTheRestAlone(t *testing.T) {
	t.Parallel()
	brokers := startBroker(t)
	c := openClient(t, brokers)
	topic := newTopic(t, c, 1)
	cl := newKgo(t, brokers)
	for batch := range 4 {
		var records []*kgo.Record
		for i := range 5 {
			records = append(records, &kgo.Record{Topic: topic, Value: fmt.Append(nil, 5*batch+i)})
		}
		produceAll(t, cl, records...)
	}
	for from := range int64(20) {
		got := readUntil(t, c.Fetcher(FetchConfig{Topic: topic, Offset: from}), 20)
		if int64(len(got)) != 20-from || got[0].Offset != from {
			t.Fatalf("from %d: %d records, the first at %d", from, len(got), got[0].Offset)
		}
	}
}

func TestABatchLargerThanMaxBytesIsReadWhole(t *testing.T) {
	t.Parallel()
	brokers := startBroker(t)
	c := openClient(t, brokers)
	topic := newTopic(t, c, 1)
	value := []byte(strings.Repeat("x", 900_000))
	produceAll(t, newKgo(t, brokers, kgo.ProducerBatchCompression(kgo.NoCompression())),
		&kgo.Record{Topic: topic, Value: value}, &kgo.Record{Topic: topic, Value: value[:10]})
	got := readUntil(t, c.Fetcher(FetchConfig{Topic: topic, MaxBytes: 1000}), 2)
	if len(got) != 2 || len(got[0].Value) != len(value) || len(got[1].Value) != 10 {
		t.Fatalf("%d records", len(got))
	}
}

func TestRecordsKeepTheirBytesWhenMoreIsFetched(t *testing.T) {
	t.Parallel()
	brokers := startBroker(t)
	c := openClient(t, brokers)
	topic := newTopic(t, c, 1)
	cl := newKgo(t, brokers, kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	for i := range 50 {
		produceAll(t, cl, &kgo.Record{Topic: topic, Value: bytes.Repeat([]byte{byte(i)}, 1000)})
	}
	for i, r := range readUntil(t, c.Fetcher(FetchConfig{Topic: topic, MaxBytes: 100}), 50) {
		if !bytes.Equal(r.Value, bytes.Repeat([]byte{byte(i)}, 1000)) {
			t.Fatalf("record %d was overwritten", i)
		}
	}
}

func TestOffsetOutOfRangeTellsWhatThePartitionHolds(t *testing.T) {
	t.Parallel()
	brokers := startBroker(t)
	c := openClient(t, brokers)
	topic := newTopic(t, c, 1)
	produceAll(t, newKgo(t, brokers), &kgo.Record{Topic: topic, Value: []byte("x")})
	_, err := c.Fetcher(FetchConfig{Topic: topic, Offset: 77}).Next(t.Context())
	var out *OutOfRangeError
	if !errors.As(err, &out) || out.Offset != 77 || out.Start != 0 || out.End != 1 {
		t.Fatal(err)
	}
}

func TestNextEndsWithItsContextAtOnce(t *testing.T) {
	t.Parallel()
	brokers := startBroker(t)
	c := openClient(t, brokers)
	topic := newTopic(t, c, 1)
	f := c.Fetcher(FetchConfig{Topic: topic, MaxWait: 20 * time.Second})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	begun := time.Now()
	_, err := f.Next(ctx)
	if !errors.Is(err, context.Canceled) || time.Since(begun) > 10*time.Second {
		t.Fatalf("after %v: %v", time.Since(begun), err)
	}
}
