// Package planfile has what a plan is on disk.
//
// A [File] consists of parts, one for each span of the user ids, so that several passes over
// the contacts can write at a time. In each [Part] the entries of a class are a segment, in
// the order of the user ids. An [Entry] is what the calls of one contact will say: bytes that
// say all of it, with the attributes by their ids; where somebody asked, also what Gleap has
// now and which row says otherwise.
//
// A [Reader] yields the entries in the order of the push: class by class, each from behind the
// last contact that the run before came to; and where that run left something over of a class,
// a tenth of the calls is that class's own, whatever stands before it. The
// classes are those of [runs.Class]; which comes next, turns.go decides.
//
// Nothing may be written any more once something was read. What cannot be decoded is an error
// of the file and never a call less.
package planfile
