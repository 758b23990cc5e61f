// Package runs says what runs of gleapsync did, or would do: the [Report] of one run, its
// [Summary] in a line, and the [History] of all of them.
//
// Reports are what the commands print as JSON, what the state keeps, and what the status
// page, the metrics and the notifications are made of. Keys of the JSON may be added; none
// is renamed. A report holds counts, keys and sources, and nothing of a contact. [Stored] reads
// those that a state has.
package runs
