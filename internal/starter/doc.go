// Package starter writes a first configuration from a folder of exports, the tables of a
// database, or a bucket.
//
// It finds files that may be exports and makes one source of those that are one export:
// the days of an audience, the parts of a snapshot (files.go), a folder of calls (calls.go);
// the tables of a database (tables.go) and objects (places.go) are sources too. It reads each
// file as a whole, with the code that a sync reads them with, since one value can decide the
// type of a column (classify.go), and of a table as many rows as do not take long; sees to it
// that no key is taken twice (starter.go); and writes the whole as commented TOML (render.go,
// config.toml.tmpl), which package config must be able to load before it gets its name.
//
// What is not understood becomes a comment with the reason. No cell's content gets into
// the configuration or into an error, only the names of files and columns.
package starter
