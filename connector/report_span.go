package connector

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
	"go.opentelemetry.io/otel/trace"

	"smsbridge/codec/sms"
	"smsbridge/connector/submit"
)

// span puts a delivery report into the trace of its command, from the receipt of
// the push until it is handed to Kafka. The event itself goes on with the span of
// the command: told again after a crash it must be the same bytes.
func (e *events) span(r sms.Report) {
	if e.tracer == nil || r.Origin == nil || r.Origin.Trace.Parent == "" {
		return
	}
	_, span := e.tracer.Start(submit.Continue(context.Background(), r.Origin.Trace), "send "+e.topics.Reports,
		trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithTimestamp(r.ReceivedAt),
		trace.WithAttributes(
			semconv.MessagingSystemKafka,
			semconv.MessagingOperationName("send"),
			semconv.MessagingOperationTypeSend,
			semconv.MessagingDestinationName(e.topics.Reports),
			attribute.String("smsbridge.command.id", r.Origin.CommandID),
			attribute.String("smsbridge.report.status", string(r.Status)),
			attribute.String("smsbridge.report.correlation", string(r.Correlation)),
		))
	span.End()
}
