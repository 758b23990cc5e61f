// Package parquet reads Parquet files as rows of cells: texts as a warehouse would write
// them into CSV, a row at a time and of the columns only that are wanted. A column is a
// value or a list of values, which is JSON then; what is neither, such as a map, is none.
//
// Some rows are read at a time, column by column, on all processors (batch.go). Who looks for rows
// that are not what they were asks for prints of them (prints.go), and then for the first columns of
// all rows and the others of few (sparse.go).
//
// What a file says of itself is read first (footer.go), and made a tree of columns (schema.go) with
// types (types.go). Pages are held as they are stored: what is packed is unpacked for some rows at a
// time, and what nobody asks for is passed over. Thrift, compressions (codecs.go) and the rarer
// encodings are the part of libraries. They take data for granted; damaged data are an error here, and
// never a panic or more memory than the file can be worth.
//
// Of parquet-go only those parts are linked: all of it brings thirty packages that nothing here needs.
// Tests write files with it, and compare what it reads.
package parquet
