// Package runs says what runs of gleapsync did, or would do: the [Report] of one run, its
// [Summary] in a line, and the [History] of all of them.
//
// Reports are what the commands print as JSON, what the state keeps, and what the status
// page, the metrics and the notifications are made of. A command that changes the state without a
// plan leaves one too, see [Touched], and the next run leaves that of one that was
// killed, see [KeepLost]. Keys of the JSON may be added; none
// is renamed. A report holds counts, keys and sources, and nothing of a contact. [Stored] reads
// those that a state has.
//
// What reports are made of is here too: the [Class] of a contact's calls, how urgent they are;
// the [Cause] why exports are held, many of which may have one; and whether what runs leave over
// gets less, see [Converges]. While a run goes on, a [Meter] tells its [Progress].
package runs
