// Package trino asks a Trino or a Starburst for the rows of a table or a query, and gives them
// as cells: texts as an export would have them.
//
// A statement goes to the server as text, and its rows come back page by page: each page names
// the next one, and the last one says that the statement is finished. Whatever ends otherwise is
// not complete. The rows of one statement are those of one moment, as far as the connector behind
// it has such moments.
//
// For package generation it also makes, fills and drops tables (work.go), and says as what a type of
// Trino is kept in a catalog that has fewer (kept.go).
//
// The protocol is spoken here, and not by github.com/trinodb/trino-go-client: since its version
// 1.2.0 that one needs a newer Go, and version 1.1.0 links 43 packages, of Kerberos nearly all.
//
// Of what a server says an error repeats only what can hold neither a secret nor a row's values.
package trino
