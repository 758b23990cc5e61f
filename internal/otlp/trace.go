//go:build otel

package otlp

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"

	"gleapsync/internal/runs"
)

// scope names who made spans and metrics.
const scope = "gleapsync"

// trace returns the spans of a run: the run as a whole, its plan with what was read for it and the
// merge, and the push.
func trace(of *resource.Resource, version string, r *runs.Report) []sdk.ReadOnlySpan {
	var all spans
	provider := sdk.NewTracerProvider(sdk.WithResource(of), sdk.WithSyncer(&all))
	tracer := provider.Tracer(scope, oteltrace.WithInstrumentationVersion(version))
	start := func(ctx context.Context, name string, at time.Time, with ...attribute.KeyValue) (context.Context, oteltrace.Span) {
		return tracer.Start(ctx, name, oteltrace.WithTimestamp(at), oteltrace.WithAttributes(with...))
	}
	ctx, run := start(context.Background(), r.Command, r.Started, ofRun(r)...)
	planned := ctx
	if r.PlanSeconds > 0 {
		var plan oteltrace.Span
		planned, plan = start(ctx, "plan", r.Started, attribute.Int("gleapsync.contacts", r.Contacts.Planned))
		plan.End(oteltrace.WithTimestamp(r.Started.Add(time.Duration(r.PlanSeconds * float64(time.Second)))))
	}
	for _, s := range r.Spans {
		within, counted := planned, "gleapsync.contacts"
		var with []attribute.KeyValue
		switch s.Name {
		case "push":
			within = ctx
		case "read":
			counted = "gleapsync.rows"
			with = append(with, attribute.String("gleapsync.source", s.Source))
		}
		_, span := start(within, s.Name, s.Began, append(with, attribute.Int(counted, s.Count))...)
		span.End(oteltrace.WithTimestamp(s.Ended))
	}
	if r.Outcome == runs.Failed {
		run.SetStatus(codes.Error, "failed") // why is in the log and in the report: it may name what a trace should not
	}
	run.End(oteltrace.WithTimestamp(r.Finished))
	return all
}

// ofRun returns what a run's span says of it.
func ofRun(r *runs.Report) []attribute.KeyValue {
	held := 0
	for _, e := range r.Exports {
		if e.Status == runs.StatusHeld {
			held++
		}
	}
	return []attribute.KeyValue{
		attribute.String("gleapsync.run", r.Run),
		attribute.String("gleapsync.mode", string(r.Mode)),
		attribute.String("gleapsync.outcome", string(r.Outcome)),
		attribute.Int("gleapsync.exports", len(r.Exports)),
		attribute.Int("gleapsync.exports.held", held),
		attribute.Int("gleapsync.contacts.planned", r.Contacts.Planned),
		attribute.Int("gleapsync.contacts.sent", r.Contacts.Sent),
		attribute.Int("gleapsync.contacts.parked", r.Contacts.Parked),
		attribute.Int("gleapsync.contacts.remaining", r.Contacts.Remaining),
		attribute.Int("gleapsync.calls", r.Calls.All()),
		attribute.Int("gleapsync.calls.retried", r.Calls.Retried),
		attribute.Int("gleapsync.calls.rate_limited", r.Calls.RateLimited),
	}
}

// spans keeps spans as they end, so that they are sent with one request, whose error is known.
type spans []sdk.ReadOnlySpan

func (s *spans) ExportSpans(_ context.Context, ended []sdk.ReadOnlySpan) error {
	*s = append(*s, ended...)
	return nil
}

func (s *spans) Shutdown(context.Context) error { return nil }
