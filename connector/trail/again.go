package trail

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"smsbridge/codec"
	"smsbridge/codec/sms"
	"smsbridge/codec/wire"
	"smsbridge/connector/kafkaio"
)

// Again is a command as it is put on its topic again: the record as it came,
// with another id and, where that is wanted, another validity.
type Again struct {
	Chosen
	Message    kafkaio.Message
	Recipients int
	Segments   int // of all recipients together; 0 where the text cannot be measured
}

// Renewal says what is changed beside the id.
type Renewal struct {
	ValidFor  time.Duration // from when a record is read; 0: expires_at stays as it is
	Signature string        // of commands that have none, for counting segments
}

// Fetch reads the records of chosen commands, which must be in the order of
// Choose, and visits each as it would be written; nothing is written here. Left
// counts those that cannot be.
func Fetch(ctx context.Context, r Reader, chosen []Chosen, n Renewal, visit func(Again) error) (Left, error) {
	left := Left{}
	for len(chosen) > 0 {
		run := runOf(chosen)
		if err := r.fetchRun(ctx, chosen[:run], func(c Chosen, rec *kafkaio.Record) error {
			again, why := n.again(c, rec)
			if why != "" {
				left[why]++
				return nil
			}
			return visit(again)
		}); err != nil {
			return left, err
		}
		chosen = chosen[run:]
	}
	return left, nil
}

// farApart is from how many records on it is cheaper to ask for the next one
// than to read over what lies between.
const farApart = 5000

// runOf counts how many of the chosen are read in one go.
func runOf(chosen []Chosen) int {
	for i := 1; i < len(chosen); i++ {
		a, b := chosen[i-1].Command, chosen[i].Command
		if a.Partition != b.Partition || b.Offset-a.Offset > farApart {
			return i
		}
	}
	return len(chosen)
}

// fetchRun visits the records of commands in one partition; nil for one that is
// gone.
func (r Reader) fetchRun(ctx context.Context, run []Chosen, visit func(Chosen, *kafkaio.Record) error) error {
	topic, partition := run[0].Command.Topic, run[0].Command.Partition
	wanted := 0
	pass := func(below int64) error { // those below are not there any more
		for ; wanted < len(run) && run[wanted].Command.Offset < below; wanted++ {
			if err := visit(run[wanted], nil); err != nil {
				return err
			}
		}
		return nil
	}
	from, to := run[0].Command.Offset, run[len(run)-1].Command.Offset+1
	end, err := r.Kafka.StableOffset(ctx, topic, partition) // lower than to where the topic was made anew
	if err != nil {
		return err
	}
	err = r.between(ctx, topic, partition, from, min(to, end), func(rec *kafkaio.Record) error {
		if err := pass(rec.Offset); err != nil {
			return err
		}
		if wanted < len(run) && run[wanted].Command.Offset == rec.Offset {
			wanted++
			return visit(run[wanted-1], rec)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return pass(to)
}

// again makes the record, or says why not.
func (n Renewal) again(c Chosen, rec *kafkaio.Record) (Again, string) {
	if rec == nil {
		return Again{}, LeftGone
	}
	cmd, err := decodeCommand(rec)
	switch {
	case cmd.ID != c.OldID:
		return Again{}, LeftOther
	case err != nil:
		return Again{}, LeftUnusable
	case n.ValidFor == 0 && !cmd.ExpiresAt.IsZero() && !cmd.ExpiresAt.After(time.Now()):
		return Again{}, LeftExpired
	}
	value, err := n.rewrite(rec.Value, c.NewID)
	switch {
	case err != nil:
		return Again{}, LeftUnusable
	case len(value) > codec.MaxValue:
		return Again{}, LeftTooLarge
	}
	a := Again{Chosen: c, Recipients: recipients(&cmd), Message: kafkaio.Message{
		// Where the first round stands, so that repeats of this one are known.
		Topic: rec.Topic, Partition: rec.Partition, Key: rec.Key, Value: value, Headers: rec.Headers,
	}}
	sign := cmd.Signature
	if sign == "" {
		sign = n.Signature
	}
	if text, err := wire.MeasureText(cmd.Text, sign); err == nil {
		a.Segments = text.Segments * a.Recipients
	}
	return a, ""
}

// rewrite changes the fields and leaves all others as they are.
func (n Renewal) rewrite(value []byte, id string) ([]byte, error) {
	var prefix []byte
	if len(value) > 0 && value[0] == 0 { // of a schema registry
		const length = 5
		prefix, value = value[:min(length, len(value))], value[min(length, len(value)):]
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(value, &fields); err != nil {
		return nil, err
	}
	set := func(name, text string) {
		fields[name], _ = json.Marshal(text) // a string never fails
	}
	set("id", id)
	if n.ValidFor > 0 {
		set("expires_at", stamp(time.Now().Add(n.ValidFor)))
	}
	changed, err := json.Marshal(fields)
	return append(bytes.Clone(prefix), changed...), err
}

func recipients(cmd *sms.Command) int {
	seen := map[string]bool{}
	for _, number := range cmd.To {
		if digits, ok := wire.NormalizeNumber(number); ok {
			seen[digits] = true
		}
	}
	return len(seen)
}
