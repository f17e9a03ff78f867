package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// onProduce lets f judge every Produce request, in order.
func (b *bubble) onProduce(f func(req *kmsg.ProduceRequest) (kmsg.Response, error, bool)) {
	b.cluster.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		b.cluster.KeepControl()
		return f(req.(*kmsg.ProduceRequest))
	})
}

// answering answers every partition of a request with a code.
func answering(req *kmsg.ProduceRequest, code int16) kmsg.Response {
	res := req.ResponseKind().(*kmsg.ProduceResponse)
	for _, t := range req.Topics {
		answer := kmsg.NewProduceResponseTopic()
		answer.Topic = t.Topic
		for _, p := range t.Partitions {
			one := kmsg.NewProduceResponseTopicPartition()
			one.Partition, one.ErrorCode, one.BaseOffset = p.Partition, code, -1
			answer.Partitions = append(answer.Partitions, one)
		}
		res.Topics = append(res.Topics, answer)
	}
	return res
}

// oneID fails the test if it ends with more than one producer id given out: a
// gap in our numbers heals by a new id, and would pass unnoticed.
func (b *bubble) oneID(t *testing.T) {
	t.Helper()
	given := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.InitProducerID}, Count: -1, Observe: true})
	t.Cleanup(func() {
		if n := given.Hits(); n != 1 {
			t.Errorf("%d producer ids were asked for", n)
		}
	})
}

// read returns all values of a topic by an independent client, by partition.
func (b *bubble) read(t *testing.T, topic string, n int) map[int32][]string {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.cluster.ListenAddrs()...), kgo.Dialer(b.network.DialContext), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	values := map[int32][]string{}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	count := 0
	for ctx.Err() == nil {
		for _, r := range cl.PollFetches(ctx).Records() {
			if int(r.Offset) != len(values[r.Partition]) {
				t.Fatalf("record at %d/%d, expected at %d", r.Partition, r.Offset, len(values[r.Partition]))
			}
			values[r.Partition] = append(values[r.Partition], string(r.Value))
			count++
		}
	}
	if count != n {
		t.Fatalf("%d records in the log instead of %d", count, n)
	}
	return values
}

func TestBrokerThatForgotUsGetsTheSameRecordsUnderANewProducerID(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]*kerr.Error{
		"45 out of order": kerr.OutOfOrderSequenceNumber, "47 invalid epoch": kerr.InvalidProducerEpoch, "59 unknown producer": kerr.UnknownProducerID,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := startBubble(t, kfake.SeedTopics(1, "t"))
				p := openProducer(t, b.client(t, 0))
				produce(t, p, "one")
				b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: code})
				produce(t, p, "two")
				produce(t, p, "three")
				if got := b.read(t, "t", 3)[0]; !slices.Equal(got, []string{"one", "two", "three"}) {
					t.Fatal(got)
				}
				if id := p.topics["t"].queues[0].id; id != p.id || id.producer == 0 {
					t.Fatalf("ids %+v and %+v", id, p.id)
				}
			})
		})
	}
}

func TestDuplicateSequenceIsSuccessAtAnUnknownPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, kfake.SeedTopics(1, "t"))
		b.onProduce(func(req *kmsg.ProduceRequest) (kmsg.Response, error, bool) {
			return answering(req, kerr.DuplicateSequenceNumber.Code), nil, true
		})
		p := openProducer(t, b.client(t, 0))
		acks, err := p.Produce(t.Context(), Message{Topic: "t", Value: []byte("v")})
		if err != nil || acks[0] != (Ack{Partition: 0, Offset: -1}) {
			t.Fatalf("%+v, %v", acks, err)
		}
	})
}

func TestRecordThatIsTooLargeFailsAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t)
		if err := b.cluster.CreateTopic("t", 1, map[string]string{"max.message.bytes": "3000"}); err != nil {
			t.Fatal(err)
		}
		b.oneID(t)
		p := openProducer(t, b.client(t, 0))
		var want []string
		outcomes := map[string]error{}
		var wg sync.WaitGroup
		for i := range 100 {
			value := fmt.Sprintf("%02d %s", i, strings.Repeat("x", 100))
			if i%33 == 7 {
				value += strings.Repeat("x", 4000)
			} else {
				want = append(want, value)
			}
			wg.Add(1)
			p.Send([]Message{{Topic: "t", Value: []byte(value)}}, func(_ []Ack, err error) {
				outcomes[value] = err
				wg.Done()
			})
		}
		wg.Wait()
		for value, err := range outcomes {
			large := len(value) > 3000
			if large != errors.Is(err, ErrTooLarge) || large != (err != nil) || large && !strings.Contains(err.Error(), "topic t ") {
				t.Errorf("%d bytes: %v", len(value), err)
			}
		}
		if got := b.read(t, "t", len(want))[0]; !slices.Equal(got, want) {
			t.Fatal("order was not kept")
		}
	})
}

func TestRecordThatTheBrokerFindsInvalidFailsAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, kfake.SeedTopics(1, "t"))
		b.oneID(t)
		b.onProduce(func(req *kmsg.ProduceRequest) (kmsg.Response, error, bool) {
			if strings.Contains(string(req.Topics[0].Partitions[0].Records), "poison") {
				return answering(req, kerr.InvalidRecord.Code), nil, true
			}
			return nil, nil, false
		})
		p := openProducer(t, b.client(t, 0))
		var wg sync.WaitGroup
		var failed []string
		for i := range 50 {
			value := fmt.Sprintf("%02d", i)
			if i == 20 || i == 41 {
				value = "poison" + value
			}
			wg.Add(1)
			p.Send([]Message{{Topic: "t", Value: []byte(value)}}, func(_ []Ack, err error) {
				if err != nil {
					failed = append(failed, value)
				}
				wg.Done()
			})
		}
		wg.Wait()
		if !slices.Equal(failed, []string{"poison20", "poison41"}) {
			t.Fatal(failed)
		}
		if got := b.read(t, "t", 48)[0]; !slices.IsSorted(got) {
			t.Fatal(got)
		}
	})
}

func TestMissingRightToATopicIsNamedAndHarmsNoOtherTopic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, kfake.SeedTopics(1, "t", "forbidden"))
		b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "forbidden", Err: kerr.TopicAuthorizationFailed, Count: -1})
		p := openProducer(t, b.client(t, 0))
		for range 3 {
			_, err := p.Produce(t.Context(), Message{Topic: "forbidden"})
			if !errors.Is(err, ErrUnauthorized) || !strings.Contains(err.Error(), "forbidden") {
				t.Fatal(err)
			}
			produce(t, p, "v")
		}
		b.read(t, "t", 3)
	})
}

func TestWhatWaitsWhileARequestIsUnderWayLeavesInOneRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, kfake.SeedTopics(4, "t", "u"))
		c := b.client(t, 0)
		p := openProducer(t, c)
		produce(t, p, "known")
		_, _ = p.Produce(t.Context(), Message{Topic: "u"})
		var records []int
		hold := make(chan struct{})
		b.onProduce(func(req *kmsg.ProduceRequest) (kmsg.Response, error, bool) {
			n := 0
			for _, topic := range req.Topics {
				n += len(topic.Partitions)
			}
			records = append(records, n)
			if len(records) == 1 {
				b.cluster.SleepControl(func() { <-hold })
			}
			return nil, nil, false
		})
		var wg sync.WaitGroup
		send := func(topic string, partition int) {
			wg.Add(1)
			p.Send([]Message{{Topic: topic, Partition: partition}}, func([]Ack, error) { wg.Done() })
		}
		send("t", 0)
		synctest.Wait()
		for i := range 800 {
			send([]string{"t", "u"}[i%2], i/2%4)
		}
		synctest.Wait()
		close(hold)
		wg.Wait()
		if !slices.Equal(records, []int{1, 8}) {
			t.Fatalf("partitions in the requests: %v", records)
		}
	})
}

func TestBatchesAndRequestsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, kfake.SeedTopics(9, "t"))
		b.onProduce(func(req *kmsg.ProduceRequest) (kmsg.Response, error, bool) {
			total := 0
			for _, p := range req.Topics[0].Partitions {
				if total += len(p.Records); len(p.Records) > maxBatch {
					t.Errorf("batch of %d bytes", len(p.Records))
				}
			}
			if total > maxRequest {
				t.Errorf("request of %d bytes", total)
			}
			return nil, nil, false
		})
		p := openProducer(t, b.client(t, 0))
		msgs := make([]Message, 3000)
		for i := range msgs {
			msgs[i] = Message{Topic: "t", Partition: i % 9, Value: make([]byte, 10_000)}
		}
		if _, err := p.Produce(t.Context(), msgs...); err != nil {
			t.Fatal(err)
		}
	})
}

func TestTopicThatIsCreatedLaterIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t)
		c, log := b.logged(t)
		p := openProducer(t, c)
		time.AfterFunc(time.Minute, func() { _ = b.cluster.CreateTopic("t", 2, nil) })
		if _, err := p.Produce(t.Context(), Message{Topic: "t", Partition: 1}, Message{Topic: "t", Partition: AnyPartition, Key: []byte("k")}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if log.count("kafka writes wait") != 1 || log.count("kafka writes go on") != 1 {
			t.Errorf("logged %s", log.b.String())
		}
	})
}

func TestPartitionThatIsAddedLaterIsWaitedForByItsOwnRecordsAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, kfake.SeedTopics(1, "t"))
		p := openProducer(t, b.client(t, 0))
		late := make(chan error, 1)
		p.Send([]Message{{Topic: "t", Partition: 2}}, func(_ []Ack, err error) { late <- err })
		produce(t, p, "meanwhile")
		cl, err := kgo.NewClient(kgo.SeedBrokers(b.cluster.ListenAddrs()...), kgo.Dialer(b.network.DialContext))
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		if _, err := kadm.NewClient(cl).CreatePartitions(t.Context(), 2, "t"); err != nil {
			t.Fatal(err)
		}
		if err := <-late; err != nil {
			t.Fatal(err)
		}
	})
}

// produce writes a value to partition 0 of topic t.
func produce(t *testing.T, p *Producer, value string) {
	t.Helper()
	if _, err := p.Produce(t.Context(), Message{Topic: "t", Value: []byte(value)}); err != nil {
		t.Fatal(err)
	}
}

func TestCodesOfProduceAreJudged(t *testing.T) {
	t.Parallel()
	for code, want := range map[kafka.Error]verdict{
		0: isStored, 46: isStored, 45: isForgotten, 47: isForgotten, 59: isForgotten, 10: isRefusedInAll, 87: isRefusedInAll,
		29: isRefused, 3: isUnsure, 5: isUnsure, 6: isUnsure, 7: isUnsure, 19: isUnsure, 20: isUnsure, 56: isUnsure, -1: isUnsure, 999: isUnsure,
	} {
		if got := judge(code); got != want {
			t.Errorf("code %d: %d instead of %d", code, got, want)
		}
	}
}
