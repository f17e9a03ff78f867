//go:build realkafka

package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	opRead     = kmsg.ACLOperationRead
	opWrite    = kmsg.ACLOperationWrite
	opDescribe = kmsg.ACLOperationDescribe
)

// work is what the connector does with Kafka, in small.
type work struct{ commands, results, journal, group string }

// newWork makes the topics, and one command.
func newWork(t *testing.T) work {
	t.Helper()
	w := work{topicName() + "-commands", topicName() + "-results", topicName() + "-journal", topicName() + "-group"}
	plain := via(t, "plain")
	c := open(t, plain)
	for _, name := range []string{w.commands, w.results, w.journal} {
		if err := c.CreateTopics(t.Context(), NewTopic{Name: name, Partitions: 1}); err != nil {
			t.Fatal(err)
		}
	}
	produceAll(t, newKgo(t, plain.Brokers), &kgo.Record{Topic: w.commands, Value: []byte("command")})
	return w
}

// rights is the whole list of what run needs; Read and Write imply Describe.
func (w work) rights() []right {
	return []right{
		onTopic(w.commands, opRead), onGroup(w.group, opRead), onTopic(w.results, opWrite),
		onTopic(w.journal, opRead), onTopic(w.journal, opWrite),
	}
}

// do carries one command to its end.
func (w work) do(t *testing.T, c *Client) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := c.WaitTopics(ctx, w.commands, w.results, w.journal); err != nil {
		return fmt.Errorf("topics: %w", err)
	}
	gen, err := join(t, c, w.group, w.commands).Next(ctx)
	if err != nil {
		return fmt.Errorf("group: %w", err)
	}
	defer gen.Release()
	position := TopicPartition{w.commands, 0}
	if _, err := gen.Offsets(ctx, []TopicPartition{position}); err != nil {
		return fmt.Errorf("offsets: %w", err)
	}
	p := openProducer(t, c)
	for _, step := range []func() error{
		func() error { _, err := c.Fetcher(FetchConfig{Topic: w.commands}).Next(ctx); return err },
		func() error { _, err := p.Produce(ctx, Message{Topic: w.journal, Value: []byte("intent")}); return err },
		func() error { _, err := c.Fetcher(FetchConfig{Topic: w.journal}).Next(ctx); return err },
		func() error { _, err := p.Produce(ctx, Message{Topic: w.results, Value: []byte("result")}); return err },
		func() error { return gen.Commit(ctx, map[TopicPartition]Commit{position: {Offset: 1, Metadata: "m"}}) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func TestEachMissingRightIsNamed(t *testing.T) {
	t.Parallel()
	sasl := via(t, "sasl")
	for name, test := range map[string]struct {
		// missing is replaced by less, or by nothing.
		missing func(work) right
		less    kmsg.ACLOperation
		named   func(work) string
	}{
		"to read commands":                 {func(w work) right { return onTopic(w.commands, opRead) }, opDescribe, func(w work) string { return "topic " + w.commands }},
		"to see commands":                  {func(w work) right { return onTopic(w.commands, opRead) }, 0, func(w work) string { return "topic " + w.commands }},
		"to join the group":                {func(w work) right { return onGroup(w.group, opRead) }, opDescribe, func(w work) string { return "group " + w.group }},
		"to see the group":                 {func(w work) right { return onGroup(w.group, opRead) }, 0, func(w work) string { return "group " + w.group }},
		"to write results":                 {func(w work) right { return onTopic(w.results, opWrite) }, opDescribe, func(w work) string { return "topic " + w.results }},
		"to see results":                   {func(w work) right { return onTopic(w.results, opWrite) }, 0, func(w work) string { return "topic " + w.results }},
		"to write the journal":             {func(w work) right { return onTopic(w.journal, opWrite) }, opDescribe, func(w work) string { return "topic " + w.journal }},
		"to read the journal, though seen": {func(w work) right { return onTopic(w.journal, opRead) }, 0, func(w work) string { return "topic " + w.journal }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWork(t)
			rights := w.rights()
			at := slices.Index(rights, test.missing(w))
			rights[at].operation = test.less
			if test.less == 0 {
				rights = slices.Delete(rights, at, at+1)
			}
			grant(t, sasl.SASL.Username, rights...)
			err := w.do(t, open(t, sasl))
			if !errors.Is(err, ErrUnauthorized) || !strings.Contains(err.Error(), test.named(w)) || !strings.Contains(err.Error(), "ACL") {
				t.Errorf("got: %v", err)
			}
		})
	}
}

// A right that is missing only when a commit comes, for example because it was
// taken away, must not look like a lost partition.
func TestCommitWithoutTheRightIsRefused(t *testing.T) {
	t.Parallel()
	sasl := via(t, "sasl")
	w := newWork(t)
	grant(t, sasl.SASL.Username, onTopic(w.commands, opDescribe), onGroup(w.group, opRead))
	gen := next(t, join(t, open(t, sasl), w.group, w.commands))
	defer gen.Release()
	err := gen.Commit(t.Context(), map[TopicPartition]Commit{{w.commands, 0}: {Offset: 1}})
	var refused *CommitRefused
	if !errors.As(err, &refused) || !errors.Is(err, ErrUnauthorized) || errors.Is(err, ErrFenced) || !strings.Contains(err.Error(), w.commands) {
		t.Fatal(err)
	}
}

func TestWhoMayWriteNowhereIsToldWhere(t *testing.T) {
	t.Parallel()
	cfg := via(t, "sasl")
	cfg.SASL.Mechanism, cfg.SASL.Username = "plain", "nobody"
	w := newWork(t)
	_, err := openProducer(t, open(t, cfg)).Produce(t.Context(), Message{Topic: w.results})
	if !errors.Is(err, ErrUnauthorized) || !strings.Contains(err.Error(), w.results) {
		t.Fatal(err)
	}
}

func TestRightsAreThoseOfTheRules(t *testing.T) {
	t.Parallel()
	sasl := via(t, "sasl")
	w := newWork(t)
	grant(t, sasl.SASL.Username, onTopic(w.commands, opRead), onTopic(w.results, opWrite), onGroup(w.group, opRead), onGroup(w.results, opDescribe))
	c := open(t, sasl)
	got, err := c.Rights(t.Context(), w.commands, w.results, w.journal)
	want := fmt.Sprint(map[string]Rights{w.commands: {Read: true, Describe: true}, w.results: {Write: true, Describe: true}, w.journal: {}})
	if err != nil || fmt.Sprint(got) != want {
		t.Errorf("topics: %v, %v", got, err)
	}
	for group, want := range map[string]Rights{w.group: {Read: true, Describe: true}, w.results: {Describe: true}, w.journal: {}} {
		if got, err := c.GroupRights(t.Context(), group); err != nil || got != want {
			t.Errorf("group %s: %v, %v", group, got, err)
		}
	}
}

func TestCreatingAndLookingIntoTopicsNeedsRightsOfItsOwn(t *testing.T) {
	t.Parallel()
	sasl := via(t, "sasl")
	w := newWork(t)
	grant(t, sasl.SASL.Username, w.rights()...)
	c := open(t, sasl)
	name := topicName()
	if err := c.CreateTopics(t.Context(), NewTopic{Name: name, Partitions: 1}); !errors.Is(err, ErrUnauthorized) || !strings.Contains(err.Error(), name) {
		t.Errorf("creating: %v", err)
	}
	if _, err := c.TopicConfig(t.Context(), w.commands); !errors.Is(err, ErrUnauthorized) || !strings.Contains(err.Error(), w.commands) {
		t.Errorf("configuration: %v", err)
	}
}
