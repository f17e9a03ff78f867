package kafkaio

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/offsetcommit"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// member returns the only member of group g, with all of topic t.
func (b *bubble) member(t *testing.T) *Generation {
	t.Helper()
	return next(t, join(t, b.client(t, 6*time.Second), "g", "t"))
}

func commit(gen *Generation, offset int64, partitions ...int) error {
	commits := map[TopicPartition]Commit{}
	for _, p := range partitions {
		commits[TopicPartition{"t", p}] = Commit{Offset: offset, Metadata: "m"}
	}
	return gen.Commit(context.Background(), commits)
}

func isUnknown(err error) bool {
	_, unknown := errors.AsType[*CommitUnknown](err)
	return unknown
}

func TestCodesOfACommitAreJudged(t *testing.T) {
	t.Parallel()
	for code, want := range map[int16]commitVerdict{
		0: commitStored, 22: commitFenced, 25: commitFenced, 27: commitFenced, 82: commitFenced,
		7: commitMaybe, 15: commitMaybe, 16: commitMaybe, -1: commitMaybe,
		12: commitRefused, 14: commitRefused, 28: commitRefused, 29: commitRefused, 30: commitRefused, 3: commitRefused,
	} {
		if got := judgeCommit(kafka.Error(code)); got != want {
			t.Errorf("code %d: %d instead of %d", code, got, want)
		}
	}
}

func TestWorstOutcomeOfAPartitionIsTheCommits(t *testing.T) {
	t.Parallel()
	type outcome struct{ unknown, fenced, refused bool }
	for name, test := range map[string]struct {
		codes map[int32]int16
		want  outcome
	}{
		"all stored":                   {map[int32]int16{0: 0, 1: 0}, outcome{}},
		"one fenced":                   {map[int32]int16{0: 0, 1: 22}, outcome{fenced: true}},
		"one unknown, one fenced":      {map[int32]int16{0: 7, 1: 22}, outcome{unknown: true}},
		"one left out":                 {map[int32]int16{0: 0}, outcome{unknown: true}},
		"all left out":                 {nil, outcome{unknown: true}},
		"one left out, another's came": {map[int32]int16{0: 0, 7: 0}, outcome{unknown: true}},
		"one refused":                  {map[int32]int16{0: 0, 1: 29}, outcome{refused: true}},
		"one refused, one fenced":      {map[int32]int16{0: 12, 1: 25}, outcome{fenced: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := &offsetcommit.Response{Topics: []offsetcommit.ResponseTopic{{Name: "t"}}}
			for p, code := range test.codes {
				answer.Topics[0].Partitions = append(answer.Topics[0].Partitions, offsetcommit.ResponsePartition{PartitionIndex: p, ErrorCode: code})
			}
			gen := &Generation{g: &Group{}, expelled: make(chan struct{})}
			err := gen.concludeCommit(map[TopicPartition]Commit{{"t", 0}: {}, {"t", 1}: {}}, answer)
			var refused *CommitRefused
			got := outcome{isUnknown(err), errors.Is(err, ErrFenced), errors.As(err, &refused)}
			if got != test.want {
				t.Errorf("got %v", err)
			}
			if refused != nil && (len(refused.Partitions) != 1 || !errors.Is(err, ErrUnauthorized)) {
				t.Errorf("refused %v", refused.Partitions)
			}
		})
	}
}

func TestCommitThatIsGivenUpIsUnknownAndMayLandLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, kfake.SeedTopics(2, "t"))
		gen := b.member(t)
		hold := make(chan struct{})
		b.cluster.ControlKey(int16(kmsg.OffsetCommit), func(kmsg.Request) (kmsg.Response, error, bool) {
			b.cluster.SleepControl(func() { <-hold })
			return nil, nil, false
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := gen.Commit(ctx, map[TopicPartition]Commit{{"t", 0}: {Offset: 7}})
		if !isUnknown(err) {
			t.Fatal(err)
		}
		at := func() int64 { return b.cluster.GroupInfo("g").Commits["t"][0].Offset }
		if at() == 7 {
			t.Fatal("landed early")
		}
		close(hold)
		synctest.Wait()
		if at() != 7 {
			t.Fatal("the test is about a commit that lands late")
		}
	})
}

func TestCommitWithoutADeadlineEndsAfterASession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, kfake.SeedTopics(2, "t"))
		gen := b.member(t)
		hold := make(chan struct{})
		defer close(hold)
		b.cluster.ControlKey(int16(kmsg.OffsetCommit), func(kmsg.Request) (kmsg.Response, error, bool) {
			b.cluster.SleepControl(func() { <-hold })
			return nil, errors.New("frozen"), true
		})
		begun := time.Now()
		err := commit(gen, 1, 0)
		if took := time.Since(begun); !isUnknown(err) || took != 6*time.Second {
			t.Fatalf("after %v: %v", took, err)
		}
	})
}

func TestCommitWhoseAnswerIsLostIsUnknown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, kfake.SeedTopics(2, "t"))
		gen := b.member(t)
		b.cluster.ControlKey(int16(kmsg.OffsetCommit), func(kmsg.Request) (kmsg.Response, error, bool) {
			return nil, errors.New("cut"), true
		})
		if err := commit(gen, 1, 0); !isUnknown(err) {
			t.Fatal(err)
		}
		if err := commit(gen, 2, 0); err != nil {
			t.Fatalf("the next one: %v", err)
		}
	})
}

func TestCommitThatWasNeverSentIsNotUnknown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, kfake.SeedTopics(2, "t"))
		c, network, _ := b.overSwitched(t)
		g := join(t, c, "g", "t")
		gen := next(t, g)
		if _, err := g.whereabouts(t.Context()); err != nil {
			t.Fatal(err)
		}
		network.away.Store(true)
		c.dropAll()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		err := gen.Commit(ctx, map[TopicPartition]Commit{{"t", 0}: {Offset: 7}})
		if err == nil || isUnknown(err) || errors.Is(err, ErrFenced) {
			t.Fatal(err)
		}
	})
}

func TestOnlyOneCommitIsUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, kfake.SeedTopics(2, "t"))
		gen := b.member(t)
		hold, asked := make(chan struct{}), 0
		b.cluster.ControlKey(int16(kmsg.OffsetCommit), func(kmsg.Request) (kmsg.Response, error, bool) {
			b.cluster.KeepControl()
			if asked++; asked == 1 {
				b.cluster.SleepControl(func() { <-hold })
			}
			return nil, nil, false
		})
		done := make(chan error, 2)
		go func() { done <- commit(gen, 1, 0) }()
		synctest.Wait()
		go func() { done <- commit(gen, 2, 0) }()
		synctest.Wait()
		if asked != 1 {
			t.Fatalf("%d commits are under way", asked)
		}
		close(hold)
		for range 2 {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		if at := b.cluster.GroupInfo("g").Commits["t"][0].Offset; at != 2 {
			t.Fatalf("committed %d", at)
		}
	})
}

func TestCoordinatorIsLookedUpOnceAndAgainWhenItMoved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, kfake.SeedTopics(2, "t"))
		gen := b.member(t)
		lookups := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.FindCoordinator}, Count: -1, Observe: true})
		for range 5 {
			if err := commit(gen, 1, 0, 1); err != nil {
				t.Fatal(err)
			}
		}
		if n := lookups.Hits(); n != 1 {
			t.Errorf("%d lookups for five commits", n)
		}
		b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.NotCoordinator})
		if err := commit(gen, 2, 0); !isUnknown(err) {
			t.Fatal(err)
		}
		if err := commit(gen, 2, 0); err != nil {
			t.Fatal(err)
		}
		if n := lookups.Hits(); n != 2 {
			t.Errorf("%d lookups after the coordinator moved", n)
		}
	})
}

func TestReleasedGenerationCommitsNothingMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := startBubble(t, kfake.SeedTopics(2, "t"))
		gen := b.member(t)
		commits := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Count: -1, Observe: true})
		gen.Release()
		gen.Release()
		<-gen.Lost()
		if err := commit(gen, 1, 0); !errors.Is(err, ErrFenced) || commits.Hits() != 0 {
			t.Fatalf("%v, %d commits sent", err, commits.Hits())
		}
	})
}

func TestOffsetsAreWholeOrAnError(t *testing.T) {
	t.Parallel()
	both := []TopicPartition{{"t", 0}, {"t", 1}}
	fetch := func(code int16, partitions ...int32) func(kmsg.Request) (kmsg.Response, error, bool) {
		return func(req kmsg.Request) (kmsg.Response, error, bool) {
			res := req.ResponseKind().(*kmsg.OffsetFetchResponse)
			topic := kmsg.NewOffsetFetchResponseTopic()
			topic.Topic = "t"
			for _, p := range partitions {
				one := kmsg.NewOffsetFetchResponseTopicPartition()
				one.Partition, one.Offset = p, 5
				if p == 1 {
					one.ErrorCode = code
				}
				topic.Partitions = append(topic.Partitions, one)
			}
			res.Topics = append(res.Topics, topic)
			return res, nil, true
		}
	}
	for name, test := range map[string]struct {
		answer func(kmsg.Request) (kmsg.Response, error, bool)
		always bool
		fails  string
	}{
		"a partition left out for ever":   {fetch(0, 0), true, "leaves out topic t partition 1"},
		"a partition left out once":       {fetch(0, 0), false, ""},
		"a partition without right":       {fetch(29, 0, 1), true, "not authorised"},
		"a partition in doubt for ever":   {fetch(7, 0, 1), true, "Request Timed Out"},
		"a partition that is loading now": {fetch(14, 0, 1), false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := startBubble(t, kfake.SeedTopics(2, "t"))
				gen := b.member(t)
				if err := commit(gen, 5, 0, 1); err != nil {
					t.Fatal(err)
				}
				b.cluster.ControlKey(int16(kmsg.OffsetFetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
					if test.always {
						b.cluster.KeepControl()
					}
					return test.answer(req)
				})
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				got, err := gen.Offsets(ctx, both)
				if test.fails != "" {
					if err == nil || !strings.Contains(err.Error(), test.fails) || got != nil {
						t.Fatalf("%v, %v", got, err)
					}
					return
				}
				if err != nil || got[both[0]].Offset != 5 || got[both[1]].Offset != 5 || len(got) != 2 {
					t.Fatalf("%v, %v", got, err)
				}
			})
		})
	}
}
