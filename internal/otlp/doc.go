// Package otlp tells an OpenTelemetry collector of a run: one trace, and the metrics of package
// metrics once at its end. That is what a Pushgateway cannot do for jobs that come and go: nothing
// stays there of a run that is over.
//
// The variables OTEL_… say where to, as for any program. Nothing is sent unless one of them names
// an endpoint. Spans have counts, the names of exports and nothing of a contact.
//
// It is linked with the tag otel only, since it needs 150 packages of others, which have 3 MB.
// Without the tag [Send] does nothing.
package otlp
