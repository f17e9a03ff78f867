package connector

import (
	"context"
	"fmt"
	"time"

	"smsbridge/codec"
	"smsbridge/connector/journal"
	"smsbridge/connector/kafkaio"
)

// revise publishes the results of commands that were told as unknown and whose
// answer was read after all, by a process that had lost the partition meanwhile.
func (c *Connector) revise(ctx context.Context, tenure *journal.Tenure) error {
	for {
		r, err := tenure.NextRevision(ctx)
		if err != nil {
			return err
		}
		if err := c.reviseOne(r); err != nil {
			return fmt.Errorf("revision of the result at offset %d: %w", r.Ref.Offset, err)
		}
	}
}

func (c *Connector) reviseOne(r *journal.Revision) error {
	message := r.Previous
	result, err := published(message)
	if err != nil {
		return err
	}
	if !r.Finished {
		result = c.submitter.Revise(result, r.Parts, r.Number)
		// Beside the body everything is as it was: key, partition, trace.
		message = replaceEvent(r.Previous, codec.EncodeResult(result))
		// Before the final done: nobody can tell afterwards which sendids were
		// inferred. When it was to be sent is not known here: its deadline counts
		// from the submit.
		if err := c.events.tell(c.work, c.events.sents(&result, time.Time{}, r.Inferred)...); err != nil {
			return err
		}
		err = r.Ledger().Finish(c.work, r.Ref, nil, journal.Final{
			Status: result.Status, Revision: result.Revision, Submissions: result.Submissions,
			Message: message, Shorter: c.events.toldResult(message).remember(&message),
		})
		if err != nil {
			return err
		}
	}
	if err := c.events.tell(c.work, c.events.toldResult(message)); err != nil {
		return err
	}
	r.Ledger().Revised(r)
	return nil
}

// replaceEvent is the record with another event in it, in the same place.
func replaceEvent(m kafkaio.Message, e codec.Event) kafkaio.Message {
	replaced := m
	replaced.Value = e.Body
	replaced.Headers = make([]kafkaio.Header, 0, len(m.Headers))
	fresh := map[string][]byte{}
	for _, h := range e.Headers() {
		fresh[h.Key] = h.Value
	}
	for _, h := range m.Headers {
		if value, ok := fresh[h.Key]; ok {
			h.Value = value
		}
		replaced.Headers = append(replaced.Headers, h)
	}
	return replaced
}
