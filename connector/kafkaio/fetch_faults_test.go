package kafkaio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// logged collects log lines.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) count(message string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), message)
}

func openLogged(t *testing.T, brokers []string) (*Client, *logged) {
	t.Helper()
	log := new(logged)
	c, err := Open(Config{Brokers: brokers, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, log
}

func numbered(topic string, from, to int) []*kgo.Record {
	var records []*kgo.Record
	for i := from; i < to; i++ {
		records = append(records, &kgo.Record{Topic: topic, Value: fmt.Append(nil, i)})
	}
	return records
}

func inOrder(t *testing.T, records []Record, n int) {
	t.Helper()
	if len(records) != n {
		t.Fatalf("%d records, want %d", len(records), n)
	}
	for i, r := range records {
		if string(r.Value) != fmt.Sprint(i) {
			t.Fatalf("record %d is %s", i, r.Value)
		}
	}
}

func TestALeaderThatMovesIsFollowed(t *testing.T) {
	t.Parallel()
	fake := startFake(t, kfake.NumBrokers(3), kfake.SeedTopics(1, "t"))
	c := openClient(t, fake.ListenAddrs())
	cl := newKgo(t, fake.ListenAddrs())
	f := c.Fetcher(FetchConfig{Topic: "t"})
	var all []Record
	for round := range 6 {
		// Nobody else answers for the partition, or the old leader would go on.
		fake.SetFollowers("t", 0, []int32{})
		if err := fake.MoveTopicPartition("t", 0, int32(round%3)); err != nil {
			t.Fatal(err)
		}
		produceAll(t, cl, numbered("t", 10*round, 10*round+10)...)
		all = append(all, readUntil(t, f, int64(10*round+10))...)
		if got := end(t, c, "t"); got != int64(10*round+10) {
			t.Fatalf("the end is %d", got)
		}
	}
	inOrder(t, all, 60)
}

func TestWhatIsTemporaryIsWaitedOutAndNotToldAtOnce(t *testing.T) {
	t.Parallel()
	for _, code := range []*kerr.Error{
		kerr.NotLeaderForPartition, kerr.UnknownTopicOrPartition, kerr.LeaderNotAvailable, kerr.ReplicaNotAvailable,
		kerr.KafkaStorageError, kerr.FencedLeaderEpoch, kerr.UnknownLeaderEpoch, kerr.UnknownServerError, kerr.OffsetNotAvailable,
	} {
		t.Run(code.Message, func(t *testing.T) {
			t.Parallel()
			fake := startFake(t, kfake.SeedTopics(1, "t"))
			produceAll(t, newKgo(t, fake.ListenAddrs()), numbered("t", 0, 5)...)
			fault := fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: code, Count: 3})
			c, log := openLogged(t, fake.ListenAddrs())
			inOrder(t, readUntil(t, c.Fetcher(FetchConfig{Topic: "t"}), 5), 5)
			if fault.Hits() != 3 {
				t.Errorf("%d faults were met", fault.Hits())
			}
			if log.count("cannot fetch") != 0 || log.count("fetching again") != 0 {
				t.Errorf("logged %s", log.b.String())
			}
		})
	}
}

func TestConnectionsThatBreakAreMadeAnew(t *testing.T) {
	t.Parallel()
	fake := startFake(t, kfake.SeedTopics(1, "t"))
	produceAll(t, newKgo(t, fake.ListenAddrs()), numbered("t", 0, 5)...)
	c := openClient(t, fake.ListenAddrs())
	for _, key := range []kmsg.Key{kmsg.Fetch, kmsg.Metadata, kmsg.ListOffsets} {
		broken := 0
		fake.ControlKey(int16(key), func(kmsg.Request) (kmsg.Response, error, bool) {
			if broken++; broken > 2 {
				return nil, nil, false
			}
			fake.KeepControl()
			return nil, errors.New("cut"), true
		})
		c.dropAll()
		inOrder(t, readUntil(t, c.Fetcher(FetchConfig{Topic: "t"}), 5), 5)
		if got := end(t, c, "t"); got != 5 {
			t.Fatalf("the end is %d", got)
		}
	}
}

// startThree starts a broker whose topic t has three batches of one record each.
func startThree(t *testing.T) *kfake.Cluster {
	t.Helper()
	fake := startFake(t, kfake.SeedTopics(1, "t"))
	cl := newKgo(t, fake.ListenAddrs())
	for i := range 3 {
		produceAll(t, cl, numbered("t", i, i+1)...)
	}
	return fake
}

// threeBatches is what that topic holds, and the length of one batch.
func threeBatches() (set []byte, one int) {
	set = setOf(recordsAt("0"), recordsAt("1").at(1), recordsAt("2").at(2))
	return set, len(set) / 3
}

func TestADamagedBatchIsFetchedAgainThenToldThenSkipped(t *testing.T) {
	t.Parallel()
	fake := startThree(t)
	damage := 0
	fake.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		asked := req.(*kmsg.FetchRequest).Topics[0].Partitions[0].FetchOffset
		set, one := threeBatches()
		switch asked {
		case 1:
			set = set[one:]
			if damage > 0 {
				damage--
				set[one-1] ^= 1
			}
		case 2:
			set = set[2*one:]
		}
		return fetchResponse(req, set), nil, true
	})
	c := openClient(t, fake.ListenAddrs())

	damage = 1 // on the way
	f := c.Fetcher(FetchConfig{Topic: "t", Offset: 1})
	inOrder(t, append([]Record{{Value: []byte("0")}}, readUntil(t, f, 3)...), 3)

	damage = 2 // for good
	f = c.Fetcher(FetchConfig{Topic: "t", Offset: 1})
	_, err := f.Next(t.Context())
	var batch *BatchError
	if !errors.As(err, &batch) || !errors.Is(err, ErrCorrupt) || batch.Offset != 1 || f.Position() != 1 {
		t.Fatal(err)
	}
	f.Skip(batch.Next)
	if got := readUntil(t, f, 3); len(got) != 1 || got[0].Offset != 2 {
		t.Fatalf("after the skip: %+v", got)
	}
}

func TestAFollowerPassesADamagedBatchWhereItMay(t *testing.T) {
	t.Parallel()
	fake := startThree(t)
	fake.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		set, one := threeBatches()
		set[2*one-1] ^= 1
		asked := int(req.(*kmsg.FetchRequest).Topics[0].Partitions[0].FetchOffset)
		return fetchResponse(req, set[asked*one:]), nil, true
	})
	c := openClient(t, fake.ListenAddrs())
	for name, may := range map[string]bool{"may": true, "may not": false} {
		var h heard
		var damaged []int64
		f := Follower{Client: c, Topic: "t", Take: h.take}
		if may {
			f.Damaged = func(err *BatchError) { damaged = append(damaged, err.Offset) }
		}
		err := f.CatchUp(t.Context())
		if batch, told := errors.AsType[*BatchError](err); told == may || told && batch.Offset != 1 {
			t.Errorf("%s: %v", name, err)
		}
		if may && (h.String() != "map[0:[0 2]]" || !slices.Equal(damaged, []int64{1})) {
			t.Errorf("took %s, damaged %v", &h, damaged)
		}
	}
}

// fetchResponse answers a fetch of one partition with a set of batches.
func fetchResponse(req kmsg.Request, set []byte) kmsg.Response {
	res := req.ResponseKind().(*kmsg.FetchResponse)
	asked := req.(*kmsg.FetchRequest).Topics[0]
	res.Topics = []kmsg.FetchResponseTopic{{Topic: asked.Topic, Partitions: []kmsg.FetchResponseTopicPartition{{
		Partition: asked.Partitions[0].Partition, HighWatermark: 100, RecordBatches: set,
	}}}}
	return res
}

func TestABatchThatIsCutThoughItIsTheOnlyOneIsNotWaitedForForever(t *testing.T) {
	t.Parallel()
	fake := startFake(t, kfake.SeedTopics(1, "t"))
	fake.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		return fetchResponse(req, recordsAt("0").bytes()[:40]), nil, true
	})
	_, err := openClient(t, fake.ListenAddrs()).Fetcher(FetchConfig{Topic: "t"}).Next(t.Context())
	if !errors.Is(err, ErrCorrupt) {
		t.Fatal(err)
	}
}

// virtual is an embedded broker whose network and clock are the bubble's own.
func virtual(t *testing.T, opts ...kfake.Opt) (*kfake.Cluster, *Client, *logged) {
	t.Helper()
	network := new(kfake.VirtualNetwork)
	fake, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1), kfake.ListenFn(network.Listen))...)
	if err != nil {
		t.Fatal(err)
	}
	log := new(logged)
	c, err := Open(Config{Brokers: fake.ListenAddrs(), Dial: network.DialContext, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		fake.Close()
	})
	return fake, c, log
}

func TestATopicThatStaysUnknownIsToldAfterAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c, log := virtual(t)
		begun := time.Now()
		_, err := c.Fetcher(FetchConfig{Topic: "gone"}).Next(t.Context())
		if took := time.Since(begun); !errors.Is(err, kafka.UnknownTopicOrPartition) || took < unknownPatience || took > unknownPatience+10*time.Second {
			t.Fatalf("after %v: %v", took, err)
		}
		if log.count("cannot fetch") != 1 {
			t.Errorf("logged %s", log.b.String())
		}
	})
}

func TestTroubleThatLastsIsToldOnceAndSoIsItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake, c, log := virtual(t, kfake.SeedTopics(1, "t"))
		fault := fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.NotLeaderForPartition, Count: 1 << 20})
		time.AfterFunc(10*troublePatience, fault.Remove)
		ctx, cancel := context.WithTimeout(t.Context(), 12*troublePatience)
		defer cancel()
		_, _ = c.Fetcher(FetchConfig{Topic: "t"}).Next(ctx)
		if log.count("cannot fetch") != 1 || log.count("fetching again") != 1 {
			t.Errorf("logged %s", log.b.String())
		}
	})
}

// muted loses what is written once silent is set, as a broken path does.
type muted struct {
	net.Conn
	silent *atomic.Bool
}

func (m muted) Write(b []byte) (int, error) {
	if m.silent.Load() {
		return len(b), nil
	}
	return m.Conn.Write(b)
}

func TestABrokerThatFallsSilentIsLeftAfterItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c, _ := virtual(t, kfake.SeedTopics(1, "t"))
		silent := new(atomic.Bool)
		dial := c.pool.dial
		c.pool.dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dial(ctx, network, addr)
			return muted{conn, silent}, err
		}
		f := c.Fetcher(FetchConfig{Topic: "t"})
		if _, err := f.fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
		silent.Store(true)
		begun := time.Now()
		_, err := f.fetch(t.Context())
		if took := time.Since(begun); err == nil || took != defaultFetchWait+fetchSlack {
			t.Fatalf("after %v: %v", took, err)
		}
	})
}
