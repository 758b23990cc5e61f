// Package replica keeps a state in a bucket too, so that any machine can go on with it.
//
// # Words
//
// The state file stays the working copy. The replica is what the bucket has of it. A snapshot is
// the state at one moment: parts, of which the first ones have all of a state, and each that
// follows what changed since. A slice is what a run may send from a snapshot on, before it keeps
// the next one. The lease is the object that says who may send, and which snapshot counts. The
// twin is a local copy of the state as the bucket has it: what differs from it is what has to
// be kept.
//
// # How it works
//
// [Hold] takes the lease and brings the local state to what the bucket has. While a run goes on,
// [Held.Keep] writes new parts, the slice and a manifest that names them, and then the lease,
// which names the manifest. [Held.End] keeps what the run left and gives the lease back.
// [Look] brings the local state up to date for somebody who only reads.
//
// # Invariants
//
// Every write of the lease is under the condition that it is as this process left it, and who
// takes it over writes it. So a process that lost it cannot make a snapshot count, whatever it
// believes. Its fencing number goes up with each holder. The names of objects have it too, and
// nobody removes what a later holder wrote.
//
// Nothing is sent that the slice of the snapshot that counts does not have. So a machine can
// vanish at any moment: whoever comes next has a state, and knows of whom Gleap may have more.
//
// A process that cannot renew its lease stops sending before anybody else may take it: by its own
// clock after [Options].TTL, while others wait for [Options].Margin longer, by theirs.
//
// The bucket is never asked for what is in a list: what counts is named, with its checksum, from
// the lease on. A list only shows what is left over.
package replica
