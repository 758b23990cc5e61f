// Package metrics shows what a state and its last sync say as Prometheus metrics: to a
// scrape, to a Pushgateway, and in a file for node_exporter.
//
// The counters are totals over all runs of the state and move when a run ends, so a
// process that starts anew does not set them back. Labels hold keys and kinds of audiences
// and traits, never anything of a contact. docs/operating.md lists all names.
package metrics
