//go:build !otel

package otlp

import (
	"context"

	"gleapsync/internal/metrics"
	"gleapsync/internal/runs"
)

// Send does nothing: this build has no OTLP.
func Send(context.Context, string, *runs.Report, *metrics.Collector) error { return nil }
