package journal

import (
	"context"
	"fmt"

	"smsbridge/codec/sms"
	"smsbridge/connector/kafkaio"
	"smsbridge/connector/submit"
)

// The order of the steps is the guarantee. It stands here and nowhere else; what
// a step does stands in the other files. The model (folder model) plays this
// order against crashes, freezes and late messages, and finds a counterexample
// for each step that is left out or moved.
//
// The coordinator is the only witness that two processes share. It accepts a
// commit only in the newest generation. So a commit that succeeded at some time
// T proves that nobody had joined later until T: every successor joins after T,
// and whatever was durable before T it finds when it reads after joining.
//
// Never twice. A POST follows a fence, a fence follows the acked intent. Take
// any other process that could submit the same part: it has joined later. It
// listed the journal's end after joining, so it replayed the intent. It read
// the metadata after joining, and commits of the older generation failed from
// then on, so it read a fenced position above the intent. Therefore it takes the
// part for perhaps sent and does not send it (or once more, flagged, where the
// user asked for that). Nothing can hide the intent from it: a release names the
// intent's position, and is written only by its owner, who did not POST, or by a
// successor for what cannot have been fenced.
//
// Never lost. The offset is committed behind results only, and results follow
// their final done. An intent that was not fenced cannot have been submitted,
// and is known to be so, because the owner's own commit comes before its first
// intent: a journal with intents and without metadata is one whose metadata was
// lost, and then everything open is in doubt.
//
// One truth. Only "accepted" is a fact that holds whoever tells it. Everything
// else is a decision that another owner may have made otherwise. So such a
// result waits until a fence covers its final done: every later owner then finds
// it. A final done that was never fenced is void where the journal knows of a
// submit that it does not account for.

// takeOver makes the partitions ours, after the generation was joined.
func (t *Tenure) takeOver(ctx context.Context, partitions []int) error {
	if err := t.look(ctx, partitions); err != nil {
		return err
	}
	t.reportHalts()
	t.reached(afterReplay)
	if err := t.confirm(ctx); err != nil { // before releasing: a zombie that comes late to its take-over must not release its successor's intents
		return err
	}
	if err := t.releaseUnsent(ctx); err != nil { // before our own commit: after it nobody can tell them from fenced ones
		return err
	}
	t.reached(afterReleases)
	if err := t.firstCommit(ctx); err != nil { // before any intent: none stands in a journal without metadata
		return err
	}
	t.reached(afterTakeOver)
	return nil
}

// look learns all that there is to know, and changes nothing.
func (t *Tenure) look(ctx context.Context, partitions []int) error {
	if err := t.readCommitted(ctx, partitions); err != nil { // after joining: commits of older generations fail from here on
		return err
	}
	t.reached(afterRead)
	if err := t.haltMissing(ctx); err != nil {
		return err
	}
	return t.each(ctx, func(ctx context.Context, l *Ledger) error {
		if err := l.listEnd(ctx); err != nil { // after joining: an intent that is not below was never fenced
			return err
		}
		t.reached(afterList)
		if err := l.replay(ctx); err != nil {
			return err
		}
		again, err := l.consult(ctx) // an operator may have decided about what halts
		if err != nil || !again {
			return err
		}
		if err := l.listEnd(ctx); err != nil {
			return err
		}
		return l.replay(ctx)
	})
}

// begin is the way to a POST. It returns when the POST is allowed.
func (g *Guard) begin(ctx context.Context, a submit.Attempt) (*permit, error) {
	t := g.ledger.tenure
	if err := t.alive(); err != nil {
		return nil, err
	}
	t.reached(beforeIntent)
	g.flush()
	p := g.writeIntent(a)
	if err := p.awaitFence(ctx); err != nil { // acked, then covered by a commit that was sent after the ack
		p.abandon()
		return nil, err
	}
	t.reached(afterPermit)
	return p, nil
}

// finish is the way to a result. It returns when the result may be told.
func (l *Ledger) finish(ctx context.Context, r *record) error {
	t := l.tenure
	if err := t.alive(); err != nil {
		l.writeFact(r) // what the provider said is true whoever owns the partition
		return err
	}
	at, err := l.write(ctx, r)
	if err != nil {
		return fmt.Errorf("final done not durable: %w", err)
	}
	t.reached(afterDone)
	if r.status != sms.Accepted { // a decision binds others only when it is fenced
		if err := l.awaitFence(ctx, at); err != nil {
			return err
		}
	}
	if err := t.alive(); err != nil { // after losing the generation only facts are written, no result
		return err
	}
	t.reached(afterFinal)
	return nil
}

// commit sends what changed and says what the answer means. It is called for one
// commit at a time: two on their way could come into force in the wrong order.
func (t *Tenure) commit(ctx context.Context, batch map[kafkaio.TopicPartition]kafkaio.Commit) error {
	t.reached(beforeFence)
	err := t.judge(t.gen.Commit(ctx, batch))
	if err == nil {
		t.reached(afterFence)
	}
	return err
}
