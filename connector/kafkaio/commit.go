package kafkaio

import (
	"context"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/offsetcommit"
)

// ErrFenced says that the generation is over: nothing of the commit was stored,
// and nothing more may be begun for its partitions.
var ErrFenced = errors.New("the partitions belong to a newer generation")

// Commit is what is stored for a partition.
type Commit struct {
	Offset   int64  // of the next record to be worked on
	Metadata string // up to offset.metadata.max.bytes, 4 KiB by default
}

// CommitUnknown says that a commit may have been stored, or may be stored yet,
// any time later: then it takes offset and metadata back behind a newer commit.
// Only a new membership ends that: close the group and join it again.
type CommitUnknown struct{ Err error }

// Error implements error.
func (e *CommitUnknown) Error() string {
	return fmt.Sprintf("the commit may have been stored: %v", e.Err)
}

// Unwrap gives the cause.
func (e *CommitUnknown) Unwrap() error { return e.Err }

// CommitRefused says which partitions were not stored, and why. The others were.
type CommitRefused struct{ Partitions map[TopicPartition]error }

// Error implements error.
func (e *CommitRefused) Error() string {
	for _, err := range e.Partitions {
		return fmt.Sprintf("commit refused for %d partitions: %v", len(e.Partitions), err)
	}
	return "commit refused"
}

// Unwrap gives the reasons, for errors.Is.
func (e *CommitRefused) Unwrap() []error {
	reasons := make([]error, 0, len(e.Partitions))
	for _, err := range e.Partitions {
		reasons = append(reasons, err)
	}
	return reasons
}

// Commit stores offsets and metadata, if we are still a member of the
// generation. Only one commit of a group is under way at a time; the others wait
// for their turn.
//
// The error is ErrFenced, a *CommitUnknown, a *CommitRefused, or another one
// that says that nothing was sent. When ctx ends while the answer is awaited, that is a
// *CommitUnknown; without a deadline in ctx, the session timeout is one.
func (gen *Generation) Commit(ctx context.Context, commits map[TopicPartition]Commit) error {
	if len(commits) == 0 {
		return nil
	}
	g := gen.g
	select {
	case g.commits <- struct{}{}:
		defer func() { <-g.commits }()
	case <-ctx.Done():
		return fmt.Errorf("not committed: %w", context.Cause(ctx))
	}
	select {
	case <-gen.expelled:
		return ErrFenced
	case <-gen.released:
		return ErrFenced
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, g.c.cfg.SessionTimeout)
	defer cancel()
	sent := new(gate)
	res, err := g.ask(ctx, gen.commitRequest(commits), newestVersion, sent)
	if err != nil {
		if sent.abandon() {
			return fmt.Errorf("not committed: %w", err)
		}
		return &CommitUnknown{err}
	}
	answer, ok := res.(*offsetcommit.Response)
	if !ok {
		return &CommitUnknown{fmt.Errorf("answered by %T", res)}
	}
	return gen.concludeCommit(commits, answer)
}

func (gen *Generation) commitRequest(commits map[TopicPartition]Commit) *offsetcommit.Request {
	byTopic := map[string][]offsetcommit.RequestPartition{}
	for tp, c := range commits {
		byTopic[tp.Topic] = append(byTopic[tp.Topic], offsetcommit.RequestPartition{
			PartitionIndex:       int32(tp.Partition),
			CommittedOffset:      c.Offset,
			CommittedLeaderEpoch: -1, // kafka-go's Client would say 0, which is an epoch
			CommittedMetadata:    c.Metadata,
		})
	}
	req := &offsetcommit.Request{
		GroupID:         gen.g.cfg.ID,
		GenerationID:    gen.id,
		MemberID:        gen.member,
		RetentionTimeMs: -1, // the broker's
	}
	for topic, partitions := range byTopic {
		req.Topics = append(req.Topics, offsetcommit.RequestTopic{Name: topic, Partitions: partitions})
	}
	return req
}

// concludeCommit judges an answer, partition by partition. The worst outcome is
// the commit's: unknown, then fenced, then refused.
func (gen *Generation) concludeCommit(commits map[TopicPartition]Commit, answer *offsetcommit.Response) error {
	left := make(map[TopicPartition]struct{}, len(commits))
	for tp := range commits {
		left[tp] = struct{}{}
	}
	var unknown, fenced error
	refusals := map[TopicPartition]error{}
	for _, t := range answer.Topics {
		for _, p := range t.Partitions {
			tp := TopicPartition{t.Name, int(p.PartitionIndex)}
			if _, asked := left[tp]; !asked {
				continue
			}
			delete(left, tp)
			code := kafka.Error(p.ErrorCode)
			gen.g.moved(code)
			switch judgeCommit(code) {
			case commitStored:
			case commitFenced:
				fenced = fmt.Errorf("%w: %w", ErrFenced, brokerError(code, tp.Topic, tp.Partition))
			case commitMaybe:
				unknown = brokerError(code, tp.Topic, tp.Partition)
			default:
				refusals[tp] = brokerError(code, tp.Topic, tp.Partition)
			}
		}
	}
	for tp := range left {
		unknown = fmt.Errorf("the answer leaves out topic %s partition %d", tp.Topic, tp.Partition)
	}
	switch {
	case unknown != nil:
		return &CommitUnknown{unknown}
	case fenced != nil:
		gen.expelBy(fenced)
		return fenced
	case len(refusals) > 0:
		return &CommitRefused{refusals}
	default:
		return nil
	}
}

type commitVerdict int

const (
	commitStored commitVerdict = iota
	commitFenced
	commitMaybe
	commitRefused
)

// judgeCommit is the one place that reads the codes of OffsetCommit. 15 and 16
// are not clear refusals: a coordinator answers so too when it appended the
// commit and then waited in vain for its replicas (15) or lost its office (16).
func judgeCommit(code kafka.Error) commitVerdict {
	switch code {
	case 0:
		return commitStored
	case kafka.IllegalGeneration, kafka.UnknownMemberId, kafka.RebalanceInProgress, kafka.FencedInstanceID:
		return commitFenced
	case kafka.RequestTimedOut, kafka.GroupCoordinatorNotAvailable, kafka.NotCoordinatorForGroup, kafka.Unknown,
		kafka.NetworkException, kafka.NotEnoughReplicas, kafka.NotEnoughReplicasAfterAppend, kafka.KafkaStorageError:
		return commitMaybe
	default:
		return commitRefused
	}
}

// expelBy closes Expelled for what a commit taught. 27 does not expel: the
// members are joining, and we may still be one of them.
func (gen *Generation) expelBy(fenced error) {
	if !errors.Is(fenced, kafka.RebalanceInProgress) {
		gen.expel.Do(func() { close(gen.expelled) })
	}
}
