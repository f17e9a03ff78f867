package connector

import (
	"bytes"
	"context"
	"fmt"
	"runtime/debug"

	"smsbridge/codec"
	"smsbridge/codec/sms"
	"smsbridge/connector/intake"
	"smsbridge/connector/journal"
	"smsbridge/connector/kafkaio"
	"smsbridge/connector/submit"
)

// open turns a record of the command topic into its work. What the journal knows
// of the command is asked here, in the order of offsets.
func (c *Connector) open(ledger *journal.Ledger, rec kafkaio.Record) intake.Work {
	cmd, err := decode(rec)
	t := &task{
		Connector: c,
		ledger:    ledger,
		rec:       rec,
		cmd:       cmd,
		fault:     err,
		ref:       journal.Ref{Offset: rec.Offset, ID: cmd.ID, Fingerprint: journal.FingerprintOf(rec.Key, rec.Value)},
	}
	t.verdict = ledger.Judge(t.ref)
	return t
}

// decode reads a record. A fault of ours that makes it panic is the record's
// misfortune alone: it is treated as one that cannot be read.
func decode(rec kafkaio.Record) (cmd sms.Command, err error) {
	in := codec.Incoming{
		Source:  sms.Position{Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset},
		At:      rec.Time,
		Key:     rec.Key,
		Value:   rec.Value,
		Headers: make([]codec.Header, len(rec.Headers)),
	}
	for i, h := range rec.Headers {
		in.Headers[i] = codec.Header{Key: h.Key, Value: h.Value}
	}
	defer func() {
		if r := recover(); r != nil {
			cmd = sms.Command{ID: fmt.Sprintf("%s:%d:%d", rec.Topic, rec.Partition, rec.Offset), Source: in.Source, Key: in.Key, At: in.At, Class: sms.Notice}
			err = fmt.Errorf("the record made the decoder fail: %T", r)
		}
	}()
	return codec.DecodeCommand(in)
}

// task is one command on its way to its result.
type task struct {
	*Connector
	ledger  *journal.Ledger
	rec     kafkaio.Record
	cmd     sms.Command
	fault   error // why the record cannot be used
	ref     journal.Ref
	verdict journal.Verdict

	run   *submit.Run // once it was begun
	guard *journal.Guard
}

// Do implements intake.Work: when it returns nothing, the result is durable.
func (t *task) Do(ctx context.Context) (*intake.Wait, error) {
	wait, err := t.settle(ctx)
	if wait == nil && err == nil {
		t.ledger.Published(t.rec.Offset)
	}
	return wait, err
}

// Drop implements intake.Work.
func (t *task) Drop() {
	if t.run != nil {
		t.run.Drop()
	}
}

func (t *task) settle(ctx context.Context) (*intake.Wait, error) {
	switch {
	case t.verdict.Kind == journal.Settled:
		return nil, nil
	case t.verdict.Kind == journal.Answered:
		return nil, t.repeat()
	case t.fault != nil:
		return nil, t.refuse()
	case t.verdict.Kind == journal.Lost:
		return nil, t.tell(t.submitter.Interrupted(&t.cmd), nil)
	case t.verdict.Kind == journal.Repeat:
		return nil, t.refuseRepeat()
	default:
		return t.carry(ctx)
	}
}

// carry has the command submitted, as far as that can be done now.
func (t *task) carry(ctx context.Context) (*intake.Wait, error) {
	result, wait, err := t.submit(ctx)
	switch {
	case err != nil:
		return nil, fmt.Errorf("command at %s/%d/%d: %w", t.rec.Topic, t.rec.Partition, t.rec.Offset, err)
	case wait != nil:
		t.forgetRecord()
		return waitOf(wait), nil
	default:
		return nil, t.tell(result, t.guard)
	}
}

// forgetRecord lets go of what the record was fetched with: a few commands that
// wait would keep whole batches in memory.
func (t *task) forgetRecord() {
	t.rec.Key, t.rec.Value, t.rec.Headers = nil, nil, nil
	t.cmd.Key = bytes.Clone(t.cmd.Key)
}

// waitOf puts a submit's wait into the terms of the intake.
func waitOf(w *submit.Wait) *intake.Wait {
	wait := &intake.Wait{Until: w.Until, For: string(w.For), On: make([]func(func()) func(), len(w.On))}
	for i, event := range w.On {
		wait.On[i] = event.Notify
	}
	return wait
}

// repeat publishes the same bytes again: the result was reached before, and
// perhaps published, but not committed.
func (t *task) repeat() error {
	message, err := t.ledger.Answer(t.work, t.verdict)
	if err != nil {
		return err
	}
	result, err := published(message)
	if err != nil {
		return err
	}
	return t.publish(message, &result)
}

// refuse tells that the record cannot be used: to those who read dead letters
// with all that it held, to those who wait for a result with what it said.
func (t *task) refuse() error {
	t.log.Warn("command cannot be used", "partition", t.rec.Partition, "offset", t.rec.Offset, "error", t.fault)
	if err := t.events.deadLetter(t.work, t.rec, t.fault); err != nil {
		return err
	}
	return t.tell(t.submitter.Invalid(&t.cmd, t.fault), nil)
}

// refuseRepeat tells that the id was used before.
func (t *task) refuseRepeat() error {
	return t.tell(t.submitter.Duplicate(&t.cmd, t.verdict.First), nil)
}

// tell writes the verdict down and publishes it. Losing it would leave the caller
// in doubt, so it is told even if the stop has come meanwhile; the work context
// bounds that.
func (t *task) tell(result *sms.Result, guard *journal.Guard) error {
	message := t.events.result(*result)
	if len(t.verdict.Inferred) > 0 { // as nobody can tell after the final done
		if err := t.events.tell(t.work, t.events.sents(result, t.cmd.SendAt, t.verdict.Inferred)...); err != nil {
			return err
		}
	}
	err := t.ledger.Finish(t.work, t.ref, guard, journal.Final{
		Status: result.Status, Revision: result.Revision, Submissions: result.Submissions,
		Message: message, Shorter: t.events.toldResult(message).remember(&message),
	})
	if err != nil {
		return err
	}
	return t.publish(message, result)
}

// publish writes a result, and whose the sendids in it are.
func (t *task) publish(message kafkaio.Message, result *sms.Result) error {
	if doubts := t.doubts(result); len(doubts) > 0 {
		if err := t.events.tell(t.work, doubts...); err != nil {
			return err
		}
	}
	return t.events.tell(t.work, append(t.events.sents(result, t.cmd.SendAt, nil), t.events.toldResult(message))...)
}

// submit brings the command on. A panic on the way may have come before or after
// the request: nobody knows, and that is what the result says.
func (t *task) submit(ctx context.Context) (result *sms.Result, wait *submit.Wait, err error) {
	defer func() {
		if r := recover(); r != nil {
			t.log.Error("a command made the connector fail", "partition", t.rec.Partition, "offset", t.rec.Offset,
				"panic", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
			result, wait, err = t.submitter.Interrupted(&t.cmd), nil, nil
		}
	}()
	if t.run == nil {
		// With one part, what came of it and what came of the command is one record
		// of the journal.
		history := t.verdict.History
		t.guard = t.ledger.Guard(t.ref, len(t.cmd.To) <= t.cfg.Submit.MaxRecipients && len(history.Parts) == 0)
		t.run = t.submitter.Begin(t.work, &t.cmd, history, t.guard)
	}
	return t.run.Step(ctx, t.work)
}
