// Package generation has a database tell which rows of an export are other ones than when it was
// applied last, so that only these leave it.
//
// A generation is what an export said at one moment, kept in a schema of ours as a table that
// [Place.Take] makes of it. A run takes one, has the database compare it with the generation that was
// applied last, and reads what differs, from the generation and not from the export: all it reads is
// of one moment. With the rows a generation keeps notes, which the next comparison gives back.
//
// Generations decide nothing. Whoever refers to one keeps its id, and finds with
// [Place.Compare] whether it is still there and whole; if not, everything is read, which is right
// too. That is why nothing here is undone after an error: [Place.Sweep] drops whatever nobody refers
// to.
//
// The tables of a generation are named gleapsync_OWNER_ID, and with _d behind it, what differs, and
// _n, the notes. OWNER is of the state whose they are, so that several share a schema.
//
// The SQL is what PostgreSQL, Redshift and Trino have in common; what they have not is a [Dialect].
// Packages postgres and trino have one each, run the statements, and say how a column is kept.
package generation
