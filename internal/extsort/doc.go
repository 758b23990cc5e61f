// Package extsort sorts rows of a user id and a payload by the id, more of them than fit
// into memory, and merges what was sorted.
//
// A [Sorter] takes rows in any order, sorts them in pieces, and keeps these in memory as
// long as [Memory] has room and in a temporary file ([Spool]) after that. What it gives back
// is a [Stream]. A [Merger] makes one stream of several. What comes in order already is kept
// in a spool without a sorter ([Rows]). Every row that is read back from a
// file is checked: a row that is missing there would look like a member who left.
package extsort
