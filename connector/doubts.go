package connector

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"smsbridge/codec/sms"
	"smsbridge/connector/correlate"
	"smsbridge/connector/evidence"
	"smsbridge/connector/kafkaio"
)

// doubts are what correlators must know of a result that says unknown: a report
// that nobody else explains may then be the answer. They are durable before the
// result is told.
func (t *task) doubts(result *sms.Result) []told {
	topic := t.cfg.Topics.Doubts
	if topic == "" {
		return nil // others submit on this account too
	}
	var all []told
	var numbers []string
	for i := range result.Submissions {
		s := &result.Submissions[i]
		if s.Status != sms.Unknown {
			continue
		}
		if numbers == nil {
			numbers = t.submitter.Recipients(&t.cmd)
		}
		if s.First < 0 || s.Last >= len(numbers) || s.Last < s.First {
			continue // not a part of this command as it is read now
		}
		d := evidence.Doubt{
			Topic: t.rec.Topic, Partition: t.rec.Partition, Ref: t.ref, Part: s.Part, First: s.First, Last: s.Last,
			From: began(s, &t.cmd), Until: ended(s),
		}
		for _, number := range numbers[s.First : s.Last+1] {
			d.Numbers = append(d.Numbers, evidence.NumberOf(t.cfg.Numbers.Key, number))
		}
		all = append(all, toldDoubt(topic, d))
	}
	return all
}

// began is the latest time that is certainly before the part's first attempt.
// Where there was more than one, or another process made it, that is when the
// command was produced.
func began(s *sms.Submission, cmd *sms.Command) time.Time {
	if s.Reason != sms.Interrupted && s.Attempts == 1 && !s.PossibleDuplicate && !s.SubmittedAt.IsZero() {
		return s.SubmittedAt
	}
	return cmd.At
}

// ended is when the part's last attempt ended, zero where nobody saw that.
func ended(s *sms.Submission) time.Time {
	if s.Reason == sms.Interrupted || s.SubmittedAt.IsZero() {
		return time.Time{}
	}
	return s.SubmittedAt.Add(s.Latency)
}

// settlePause is how often it is told how far nothing is open. A report is held
// against the doubts only when no other doubt can come that would fit as well.
const settlePause = 5 * time.Second

// settle tells the correlators up to when every attempt in our partitions is told.
func (c *Connector) settle(ctx context.Context, parts map[int]*assigned) error {
	if c.cfg.Topics.Doubts == "" {
		return nil
	}
	tick := time.NewTicker(settlePause)
	defer tick.Stop()
	told := make(map[int]time.Time, len(parts))
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		var messages []kafkaio.Message
		for id, p := range parts {
			if until := p.ledger.Settled(); until.After(told[id]) {
				told[id] = until
				messages = append(messages, evidence.SettledRecord(c.cfg.Topics.Doubts, c.cfg.Topics.Commands, id, until))
			}
		}
		if len(messages) == 0 {
			continue
		}
		if err := c.events.publish(ctx, messages...); err != nil && ctx.Err() == nil {
			c.log.Warn("not told how far nothing is in doubt, trying again", "error", err)
			clear(told)
		}
	}
}

// clues are the doubts of all partitions, for a correlator.
type clues struct {
	*Connector
	index *evidence.Index
}

func newClues(c *Connector) *clues {
	return &clues{c, evidence.NewIndex(c.cfg.Topics.Commands, 0, c.cfg.Kept.ReportDeadline)}
}

// askPause is how often unclaimed reports are looked at again. Something comes all
// the time, and each look reads all of them from their topic.
const askPause = 30 * time.Second

// follow reads the doubts, and has unclaimed reports looked at again when something
// came. Before everything is read, nothing is settled in the index, and it
// answers nothing.
func (c *clues) follow(ctx context.Context) error {
	var heard atomic.Bool
	doubts := &kafkaio.Follower{Client: c.kafka, Topic: c.cfg.Topics.Doubts, Take: func(rec *kafkaio.Record) {
		if err := c.index.Read(time.Now(), rec.Value); err != nil {
			c.log.Error("a doubt cannot be read, reports explain nothing for a time", "partition", rec.Partition, "offset", rec.Offset, "error", err)
		}
		heard.Store(true)
	}}
	if err := doubts.CatchUp(ctx); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return doubts.Run(ctx) })
	g.Go(func() error {
		tick := time.NewTicker(askPause)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if heard.Swap(false) {
					c.correlator.Ask()
				}
			case <-ctx.Done():
				return nil
			}
		}
	})
	return g.Wait()
}

// ask finds out whether an unclaimed report is the answer to a doubt, and tells
// the owner of the command's partition, who alone revises.
func (c *clues) ask(ctx context.Context, u correlate.Unclaimed) (bool, error) {
	if counts := c.events.counts.Load(); counts != nil {
		c.index.Expect((*counts)[c.cfg.Topics.Commands])
	}
	for _, mobile := range u.Mobiles {
		d, ok := c.match(u.SendID, mobile)
		if !ok {
			continue
		}
		c.log.Info("a delivery report is evidence that a submit in doubt was accepted",
			"partition", d.Partition, "offset", d.Ref.Offset, "part", d.Part, "provider_message_id", u.SendID)
		return true, c.journal.Evidence(ctx, d.Partition, d.Evidence(u.SendID))
	}
	return false, nil
}

// match finds the doubt that a report explains. It may have been written under the
// previous key.
func (c *clues) match(sendid, mobile string) (evidence.Doubt, bool) {
	for _, key := range c.cfg.numberKeys() {
		if d, ok := c.index.Match(time.Now(), sendid, evidence.NumberOf(key, mobile)); ok {
			return d, true
		}
	}
	return evidence.Doubt{}, false
}
