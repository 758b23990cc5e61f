// Package engage says what a line says of a user: it turns what Segment Engage exports into
// rows. How names become keys, cells values and ids is in the packages keys, values and userid.
//
// An [Export] names where its inputs are and what is wanted of them. [Export.Open] finds
// the inputs and reads nothing. A [Source] then streams their rows: [Source.Read] those of
// a snapshot, which has all present users; [Source.ReadChanges] what happened to audiences
// and traits; [Source.ReadCalls] what users did. Profiles, two long tables that are sorted
// and joined, are a snapshot like any other.
//
// The package knows what columns mean, and nothing of what Gleap has or of what a row leads to.
// Where bytes come from is the business of internal/source; what a row is and which cells it has,
// of a file that of internal/table, and of a database that of internal/database.
//
// # Words
//
// An attribute is what Gleap gets, made from an audience (boolean) or a computed trait
// (value), and its key is its name there: see [keys.Of]. A contact field is one of Gleap's own
// fields, such as the e-mail address. The cells of a column have a form (text, JSON,
// number, boolean); what is made of them, in the same way for all forms, package values
// decides. The type of an attribute without one is found once all its values are read, by
// [values.Fits], and [values.Convert] makes it of each.
//
// # Invariants
//
// A source does not change: who reads says which attributes are wanted, and a table is
// asked for its columns once.
//
// A broken row is counted and passed over. If nobody knows whom it is about,
// [Result.Unknown] counts it, and then absence proves nothing. An export that cannot be
// complete is an error, and nothing that it said may be used.
//
// Errors and problems name files, lines and columns, never the content of a cell.
package engage
