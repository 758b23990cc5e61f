// Package guard says which exports are not to be believed, and why. An export that it refuses is
// held: nothing of it is sent, and its attributes stay as they are.
//
// Its rules are pure: about the age of an export, its rows that cannot be read, and the members
// that would leave. Each reason that it gives says what to do if the export is right. Packages inputs,
// known and events apply them while they read, and sync (planner.go) to the members that would
// leave: they ask, and hold the export.
//
// That only the exits of an export are withheld, since not all of it could be read, is not
// decided here but in sync/withhold.go.
package guard
