//go:build otel

package otlp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"

	"gleapsync/internal/exchange"
	"gleapsync/internal/metrics"
	"gleapsync/internal/runs"
)

// patience bounds what a collector that does not answer costs a run.
const patience = 5 * time.Second

// Send sends the trace and the metrics of a run that is over. Its error does not show the address,
// which may hold a password, nor anything of an answer.
func Send(ctx context.Context, version string, r *runs.Report, c *metrics.Collector) error {
	traced, measured := wanted("TRACES"), wanted("METRICS")
	if !traced && !measured {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	of, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "gleapsync"), attribute.String("service.version", version), attribute.String("gleapsync.project", r.Project)),
		resource.WithFromEnv())
	if err != nil {
		return fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES cannot be read: %w", err)
	}
	var errs []error
	if traced {
		errs = append(errs, sendTrace(ctx, of, version, r))
	}
	if measured {
		errs = append(errs, sendMetrics(ctx, of, version, r, c))
	}
	return errors.Join(errs...)
}

// wanted reports whether the environment names an endpoint for a signal, and does not switch it off.
func wanted(signal string) bool {
	return setting(signal, "ENDPOINT") != "" && os.Getenv("OTEL_"+signal+"_EXPORTER") != "none" && os.Getenv("OTEL_SDK_DISABLED") != "true"
}

// setting returns a variable of a signal, or the one that is for all of them.
func setting(signal, name string) string {
	return cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_"+signal+"_"+name), os.Getenv("OTEL_EXPORTER_OTLP_"+name))
}

func sendTrace(ctx context.Context, of *resource.Resource, version string, r *runs.Report) error {
	if err := checkProtocol("TRACES"); err != nil {
		return err
	}
	to, err := otlptracehttp.New(ctx, otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: false}))
	if err == nil {
		err = to.ExportSpans(ctx, trace(of, version, r))
		_ = to.Shutdown(ctx) // it only ends
	}
	return why("the trace of the run was not sent", err)
}

func sendMetrics(ctx context.Context, of *resource.Resource, version string, r *runs.Report, c *metrics.Collector) error {
	if err := checkProtocol("METRICS"); err != nil {
		return err
	}
	to, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig{Enabled: false}))
	if err == nil {
		err = to.Export(ctx, measured(of, version, r.Finished, c.All()))
		_ = to.Shutdown(ctx)
	}
	return why("the metrics of the run were not sent", err)
}

func checkProtocol(signal string) error {
	if p := setting(signal, "PROTOCOL"); p == "grpc" {
		return errors.New("OTEL_EXPORTER_OTLP_PROTOCOL is grpc, and gleapsync speaks http/protobuf: set that, and the endpoint that your collector has for it, mostly port 4318")
	}
	return nil
}

func why(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %s: look at the collector and at OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_HEADERS", what, exchange.Why(err))
}
