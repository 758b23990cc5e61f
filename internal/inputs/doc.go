// Package inputs reads exports for a plan: what they say of each contact, and what becomes of the
// attributes that they feed.
//
// [Recall] asks the state for the basis: what is wanted of the run, and what was applied before.
// [Inputs.Read] goes from there over all exports: it finds them and their attributes (catalog.go),
// leaves out what did not change, reads the rest and sorts its rows by user id within a memory
// budget (package extsort). What is wrong with an export holds its attributes, and is no error.
//
// An [Input] is an export in a run. Of which kind it is, its kind alone knows: snapshot.go is what
// is, changes*.go what happened, with audit.go now and then. The merge adds the rows of one contact
// to a [Wanted] and asks it. Only there absence and the time of a change are looked at, so nobody
// else asks of which kind an export is.
//
// Of a snapshot that changed only the rows may be read that differ (delta.go), if the run before
// left a list of their prints (lists.go, package rowlist), or if the database compares them
// (generation.go, package generation); former.go has what the list says of a
// contact.
//
// Invariants: the basis does not change; once all is read only the status of an attribute does, when
// a guard holds it. A reading leaves nothing out without saying so: an export that ends early, or
// of which a row cannot be read, is held or proves no absence ([Input.Unproven]).
package inputs
