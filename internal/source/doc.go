// Package source finds the inputs of an export and reads their bytes: files and folders,
// the standard input, what a command writes, objects in buckets. It proves that they held
// still. It knows nothing of rows.
//
// A [Place] says where the inputs are. [Place.Find] looks there and opens nothing;
// [Input.Open] then gives the text of one of them, with what was compressed unpacked.
//
// Words: an input is one thing that is read from its start to its end. The parts of a
// snapshot are several inputs that belong together: a manifest beside them names all of
// them, or a mark such as _SUCCESS says that all are written. A version is equal only as
// long as reading an input gives the same.
//
// An input that broke off, or that changed while it was read, ends with an error and never
// with io.EOF, or its Close returns one. [UnreadableError] tells inputs that are not there
// from inputs whose content is of no use.
//
// What others write, a server or a command, may hold secrets and personal data: whatever
// of it comes into an error or a log passes [outside.Cleaner].
package source
