package connector

import (
	"context"
	"fmt"
	"runtime/debug"

	"smsbridge/codec"
	"smsbridge/codec/sms"
	"smsbridge/connector/intake"
	"smsbridge/connector/kafkaio"
	"smsbridge/connector/submit"
)

// open turns a record of the command topic into its work.
func (c *Connector) open(rec kafkaio.Record) intake.Work {
	cmd, err := decode(rec)
	return func(ctx context.Context) error {
		if err != nil {
			return c.refuse(rec, cmd, err)
		}
		return c.handle(ctx, rec, cmd)
	}
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

// handle brings a command to its end: when it returns nil, its result is durable.
func (c *Connector) handle(ctx context.Context, rec kafkaio.Record, cmd sms.Command) error {
	result, err := c.submit(ctx, cmd)
	if err != nil {
		return fmt.Errorf("command at %s/%d/%d: %w", rec.Topic, rec.Partition, rec.Offset, err)
	}
	c.remember(&cmd, &result)
	// The verdict exists. Losing it would leave the caller in doubt, so it is
	// published even if ctx has ended meanwhile; the work context bounds that.
	return c.events.publish(c.work, c.events.result(result))
}

// submit asks for the command's result. A panic on the way may have come before
// or after the request: nobody knows, and that is what the result says.
func (c *Connector) submit(ctx context.Context, cmd sms.Command) (result sms.Result, err error) {
	defer func() {
		if r := recover(); r != nil {
			c.log.Error("a command made the connector fail", "partition", cmd.Source.Partition, "offset", cmd.Source.Offset,
				"panic", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
			result, err = c.submitter.Interrupted(cmd), nil
		}
	}()
	return c.submitter.Submit(ctx, c.work, cmd, submit.History{}, unguarded{})
}

// refuse tells that a record cannot be used: to those who read dead letters with
// all that it held, to those who wait for a result with what it said.
func (c *Connector) refuse(rec kafkaio.Record, cmd sms.Command, cause error) error {
	c.log.Warn("command cannot be used", "partition", rec.Partition, "offset", rec.Offset, "error", cause)
	if err := c.events.deadLetter(c.work, rec, cause); err != nil {
		return err
	}
	return c.events.publish(c.work, c.events.result(c.submitter.Invalid(cmd, cause)))
}

// remember lets the reports of this process's submits find their command.
func (c *Connector) remember(cmd *sms.Command, result *sms.Result) {
	var origin *sms.Origin
	for i := range result.Submissions {
		s := &result.Submissions[i]
		if s.ProviderMessageID == "" {
			continue
		}
		if origin == nil {
			origin = &sms.Origin{
				CommandID: cmd.ID, Command: cmd.Source, Key: cmd.Key, Class: cmd.Class, Metadata: cmd.Metadata,
				SubmittedAt: s.SubmittedAt, Trace: result.Trace,
			}
		}
		c.recent.Remember(s.ProviderMessageID, origin)
	}
}

// unguarded permits every attempt: within one process no second sender exists.
type unguarded struct{}

func (unguarded) Begin(context.Context, submit.Attempt) (submit.Permit, error) {
	return unguarded{}, nil
}
func (unguarded) Valid() bool                                { return true }
func (unguarded) Release(context.Context) error              { return nil }
func (unguarded) Done(context.Context, sms.Submission) error { return nil }
