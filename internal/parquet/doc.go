// Package parquet reads Parquet files as rows of cells: texts as a warehouse would write
// them into CSV, a row at a time and of the columns only that are wanted. A column is a
// value or a list of values, which is JSON then; what is neither, such as a map, is none.
//
// The library underneath takes data for granted. Damaged data are an error here, and never
// a panic or more memory than the file can be worth.
package parquet
