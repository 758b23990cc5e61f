// Package table reads an input as a table: names of columns, and rows of cells that stand
// somewhere. What a column means it does not know: two names that Segment gives
// only help to find out what stands between cells of CSV.
//
// A [Table] is CSV, JSON with one object per line, or Parquet; [Open] tells them apart. Rows of a
// database are one too, of package database. What only some of them can is in methods of theirs,
// which who reads them looks for: cells that are asked for, a few of them first, prints of rows,
// stretches of rows that are read at the same time.
//
// A cell is bytes that are valid until the next row, in a form: text if the table does not say
// more with Forms.
//
// A row that is broken is a [*RowError], and the next one can be read. What cannot be complete is
// an error that ends the reading: a text that ends within a row ([ErrTruncated]), a row that is
// longer than anything may be. Where a text that ends behind a whole row may have been cut off,
// only who knows the text before can tell: see [Options]. Errors never hold the content of a cell.
package table
