// Package state keeps what Gleap last acknowledged, and what a run leaves for the next one, in
// one bbolt file.
//
// # Words
//
// The [Record] of a contact is what Gleap last acknowledged. [Said] is the newest that change
// exports said of it, which says nothing of Gleap. A contact is [Parked] if Gleap refused its
// call for good, [Unanswered] if a call may have reached Gleap and no commit told the answer,
// and [Forgotten] if it is never to be created again. An [Event] is due until Gleap took it,
// or parked. A [DoneFile] of a change or event export is done once nothing of it is left to send.
// [Turns] say how far a run came. The epoch is the number of the last full resync. A [Mark]
// tells the file from others, and from older copies of itself.
//
// # How it works
//
// A [Store] opens the file for each piece of work and closes it again: shared for reading,
// for as long as it takes to copy one slice of records, and exclusive for writing, for as
// long as it takes to commit one batch. That is what lets a person or a second process look
// into the file while a sync is running. A lock file of its own, see [Store.Lock], keeps two
// runs apart, and holds the mark that the last run left: a state that is gone or older than
// that is an error, and none that is taken away from a run is written to, see [ErrTakenAway].
//
// Every method that writes is one transaction. What a run writes, in its order: what exports
// said ([Store.AbsorbChanges], [Store.AbsorbEvents]) after [Store.Begin], what became of calls
// ([Store.Commit], which also parks contacts and events), and its [Result] ([Store.Finish]).
// What a person asks for are functions: [Backup], also during a run, and while none goes on
// [Unpark], [Resend], [Discard], [Verify], [Compact], [Restore] and [ScrubFormer].
//
// A run that is killed writes no result (holder.go). While it goes on, the lock file says how far
// it is, see [HolderOf]; and each commit counts what was acknowledged until then. The next run
// finds both, see [Lost], and stores a report of it, with the outcome lost. Until then
// [FindLost] tells of it who asks.
//
// # Invariants
//
// The record of a contact changes only in [Store.Commit], which is to be called with what Gleap
// acknowledged and nothing else. After a crash the file holds all of a transaction or nothing.
// Each value ends with a checksum over its key and itself, each bucket knows how many entries
// it has, and the members of an attribute are those that the records have.
//
// The format is versioned and written down in docs/state-format.md. bbolt does not leave this
// package: no transaction outlives a method, and bytes are copied. Contact fields are stored as
// hashes only.
//
// # Caveats
//
// bbolt needs a file system with working locks and memory maps, so not NFS. It panics on a
// damaged file, or goes round in it for ever; the package walks the pages first and turns
// that into [ErrDamaged].
package state
