package main

import (
	"context"
	"errors"
	"log/slog"

	"smsbridge/config"
	"smsbridge/connector"
)

// withOperator does something as an operator, where Kafka can be reached.
func withOperator(ctx context.Context, do func(*connector.Operator) error) (err error) {
	c, err := config.Load()
	if err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	kafka, err := kafkaConfig(c, log)
	if err != nil {
		return err
	}
	operator, err := connector.NewOperator(connector.OperatorConfig{
		Group: c.Kafka.Group, DedupeWindow: c.Commands.DedupeWindow, Kafka: kafka, Log: log, Topics: topicsOf(c),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, operator.Close()) }()
	if err := operator.Reach(ctx); err != nil {
		return err
	}
	return do(operator)
}
