package provider

import (
	"context"

	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
	"go.opentelemetry.io/otel/trace"
)

// startSpan makes a client span for one attempt, by the semantic conventions for
// HTTP clients but for url.full, which may be nobody's business. Only below a span
// that is recorded: making one that is thrown away costs as much. The trace is not
// passed on, the provider is a stranger.
func (c *Client) startSpan(ctx context.Context, to *endpoint) (context.Context, trace.Span) {
	if c.tracer == nil || !trace.SpanFromContext(ctx).IsRecording() {
		return ctx, nil
	}
	return c.tracer.Start(ctx, "POST "+to.operation,
		trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(
			semconv.HTTPRequestMethodPost,
			semconv.ServerAddress(to.host),
			semconv.ServerPort(to.port),
		))
}

func endSpan(span trace.Span, status int, failure *Failure) {
	if span == nil {
		return
	}
	if status != 0 {
		span.SetAttributes(semconv.HTTPResponseStatusCode(status))
	}
	if failure != nil {
		span.SetAttributes(semconv.ErrorTypeKey.String(string(failure.Reason)))
		span.SetStatus(codes.Error, failure.Error())
	}
	span.End()
}
