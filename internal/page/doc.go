// Package page makes the status page: HTML that is complete in itself, works without
// scripts, and asks nothing of another host.
//
// It shows runs, exports and counts. The only user id on it is one that was asked for.
package page
