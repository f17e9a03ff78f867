// Package telemetry is how the bridge is watched: the log, metrics and traces
// by OpenTelemetry, and the admin listener that serves health, metrics and
// status.
//
// Metrics can always be read at the admin listener. Nothing leaves the process
// by itself: metrics are pushed, and traces made at all, only where
// OpenTelemetry's own variables ask for it (OTEL_EXPORTER_OTLP_ENDPOINT,
// OTEL_METRICS_EXPORTER, OTEL_TRACES_EXPORTER and their like).
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	noopmetric "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/exemplar"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	nooptrace "go.opentelemetry.io/otel/trace/noop"
)

// Config names the process in everything that it tells about itself.
type Config struct {
	Account  string // alias of the provider's account, never its login
	Instance string // of this process, unique in its group
	Version  string
	Log      *slog.Logger // told what OpenTelemetry itself has to complain about
}

// Telemetry gives meters and tracers. Setup makes one; the zero value is unusable.
type Telemetry struct {
	// Gatherer reads every metric of the process for /metrics.
	Gatherer prometheus.Gatherer
	// Propagator carries a trace in and out of headers (W3C traceparent).
	Propagator propagation.TextMapPropagator

	meters  metric.MeterProvider
	tracers trace.TracerProvider
	stops   []func(context.Context) error // last in, first out
}

// accountKey is the only attribute that stands at every metric: an instance
// would make new time series at every restart.
const accountKey = attribute.Key("smsbridge.account")

// Setup makes metrics and traces as the OTEL_* variables of the environment
// say. It also takes over OpenTelemetry's process-wide error handler and log.
// An error means that a variable is wrong and names it.
func Setup(ctx context.Context, config Config) (*Telemetry, error) {
	complaints := &complaints{log: config.Log}
	otel.SetErrorHandler(complaints)
	otel.SetLogger(logr.New(complaints))

	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	t := &Telemetry{
		Gatherer:   registry,
		Propagator: propagation.TraceContext{},
		meters:     noopmetric.NewMeterProvider(),
		tracers:    nooptrace.NewTracerProvider(),
	}
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		return t, nil
	}
	if err := checkEndpoints(); err != nil {
		return nil, err
	}
	about, err := describe(ctx, config)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(t.trace(ctx, about), t.measure(ctx, about, registry)); err != nil {
		return nil, errors.Join(err, t.Shutdown(ctx))
	}
	return t, nil
}

// Meter gives the instruments of one package, named by its import path.
func (t *Telemetry) Meter(name string) metric.Meter { return t.meters.Meter(name) }

// Tracer gives the spans of one package. Unless traces are exported it is the
// no-op one, which costs next to nothing.
func (t *Telemetry) Tracer(name string) trace.Tracer { return t.tracers.Tracer(name) }

// Shutdown exports what is still held, within ctx.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	var errs []error
	for _, stop := range slices.Backward(t.stops) {
		errs = append(errs, stop(ctx))
	}
	t.stops = nil
	return errors.Join(errs...)
}

func (t *Telemetry) trace(ctx context.Context, about *resource.Resource) error {
	if !exports("TRACES") {
		return nil
	}
	exporter, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return fmt.Errorf("OTEL_TRACES_EXPORTER or a variable that goes with it: %w", err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithResource(about), sdktrace.WithBatcher(exporter))
	t.tracers = provider
	t.stops = append(t.stops, provider.Shutdown)
	return nil
}

func (t *Telemetry) measure(ctx context.Context, about *resource.Resource, registry *prometheus.Registry) error {
	scraped, err := otelprometheus.New(
		otelprometheus.WithRegisterer(registry),
		otelprometheus.WithTranslationStrategy(otlptranslator.UnderscoreEscapingWithSuffixes),
		otelprometheus.WithoutScopeInfo(), // three labels on every line that tell nothing
		otelprometheus.WithResourceAsConstantLabels(attribute.NewAllowKeysFilter(accountKey)),
	)
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	options := []sdkmetric.Option{sdkmetric.WithResource(about), sdkmetric.WithReader(scraped)}
	if !exports("TRACES") {
		// Exemplars point at traces. Without any they only cost.
		options = append(options, sdkmetric.WithExemplarFilter(exemplar.AlwaysOffFilter))
	}
	if exports("METRICS") {
		pushed, err := autoexport.NewMetricReader(ctx)
		if err != nil {
			return fmt.Errorf("OTEL_METRICS_EXPORTER or a variable that goes with it: %w", err)
		}
		options = append(options, sdkmetric.WithReader(pushed))
	}
	provider := sdkmetric.NewMeterProvider(options...)
	t.meters = provider
	t.stops = append(t.stops, provider.Shutdown)
	return nil
}

// exports reports whether a signal is to leave the process. autoexport sends to
// a collector on localhost where nothing is said; here silence means no.
func exports(signal string) bool {
	switch os.Getenv("OTEL_" + signal + "_EXPORTER") {
	case "":
		return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT") != ""
	case "none", "prometheus": // the admin listener is the Prometheus exporter
		return false
	default:
		return true
	}
}

// checkEndpoints refuses what the exporters would only complain about and then
// send to localhost.
func checkEndpoints() error {
	for _, name := range []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
	} {
		text := os.Getenv(name)
		if text == "" {
			continue
		}
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
			return fmt.Errorf("%s is no URL that could be used; write it like http://collector:4318", name)
		}
	}
	return nil
}

// describe makes the resource: OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES
// win over what we say ourselves.
func describe(ctx context.Context, config Config) (*resource.Resource, error) {
	about, err := resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithAttributes(
			attribute.String("service.name", "smsbridge"),
			attribute.String("service.version", config.Version),
			attribute.String("service.instance.id", config.Instance),
			accountKey.String(config.Account),
		),
		resource.WithFromEnv(),
	)
	if err != nil {
		return nil, errors.New("OTEL_RESOURCE_ATTRIBUTES cannot be read; write it like key=value,key=value")
	}
	return about, nil
}
