package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"smsbridge/config"
	"smsbridge/connector"
	"smsbridge/connector/kafkaio"
	"smsbridge/connector/trail"
)

// withKafka does something for a tool, which fails where Kafka cannot be reached,
// rather than wait for it.
func withKafka(ctx context.Context, do func(config.Config, *kafkaio.Client) error) (err error) {
	c, err := config.LoadTools()
	if err != nil {
		return err
	}
	settings, err := kafkaConfig(c, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	client, err := kafkaio.Open(settings)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	if err := client.Probe(ctx); err != nil {
		return err
	}
	return do(c, client)
}

// withReader reads topics, and tells stderr what cannot be read.
func withReader(ctx context.Context, stderr io.Writer, do func(config.Config, trail.Reader) error) error {
	return withKafka(ctx, func(c config.Config, client *kafkaio.Client) error {
		return do(c, readerOf(client, stderr))
	})
}

func readerOf(client *kafkaio.Client, stderr io.Writer) trail.Reader {
	return trail.Reader{Kafka: client, Damaged: func(err error) { fmt.Fprintln(stderr, "left out:", err) }}
}

// withOperator gives orders, and decides about halts.
func withOperator(ctx context.Context, do func(*connector.Operator) error) error {
	return withKafka(ctx, func(c config.Config, client *kafkaio.Client) error { return operate(c, client, do) })
}

func operate(c config.Config, client *kafkaio.Client, do func(*connector.Operator) error) (err error) {
	operator, err := connector.NewOperator(connector.OperatorConfig{
		Group: c.Kafka.Group, DedupeWindow: c.Commands.DedupeWindow, SessionTimeout: c.Kafka.SessionTimeout,
		Kafka: client, Log: slog.New(slog.DiscardHandler), Topics: topicsOf(c),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, operator.Close()) }()
	return do(operator)
}

func trailTopics(c config.Config) trail.Topics {
	return trail.Topics{
		Commands: c.Topics.Commands, Results: c.Topics.Results, Reports: c.Topics.Reports,
		DeadLetter: c.Topics.DeadLetter, Journal: c.Topics.Journal,
		Control: c.Topics.Control, Account: c.Topics.Account,
	}
}
