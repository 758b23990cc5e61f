// Package deliveries keeps a log of what Gleap acknowledged: one [Delivery] for each call, as
// a line of JSON, in a file for each day (UTC). The file of a day that is over is compressed
// with zstd, and removed once it is older than the log is to keep.
//
// Lines are on the disk before the state knows of their calls, so that no acknowledged call
// is without one. They hold user ids and values of attributes, and of contact fields the
// names only. Each has the run and a number that goes up within it: a line that is there
// twice is read once.
//
// A log in a [Bucket] has parts instead of files for days. Lines are on the disk first, in the
// spool beside the state, and go to the bucket before a state goes there that knows of their calls.
package deliveries
