// Package engage turns what Segment Engage exports into rows: what one line says
// of one user.
//
// An [Export] names a source and what is wanted of it. [Export.Open] finds the
// files behind it and reads nothing; [Source.Read] then streams their rows. The
// package knows formats and sources, and nothing of what Gleap has or of what a
// row leads to.
//
// Words: an attribute is what Gleap gets, made from an audience (boolean) or a
// computed trait (value), and its key is its name there. A contact field is one
// of Gleap's own fields, such as the e-mail address. A broken row is counted and
// passed over; an export that cannot be complete is an error, and then nothing
// that it said may be used.
//
// Errors and problems name files, lines and columns, never the content of a cell.
package engage
