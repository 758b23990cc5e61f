// Package serve runs syncs on a schedule, one after the other, and shows what goes on:
// the status page, metrics, probes and JSON. It shows and changes nothing.
package serve
