package connector

import (
	"context"
	"errors"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"

	"smsbridge/codec"
	"smsbridge/codec/wire"
	"smsbridge/connector/control"
	"smsbridge/connector/push"
)

// metrics counts what the parts do not count themselves. Labels are enumerations
// and partition numbers, never anything that a record or a push says.
type metrics struct {
	deadLetters metric.Int64Counter
}

// Where a dead letter came from: the command topic, or one of the pushes.
const fromCommand = "command"

func fromPush(k push.Kind) string { return "push_" + string(k) }

// Why it is one.
const (
	unreadable    = "unreadable"     // nothing that we would understand
	decoderFailed = "decoder_failed" // a fault of ours that it has found
)

func causeKind(err error) string {
	var command *codec.Invalid
	var pushed *wire.Unreadable
	if errors.As(err, &command) || errors.As(err, &pushed) {
		return unreadable
	}
	return decoderFailed
}

func (m *metrics) deadLetter(ctx context.Context, source string, cause error) {
	m.deadLetters.Add(ctx, 1, metric.WithAttributes(
		attribute.String("source", source), attribute.String("cause", causeKind(cause))))
}

// begin lets the series of every dead letter there can be begin at 0: the first
// one would not be seen as an increase otherwise.
func (m *metrics) begin() {
	for _, source := range []string{fromCommand, fromPush(push.Report), fromPush(push.Inbound)} {
		for _, cause := range []string{unreadable, decoderFailed} {
			m.deadLetters.Add(context.Background(), 0, metric.WithAttributes(
				attribute.String("source", source), attribute.String("cause", cause)))
		}
	}
}

// newMetrics makes the instruments. What can be looked at is not counted again
// but observed.
func (c *Connector) newMetrics(meter metric.Meter) (*metrics, error) {
	m := &metrics{}
	errs := make([]error, 10)
	m.deadLetters, errs[0] = meter.Int64Counter("smsbridge.dead_letters", metric.WithUnit("{record}"),
		metric.WithDescription("Records and pushes that went to the dead letters, by source and cause."))
	consumed, err := meter.Int64ObservableCounter("messaging.client.consumed.messages", metric.WithUnit("{message}"),
		metric.WithDescription("Commands that work was begun on, repeats after a rebalance included."))
	errs[1] = err
	generations, err := meter.Int64ObservableCounter("smsbridge.group.assignments", metric.WithUnit("{assignment}"),
		metric.WithDescription("Assignments of partitions to this process. Many for few deployments: the group is restless."))
	errs[2] = err
	running, err := meter.Int64ObservableGauge("smsbridge.commands.in_progress", metric.WithUnit("{command}"),
		metric.WithDescription("Commands being worked on, waits for a retry or for the line included."))
	errs[3] = err
	lag, err := meter.Int64ObservableGauge("smsbridge.partition.lag", metric.WithUnit("{record}"),
		metric.WithDescription("Records of the command topic that are not finished, by partition. Only the owner tells."))
	errs[4] = err
	inFlight, err := meter.Int64ObservableGauge("smsbridge.partition.in_flight", metric.WithUnit("{record}"),
		metric.WithDescription("Records fetched and not below the watermark yet, by partition."))
	errs[5] = err
	halted, err := meter.Int64ObservableGauge("smsbridge.partition.halted", metric.WithUnit("1"),
		metric.WithDescription("1 for a partition that stands still until somebody decides, else 0."))
	errs[6] = err
	oldest, err := meter.Float64ObservableGauge("smsbridge.partition.oldest", metric.WithUnit("s"),
		metric.WithDescription("Age of the oldest fetched command that is not finished, by partition; 0 where there is none."))
	errs[7] = err
	errs[8] = c.newGauges(meter)
	deleted, err := meter.Int64ObservableCounter("smsbridge.partition.deleted", metric.WithUnit("{record}"),
		metric.WithDescription("Offsets of the command topic that were deleted before they were read, by partition, since it was assigned."))
	errs = append(errs, err)
	waiting, err := meter.Int64ObservableGauge("smsbridge.commands.waiting", metric.WithUnit("{command}"),
		metric.WithDescription("Fetched commands that wait and hold nothing meanwhile, by what for: a reason of results, backoff or reopening."))
	errs = append(errs, err)
	held, err := meter.Int64ObservableGauge("smsbridge.commands.held", metric.WithUnit("1"),
		metric.WithDescription("1 for a class whose commands an operator holds, else 0."))
	errs[9] = err
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	m.begin()

	messaging := metric.WithAttributeSet(attribute.NewSet(
		semconv.MessagingSystemKafka,
		semconv.MessagingOperationName("process"),
		semconv.MessagingDestinationName(c.cfg.Topics.Commands),
		semconv.MessagingConsumerGroupName(c.cfg.Group),
	))
	_, err = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(consumed, c.pool.Begun(), messaging)
		o.ObserveInt64(running, int64(c.pool.Running()))
		o.ObserveInt64(generations, c.owned.assignments())
		for what, count := range c.pool.Waiting() {
			o.ObserveInt64(waiting, int64(count), metric.WithAttributes(attribute.String("for", what)))
		}
		for _, p := range c.owned.status() {
			partition := metric.WithAttributes(attribute.String("partition", strconv.Itoa(p.Partition)))
			o.ObserveInt64(lag, p.Lag, partition)
			o.ObserveInt64(inFlight, int64(p.InFlight), partition)
			o.ObserveInt64(halted, oneIf(p.Halted), partition)
			o.ObserveInt64(deleted, p.Deleted, partition)
			o.ObserveFloat64(oldest, age(time.Time(p.Oldest)), partition)
		}
		if c.board != nil {
			standing := c.board.Held()
			for _, class := range control.Classes {
				_, ok := standing[class]
				o.ObserveInt64(held, oneIf(ok), metric.WithAttributes(attribute.String("class", string(class))))
			}
		}
		return nil
	}, consumed, running, generations, lag, inFlight, halted, oldest, held, deleted, waiting)
	return m, err
}

// age is in seconds; no time has none.
func age(at time.Time) float64 {
	if at.IsZero() {
		return 0
	}
	return max(0, time.Since(at).Seconds())
}

func oneIf(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
