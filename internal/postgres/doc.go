// Package postgres asks a PostgreSQL or a Redshift for the rows of a table or a query, and
// gives them as cells: texts as an export would have them.
//
// All is read in one transaction that cannot write. Only what a database keeps of exports is written
// ([Work], for package generation). Of what a server says an error repeats
// only what can hold neither a secret nor a row's values; it says what to do, with the
// GRANT to paste where a right is missing.
package postgres
