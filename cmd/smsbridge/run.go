package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"
	_ "time/tzdata" // QUIET_ZONE, in an image without the system's

	"smsbridge/codec"
	"smsbridge/codec/sms"
	"smsbridge/codec/wire"
	"smsbridge/config"
	"smsbridge/connector"
	"smsbridge/connector/caps"
	"smsbridge/connector/intake"
	"smsbridge/connector/kafkaio"
	"smsbridge/connector/provider"
	"smsbridge/connector/push"
	"smsbridge/connector/submit"
	"smsbridge/connector/telemetry"
)

func runCommand() *command {
	return &command{
		name: "run", brief: "carry commands until SIGTERM or SIGINT; nothing else submits",
		long: `Carries commands until SIGTERM or SIGINT, then finishes what is under way. SMSBRIDGE_ROLES says which part of the
work this process does. Its log goes to standard error. A second signal ends it at once.`,
		flags: func(*flag.FlagSet) action {
			return func(ctx context.Context, _ []string, s streams) error { return run(ctx, s.err) }
		},
	}
}

// run wires the configuration to a connector and runs it.
func run(ctx context.Context, stderr io.Writer) error {
	c, err := config.Load()
	if err != nil {
		return err
	}
	log, err := telemetry.NewLogger(stderr, c.Log.Level, c.Log.Format)
	if err != nil {
		return err
	}
	problems := &telemetry.Problems{}
	log = problems.Over(log)
	c.ReportSecrets(log)
	for _, warning := range c.Warnings() {
		log.Warn("the configuration could be safer", "warning", warning)
	}
	easeCollector()
	who := instance()
	watch, err := telemetry.Setup(ctx, telemetry.Config{Account: c.Provider.Account, Instance: who, Version: release, Log: log})
	if err != nil {
		return err
	}
	defer flush(watch, log)
	wiring, err := wired(c, watch, log)
	if err != nil {
		return err
	}
	wiring.Instance = who
	wiring.Admin.Problems = problems
	log.Info("started", "version", release, "instance", who, "group", c.Kafka.Group, "commands", c.Topics.Commands)
	defer context.AfterFunc(ctx, func() { log.Info("stopping", "grace", c.Life.ShutdownGrace.String()) })()
	err = connector.Run(ctx, wiring)
	if err != nil {
		return err
	}
	log.Info("stopped as asked")
	return nil
}

// flush exports what telemetry still holds; a collector that is away must not
// hold up the stop.
func flush(watch *telemetry.Telemetry, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if err := watch.Shutdown(ctx); err != nil {
		log.Warn("telemetry not all exported", "error", err)
	}
}

// instance names this process in its group: the host, and what tells apart two
// lives or two processes there.
func instance() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	var random [4]byte
	_, _ = rand.Read(random[:]) // never fails
	return host + "-" + hex.EncodeToString(random[:])
}

// wired makes the connector's configuration of the environment's.
func wired(c config.Config, watch *telemetry.Telemetry, log *slog.Logger) (connector.Config, error) {
	kafka, err := kafkaConfig(c, log)
	if err != nil {
		return connector.Config{}, err
	}
	w := connector.Config{
		Account:         c.Provider.Account,
		Version:         release,
		Group:           c.Kafka.Group,
		Topics:          topicsOf(c),
		Ordering:        intake.Ordering(c.Commands.Ordering),
		Roles:           rolesOf(c.Life.Roles),
		Kept:            keptOf(c),
		OrphanAfter:     c.Reports.OrphanAfter,
		Numbers:         codec.Numbers{Key: c.NumberKey(), Masked: c.Reports.OutputNumbers == "masked"},
		PreviousKey:     c.PreviousNumberKey(),
		OptOutSuppress:  classesOf(c.Inbound.OptOutSuppress),
		StateDir:        c.Life.StateDir,
		BalanceInterval: c.Balance.Interval,
		BalanceLow:      c.Balance.Low,
		Rate:            c.Provider.Rate,
		CapPerMinute:    c.Commands.CapPerMinute,
		CapPerDay:       c.Commands.CapPerDay,
		Grace:           c.Life.ShutdownGrace,
		Kafka:           kafka,
		Provider:        providerConfig(c, watch),
		Submit: submit.Config{
			Account:   c.Provider.Account,
			Signature: c.Provider.Signature, SignatureBound: bool(c.Provider.SignatureBound),
			SendAtMax:     c.Commands.SendAtMax,
			NumberAllow:   c.Commands.NumberAllow,
			MaxRecipients: c.Provider.MaxRecipients,
			MaxInFlight:   c.Provider.MaxInFlight,
			Retry: submit.Retry{
				Initial: c.Retry.Initial, Max: c.Retry.Max, Multiplier: c.Retry.Multiplier, MaxAttempts: c.Retry.MaxAttempts,
			},
			Quiet:     quietOf(c.Commands),
			OnUnknown: sms.OnUnknown(c.Commands.OnUnknown),
			Validity: submit.Validity{
				OTP: c.Commands.ValidityOTP, Notice: c.Commands.ValidityNotice, Marketing: c.Commands.ValidityMarketing,
			},
			Log: log, Meter: watch.Meter("smsbridge/connector/submit"), Tracer: watch.Tracer("smsbridge/connector/submit"),
		},
		Push:  pushConfig(c, watch, log),
		Admin: telemetry.Admin{Listen: c.Admin.Listen, Gatherer: watch.Gatherer, Log: log},
		Log:   log,
		Meter: watch.Meter("smsbridge/connector"), Tracer: watch.Tracer("smsbridge/connector"),
	}
	if c.Kafka.CreateTopics {
		w.Create = &connector.NewTopics{Partitions: c.Kafka.TopicPartitions, Replicas: c.Kafka.TopicReplication}
	}
	return w, nil
}

// quietOf reads QUIET_*, which the configuration has judged.
func quietOf(c config.Commands) submit.Quiet {
	if c.QuietHours == "" {
		return submit.Quiet{}
	}
	from, to, errHours := submit.ParseHours(c.QuietHours)
	zone, errZone := time.LoadLocation(c.QuietZone)
	if errHours != nil || errZone != nil {
		panic("quiet hours that the configuration let pass")
	}
	return submit.Quiet{From: from, To: to, Zone: zone, Classes: classesOf(c.QuietClasses)}
}

// classesOf reads OPT_OUT_SUPPRESS, in which none stands for no class.
func classesOf(list config.List) []sms.Class {
	var classes []sms.Class
	for _, class := range list {
		if class != "none" {
			classes = append(classes, sms.Class(class))
		}
	}
	return classes
}

func keptOf(c config.Config) connector.Kept {
	return connector.Kept{
		DedupeWindow: c.Commands.DedupeWindow, ReportDeadline: c.Reports.Deadline, SendAtMax: c.Commands.SendAtMax,
		Validity: max(c.Commands.ValidityOTP, c.Commands.ValidityNotice, c.Commands.ValidityMarketing),
		Caps:     caps.Span(c.Commands.CapPerMinute, c.Commands.CapPerDay),
	}
}

func rolesOf(list config.List) connector.Roles {
	return connector.Roles{Intake: list.Has("intake"), Push: list.Has("push"), Correlate: list.Has("correlate")}
}

func kafkaConfig(c config.Config, log *slog.Logger) (kafkaio.Config, error) {
	tls, err := c.Kafka.TLSConfig()
	if err != nil {
		return kafkaio.Config{}, fmt.Errorf("TLS to Kafka: %w", err)
	}
	return kafkaio.Config{
		Brokers:        c.Kafka.Brokers,
		ClientID:       "smsbridge",
		TLS:            tls,
		SASL:           kafkaio.SASL{Mechanism: c.Kafka.SASLMechanism, Username: c.Kafka.SASLUsername, Password: c.Kafka.SASLPassword.Value},
		SessionTimeout: c.Kafka.SessionTimeout,
		Log:            log,
	}, nil
}

func providerConfig(c config.Config, watch *telemetry.Telemetry) provider.Config {
	return provider.Config{
		URL:         c.Provider.URL,
		BalanceURL:  c.Provider.BalanceURL,
		Proxy:       c.Provider.Proxy,
		Timeout:     c.Provider.Timeout,
		MaxInFlight: c.Provider.MaxInFlight,
		Name:        c.Provider.Name.Value,
		Password:    c.Provider.Password.Value,
		Meter:       watch.Meter("smsbridge/connector/provider"),
		Tracer:      watch.Tracer("smsbridge/connector/provider"),
	}
}

func pushConfig(c config.Config, watch *telemetry.Telemetry, log *slog.Logger) push.Config {
	return push.Config{
		Listen: c.Push.Listen,
		Token:  c.Push.Token.Value, PreviousToken: c.Push.TokenPrevious.Value,
		Auth: push.Auth{
			Mode: push.Mode(c.Push.Auth), Name: c.Push.Name.Value, PreviousName: c.Push.NamePrevious.Value,
			Password: c.Push.Password.Value, PreviousPassword: c.Push.PasswordPrevious.Value,
			AccessSecret: c.Push.AccessSecret.Value, PreviousAccessSecret: c.Push.AccessSecretPrevious.Value,
		},
		Inbound:               inboundAuth(&c.Push),
		Allow:                 c.Push.Allow,
		TrustedProxies:        c.Push.TrustedProxies,
		Ack:                   c.Push.Ack,
		SystemExtensionLength: c.Inbound.SystemExtensionLength.Value(),
		Keywords:              wire.NewKeywords(c.Inbound.OptOut, c.Inbound.OptIn, c.Inbound.Help),
		Account:               c.Provider.Account,
		SpoolDir:              c.Push.SpoolDir,
		SpoolMax:              int64(c.Push.SpoolMax),
		Grace:                 c.Life.ShutdownGrace,
		Log:                   log,
		Meter:                 watch.Meter("smsbridge/connector/push"),
	}
}

// inboundAuth is what inbound messages must know: their own name and password where
// one of them is set, as each may be empty at the provider, else the reports'.
func inboundAuth(c *config.Push) push.InboundAuth {
	a := push.InboundAuth{
		Mode: push.Mode(c.InboundAuth),
		Name: c.InboundName.Value, PreviousName: c.InboundNamePrevious.Value,
		Password: c.InboundPassword.Value, PreviousPassword: c.InboundPasswordPrevious.Value,
	}
	if !c.InboundName.IsSet() && !c.InboundPassword.IsSet() {
		a.Name, a.PreviousName = c.Name.Value, c.NamePrevious.Value
		a.Password, a.PreviousPassword = c.Password.Value, c.PasswordPrevious.Value
	}
	return a
}
