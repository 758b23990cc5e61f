// Package state keeps what Gleap last acknowledged, in one bbolt file.
//
// A [Store] opens the file for each piece of work and closes it again: shared for
// reading, for as long as it takes to copy one slice of records, and exclusive for
// writing, for as long as it takes to commit one batch. That is what lets a person
// or a second process look into the file while a sync is running. A lock file of
// its own, see [Store.Lock], keeps two runs apart.
//
// The record of a contact changes only in [Store.Commit], which is to be called
// with what Gleap acknowledged and nothing else. Everything in one call of a method
// that writes is one transaction: after a crash the file holds all of it or nothing.
//
// The format is versioned and written down in docs/state-format.md. bbolt does not
// leave this package: no transaction outlives a method, and bytes are copied.
//
// Caveats: bbolt needs a file system with working locks and memory maps, so not
// NFS. It panics on a damaged file; the package turns that into [ErrDamaged].
package state
