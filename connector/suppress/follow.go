package suppress

import (
	"context"
	"errors"
	"time"

	"smsbridge/codec"
	"smsbridge/codec/sms"
	"smsbridge/connector/kafkaio"
)

// againAfter is the pause after the topic could not be read.
const againAfter = time.Second

// Follower keeps a list true to its topic.
type Follower struct {
	List   *List
	Client *kafkaio.Client
	Topic  string

	records *kafkaio.Follower
}

// CatchUp reads what stands in the topic. It fails with ErrForeignKey where there
// are suppressions whose people would not be recognised.
func (f *Follower) CatchUp(ctx context.Context) error {
	f.List.forget()
	f.records = &kafkaio.Follower{Client: f.Client, Topic: f.Topic, Take: f.List.take}
	if err := f.records.CatchUp(ctx); err != nil {
		return err
	}
	return f.List.check()
}

// Run follows the topic after CatchUp, until ctx ends. What cannot be read now is
// tried again, and what was read stays in force meanwhile.
func (f *Follower) Run(ctx context.Context) error {
	for {
		err := f.records.Run(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // asked to stop
		}
		f.List.log.Error("suppressions cannot be read, those known stay in force; trying again", "topic", f.Topic, "error", err)
		for err != nil {
			select {
			case <-time.After(againAfter):
			case <-ctx.Done():
				return nil
			}
			f.records = &kafkaio.Follower{Client: f.Client, Topic: f.Topic, Take: f.List.take}
			if err = f.records.CatchUp(ctx); errors.Is(err, context.Canceled) {
				return nil
			}
		}
	}
}

// All reads every suppression of a topic, for those who list them.
func All(ctx context.Context, client *kafkaio.Client, topic string, take func(Suppression)) error {
	latest := make(map[string]Suppression)
	// The records of one person and class stand in one partition, and partitions are
	// taken side by side.
	records := make(chan kafkaio.Record)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for rec := range records {
			s, _, err := decode(&rec)
			switch {
			case err != nil:
			case rec.Value == nil:
				delete(latest, string(rec.Key))
			default:
				latest[string(rec.Key)] = s
			}
		}
	}()
	follower := kafkaio.Follower{Client: client, Topic: topic, Take: func(rec *kafkaio.Record) { records <- *rec }}
	err := follower.CatchUp(ctx)
	close(records)
	<-done
	if err != nil {
		return err
	}
	for _, s := range latest {
		take(s)
	}
	return nil
}

// Desired returns the records that an inbound message asks for: a suppression of
// each class for an opt_out, its end for an opt_in. A push of several records may
// hold a record that is another one's text, so nothing is lifted by it, nor by a
// message that can be read in two ways; an opt_out counts either way.
func Desired(topic string, key codec.HashKey, classes []sms.Class, m *sms.Inbound, alone bool) []kafkaio.Message {
	if m.Keyword != sms.OptOut && m.Keyword != sms.OptIn {
		return nil
	}
	person := PersonOf(key, m.From)
	var messages []kafkaio.Message
	for _, class := range classes {
		switch {
		case m.Keyword == sms.OptOut:
			messages = append(messages, AddRecord(topic, key, Suppression{Class: class, Person: person, At: m.ReceivedAt, By: ByPerson}))
		case m.Keyword == sms.OptIn && alone && m.Confidence == sms.High:
			messages = append(messages, LiftRecord(topic, class, person))
		}
	}
	return messages
}
