package connector

import (
	"bytes"
	"slices"
	"time"

	"smsbridge/codec"
	"smsbridge/codec/sms"
	"smsbridge/connector/correlate"
	"smsbridge/connector/kafkaio"
)

// sents tell the correlators whose the sendids of a result are. They are written
// together with the result, and again with it: a result that is published and
// sendids that are not would leave its reports orphans.
// The parts in inferred were concluded from a report.
func (e *events) sents(r *sms.Result, sendAt time.Time, inferred []int) []told {
	var all []told
	for i := range r.Submissions {
		s := &r.Submissions[i]
		if s.ProviderMessageID == "" {
			continue
		}
		sent := correlate.Sent{
			SendID: s.ProviderMessageID,
			Origin: sms.Origin{
				CommandID: r.CommandID, Command: r.Command, Key: r.CommandKey, Class: r.Class, Metadata: r.Metadata,
				SubmittedAt: s.SubmittedAt, Trace: r.Trace,
			},
			Recipients: s.Accepted,
			SendAt:     sendAt,
			Inferred:   slices.Contains(inferred, s.Part),
		}
		all = append(all, told{correlate.SentRecord(e.topics.Sendids, sent), func(cuts int) (kafkaio.Message, bool) {
			if cuts > len(originCuts) {
				return kafkaio.Message{}, false
			}
			originCuts[cuts-1](&sent.Origin)
			return correlate.SentRecord(e.topics.Sendids, sent), true
		}})
	}
	return all
}

// published reads a result back from its record.
func published(m kafkaio.Message) (sms.Result, error) {
	r, err := codec.DecodeResult(m.Value)
	if err != nil {
		return r, err
	}
	// The key of a command without one is its id; then nothing is lost by taking
	// it for none.
	if !bytes.Equal(m.Key, []byte(r.CommandID)) {
		r.CommandKey = m.Key
	}
	for _, h := range m.Headers {
		switch h.Key {
		case "traceparent":
			r.Trace.Parent = string(h.Value)
		case "tracestate":
			r.Trace.State = string(h.Value)
		}
	}
	return r, nil
}
