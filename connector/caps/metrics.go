package caps

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Cap is one of the caps as it stands.
type Cap struct {
	Per         string // minute or day
	Limit, Used int    // recipients; what is under way is used
}

// Standing tells of each cap how much of it is used, as far as was read.
func (c *Caps) Standing() []Cap {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]Cap, len(c.count.windows))
	for i, w := range c.count.windows {
		list[i] = Cap{Per: w.name, Limit: w.limit, Used: w.limit - w.left(time.Now()) + c.count.opened}
	}
	return list
}

func (c *Caps) newMetrics(meter metric.Meter) error {
	limit, errLimit := meter.Int64ObservableGauge("smsbridge.cap.limit", metric.WithUnit("{recipient}"),
		metric.WithDescription("Recipients that the whole group may be accepted for, per minute or day."))
	used, errUsed := meter.Int64ObservableGauge("smsbridge.cap.used", metric.WithUnit("{recipient}"),
		metric.WithDescription("How much of a cap the whole group has used, what is under way included. Every instance tells the same."))
	_, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for _, standing := range c.Standing() {
			per := metric.WithAttributes(attribute.String("per", standing.Per))
			o.ObserveInt64(limit, int64(standing.Limit), per)
			o.ObserveInt64(used, int64(standing.Used), per)
		}
		return nil
	}, limit, used)
	return errors.Join(errLimit, errUsed, err)
}
