package connector

import (
	"context"
	"strconv"
	"sync/atomic"

	"go.opentelemetry.io/otel/trace"

	"smsbridge/codec"
	"smsbridge/codec/sms"
	"smsbridge/connector/kafkaio"
	"smsbridge/connector/push"
)

// events publishes what happened. Everything it returns nil for is on every
// in-sync replica.
type events struct {
	producer *kafkaio.Producer
	topics   Topics
	numbers  codec.Numbers
	metrics  *metrics
	tracer   trace.Tracer                   // nil: nobody exports traces
	counts   atomic.Pointer[map[string]int] // partitions of each topic, as last looked up
}

// count learns how many partitions the topics have now, to choose among.
func (e *events) count(topics map[string]kafkaio.Topic) {
	counts := make(map[string]int, len(topics))
	for name, t := range topics {
		counts[name] = t.Partitions
	}
	e.counts.Store(&counts)
}

// partition chooses that of a command's result or report: the command's own
// where the topics have as many and the record had a key, so that they can be
// joined without moving data; else by the key of the event.
func (e *events) partition(topic string, command sms.Position, key []byte) int {
	counts := e.counts.Load()
	if key == nil || counts == nil || (*counts)[topic] == 0 || (*counts)[topic] != (*counts)[e.topics.Commands] {
		return kafkaio.AnyPartition
	}
	return command.Partition
}

// message makes a record of an event.
func (e *events) message(topic string, partition int, event codec.Event) kafkaio.Message {
	headers := event.Headers()
	m := kafkaio.Message{Topic: topic, Partition: partition, Key: event.Key, Value: event.Body, Headers: make([]kafkaio.Header, len(headers))}
	for i, h := range headers {
		m.Headers[i] = kafkaio.Header{Key: h.Key, Value: h.Value}
	}
	return m
}

// result makes the record of a result.
func (e *events) result(r sms.Result) kafkaio.Message {
	return e.message(e.topics.Results, e.partition(e.topics.Results, r.Command, r.CommandKey), codec.EncodeResult(r))
}

// report makes the record of a delivery report, or its short form.
func (e *events) report(r sms.Report, short bool) kafkaio.Message {
	encode := codec.EncodeShortReport
	if !short {
		e.span(r)
		encode = codec.EncodeReport
	}
	partition := kafkaio.AnyPartition
	if r.Origin != nil {
		partition = e.partition(e.topics.Reports, r.Origin.Command, r.Origin.Key)
	}
	return e.message(e.topics.Reports, partition, encode(e.numbers, r))
}

// inbound makes the record of a message from a phone.
func (e *events) inbound(m sms.Inbound) kafkaio.Message {
	return e.message(e.topics.Inbound, kafkaio.AnyPartition, codec.EncodeInbound(e.numbers, m))
}

// deadPush makes the dead letter of a push: its raw body, with the query in a
// header; the query itself where all was said there.
func (e *events) deadPush(raw push.Raw, cause error) kafkaio.Message {
	raw.Push = raw.WithoutCredentials() // dead letters are kept for weeks, and read by many
	m := kafkaio.Message{
		Topic: e.topics.DeadLetter, Partition: kafkaio.AnyPartition, Value: raw.Body,
		Headers: []kafkaio.Header{
			{Key: "smsbridge-error", Value: []byte(cause.Error())},
			{Key: "smsbridge-push", Value: []byte(raw.Kind)},
		},
	}
	switch {
	case len(raw.Body) == 0:
		m.Value = []byte(raw.Query)
	case raw.Query != "":
		m.Headers = append(m.Headers, kafkaio.Header{Key: "smsbridge-query", Value: []byte(raw.Query)})
	}
	return m
}

// deadRecord makes the dead letter of a record, which keeps all that
// the record had.
func (e *events) deadRecord(rec kafkaio.Record, cause error) kafkaio.Message {
	headers := make([]kafkaio.Header, 0, len(rec.Headers)+4)
	headers = append(headers, rec.Headers...)
	headers = append(headers,
		kafkaio.Header{Key: "smsbridge-error", Value: []byte(cause.Error())},
		kafkaio.Header{Key: "smsbridge-topic", Value: []byte(rec.Topic)},
		kafkaio.Header{Key: "smsbridge-partition", Value: strconv.AppendInt(nil, int64(rec.Partition), 10)},
		kafkaio.Header{Key: "smsbridge-offset", Value: strconv.AppendInt(nil, rec.Offset, 10)})
	return kafkaio.Message{Topic: e.topics.DeadLetter, Partition: kafkaio.AnyPartition, Key: rec.Key, Value: rec.Value, Headers: headers}
}

// publish writes messages and returns when they are durable.
func (e *events) publish(ctx context.Context, messages ...kafkaio.Message) error {
	_, err := e.producer.Produce(ctx, messages...)
	return err
}

// deadLetter keeps a record that cannot be used.
func (e *events) deadLetter(ctx context.Context, rec kafkaio.Record, cause error) error {
	err := e.tell(ctx, e.toldDeadRecord(rec, cause))
	if err == nil {
		e.metrics.deadLetter(ctx, fromCommand, cause)
	}
	return err
}
