//go:build otel

package otlp

import (
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"

	"gleapsync/internal/metrics"
)

// measured returns metrics as they are sent, by the names that Prometheus has for them. Totals are
// those of all runs of the state, and nobody knows when they began.
func measured(of *resource.Resource, version string, at time.Time, all []metrics.Metric) *metricdata.ResourceMetrics {
	scoped := metricdata.ScopeMetrics{Scope: instrumentation.Scope{Name: scope, Version: version}}
	for _, m := range all {
		var points []metricdata.DataPoint[float64]
		for _, s := range m.Samples {
			var labels []attribute.KeyValue
			for name, value := range s.Labels {
				labels = append(labels, attribute.String(name, value))
			}
			points = append(points, metricdata.DataPoint[float64]{Attributes: attribute.NewSet(labels...), Time: at, Value: s.Value})
		}
		out := metricdata.Metrics{Name: m.Name, Description: m.Help, Data: metricdata.Gauge[float64]{DataPoints: points}}
		if m.IsTotal {
			out.Data = metricdata.Sum[float64]{DataPoints: points, Temporality: metricdata.CumulativeTemporality, IsMonotonic: true}
		}
		scoped.Metrics = append(scoped.Metrics, out)
	}
	return &metricdata.ResourceMetrics{Resource: of, ScopeMetrics: []metricdata.ScopeMetrics{scoped}}
}
