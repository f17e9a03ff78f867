package submit

import (
	"context"
	"encoding/hex"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"smsbridge/codec/sms"
)

// tracing makes one span for each command, by the semantic conventions for
// messaging but for the key of the record, which may be a number. It does nothing
// at all, parsing included, while nobody exports traces.
type tracing struct {
	tracer trace.Tracer
	group  string
}

func newTracing(t trace.Tracer, group string) tracing {
	if _, off := t.(noop.Tracer); off {
		return tracing{}
	}
	return tracing{t, group}
}

// Continue makes the trace that came with a command the one of ctx. Without one
// it returns ctx.
func Continue(ctx context.Context, t sms.Trace) context.Context {
	if t.Parent == "" {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": t.Parent, "tracestate": t.State})
}

// span is the span of a command; its zero value is none.
type span struct{ trace.Span }

// start continues the trace that came with the command.
func (t tracing) start(ctx context.Context, cmd *sms.Command) span {
	if t.tracer == nil {
		return span{}
	}
	_, s := t.tracer.Start(Continue(ctx, cmd.Trace), "process "+cmd.Source.Topic,
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(
			semconv.MessagingSystemKafka,
			semconv.MessagingOperationName("process"),
			semconv.MessagingOperationTypeProcess,
			semconv.MessagingDestinationName(cmd.Source.Topic),
			semconv.MessagingDestinationPartitionID(strconv.Itoa(cmd.Source.Partition)),
			semconv.MessagingKafkaOffset(int(cmd.Source.Offset)),
			semconv.MessagingConsumerGroupName(t.group),
		))
	if !s.IsRecording() {
		return span{}
	}
	return span{s}
}

// within makes the span the one of ctx.
func (s span) within(ctx context.Context) context.Context {
	if s.Span == nil {
		return ctx
	}
	return trace.ContextWithSpan(ctx, s.Span)
}

// trace is what the result carries on: this span, or what came with the command.
func (s span) trace(parent sms.Trace) sms.Trace {
	if s.Span == nil {
		return parent
	}
	c := s.SpanContext()
	id, by, flags := c.TraceID(), c.SpanID(), byte(c.TraceFlags())
	b := make([]byte, 0, 55)
	b = append(b, "00-"...)
	b = hex.AppendEncode(b, id[:])
	b = append(b, '-')
	b = hex.AppendEncode(b, by[:])
	b = append(b, '-')
	b = hex.AppendEncode(b, []byte{flags})
	return sms.Trace{Parent: string(b), State: c.TraceState().String()}
}

func (s span) tell(r *sms.Result) {
	if s.Span == nil {
		return
	}
	s.SetAttributes(
		attribute.String("smsbridge.command.id", r.CommandID),
		attribute.String("smsbridge.result.status", string(r.Status)),
		attribute.String("smsbridge.result.reason", string(r.Reason)),
		attribute.Int("smsbridge.recipients", r.Recipients),
	)
}

func (s span) fail() {
	if s.Span != nil {
		s.SetStatus(codes.Error, "not decided")
	}
}

func (s span) end() {
	if s.Span != nil {
		s.End()
	}
}
