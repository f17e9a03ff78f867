package connector

import (
	"context"
	"errors"
	"strconv"

	"go.opentelemetry.io/otel/metric"

	"smsbridge/codec/sms"
)

// newGauges shows whether the process can do its work and what the account
// holds. Whether a balance is low is judged here, where BALANCE_LOW is known.
func (c *Connector) newGauges(meter metric.Meter) error {
	var errs [5]error
	ready, err := meter.Int64ObservableGauge("smsbridge.ready", metric.WithUnit("1"),
		metric.WithDescription("1 while /readyz says so, else 0."))
	errs[0] = err
	usable, err := meter.Int64ObservableGauge("smsbridge.kafka.usable", metric.WithUnit("1"),
		metric.WithDescription("1 while Kafka answers and every topic is there, else 0: nothing is submitted then."))
	errs[4] = err
	balance, err := meter.Float64ObservableGauge("smsbridge.balance", metric.WithUnit("{message}"),
		metric.WithDescription("What the provider last said that the account holds. Only who asked it tells."))
	errs[1] = err
	low, err := meter.Int64ObservableGauge("smsbridge.balance.low", metric.WithUnit("1"),
		metric.WithDescription("1 while the balance is below BALANCE_LOW or used up, else 0."))
	errs[2] = err
	_, errs[3] = meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(ready, oneIf(c.ready() == nil))
		o.ObserveInt64(usable, oneIf(c.health.ready() == nil))
		amount, level, _ := c.purse.look()
		if number, err := strconv.ParseFloat(amount, 64); err == nil {
			o.ObserveFloat64(balance, number)
			o.ObserveInt64(low, oneIf(level == sms.BalanceLow || level == sms.BalanceExhausted))
		}
		return nil
	}, ready, usable, balance, low)
	return errors.Join(errs[:]...)
}
