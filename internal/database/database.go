// Package database knows which sources are databases, and asks each of them in its own
// protocol: see internal/postgres and internal/trino.
package database

import (
	"context"
	"strings"
	"time"

	"gleapsync/internal/cell"
	"gleapsync/internal/generation"
	"gleapsync/internal/postgres"
	"gleapsync/internal/secret"
	"gleapsync/internal/trino"
)

// Schemes says how the addresses of databases begin, for errors.
const Schemes = "postgres://, postgresql://, redshift:// or trino://"

// Query is a table or a query of a database.
type Query struct {
	Address      string        // without its password
	Password     secret.Text   // "": that of the environment, if any
	PasswordFile string        // holds the password, instead of Password
	Table        string        // with its schema before a dot, as the catalogue has the names, or
	SQL          string        // whose rows are read
	Timeout      time.Duration // 0: 10 minutes
	Types        []string      // as a [generation.Export] has them, whose generation SQL reads; else nil
}

// Rows are the rows of a query. It has all columns that the query has, but asks for the values
// of those only that are wanted.
type Rows interface {
	// Columns returns the names of the columns.
	Columns() []string
	// Forms sets the forms of the columns, in their order.
	Forms([]cell.Form)
	// Readable returns the names of the columns that may be read, all if nobody knows. It is
	// called before the first row.
	Readable() []string
	// Ask says which columns are to be read, before the first row.
	Ask(columns []int)
	// Since has only those rows be read, before the first, whose column is not before a time or is
	// NULL; of a zero time all. They come in the order of the column and then of another one, -1: of
	// none. The column has to hold times.
	Since(column int, at time.Time, then int) error
	// Next returns the cells of the next row, one for each column and valid until it is called
	// again, or io.EOF. Only the columns that were asked for have a cell.
	Next() ([][]byte, error)
	// Export returns what a generation of the rows is taken of, with some columns, of which one has
	// the user ids.
	Export(key int, columns []int) (generation.Export, error)
	// Line returns 0: the rows come in no order, so that their numbers name nothing.
	Line() int
	// Close ends the query on the server, if it still runs.
	Close() error
}

// engine is a kind of database.
type engine struct {
	cutPassword func(address string) (shown string, password secret.Text, err error)
	open        func(context.Context, Query) (Rows, error)
	newest      func(ctx context.Context, q Query, column string) (time.Time, error)
	// place returns where generations are kept, but for whose they are.
	place      func(q Query, schema string) *generation.Place
	catalogued bool // it has the catalogue of PostgreSQL
}

var ofPostgres = engine{
	postgres.CutPassword,
	func(ctx context.Context, q Query) (Rows, error) { return opened(q.ofPostgres().Open(ctx)) },
	func(ctx context.Context, q Query, column string) (time.Time, error) {
		return q.ofPostgres().Newest(ctx, column)
	},
	func(q Query, schema string) *generation.Place {
		return &generation.Place{Database: &postgres.Work{Query: q.ofPostgres(), Schema: schema}, Schema: schema}
	},
	true,
}

// ofPostgres returns the query for PostgreSQL, whose generations have the export's types.
func (q Query) ofPostgres() postgres.Query {
	return postgres.Query{Address: q.Address, Password: q.Password, PasswordFile: q.PasswordFile, Table: q.Table, SQL: q.SQL, Timeout: q.Timeout}
}

var ofTrino = engine{
	trino.CutPassword,
	func(ctx context.Context, q Query) (Rows, error) { return opened(trino.Query(q).Open(ctx)) },
	func(ctx context.Context, q Query, column string) (time.Time, error) {
		return trino.Query(q).Newest(ctx, column)
	},
	func(q Query, schema string) *generation.Place {
		return &generation.Place{Database: &trino.Work{Query: trino.Query(q), Schema: schema}, Schema: schema}
	},
	false,
}

// opened keeps a nil pointer out of an interface.
func opened[R Rows](rows R, err error) (Rows, error) {
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// engineOf returns the kind of database that an address is of.
func engineOf(address string) (e engine, ok bool) {
	scheme, _, _ := strings.Cut(address, "://")
	switch scheme {
	case "postgres", "postgresql", "redshift":
		return ofPostgres, true
	case trino.Scheme:
		return ofTrino, true
	}
	return engine{}, false
}

// IsAddress reports whether a source is the address of a database.
func IsAddress(address string) bool {
	_, ok := engineOf(address)
	return ok && strings.Contains(address, "://")
}

// HasCatalogue reports whether a database has the catalogue of PostgreSQL, pg_catalog.
func HasCatalogue(address string) bool {
	e, _ := engineOf(address)
	return e.catalogued
}

// CutPassword takes the password, if there is one, out of a database's address. What is left can
// be shown. The error does not hold the address.
func CutPassword(address string) (shown string, password secret.Text, err error) {
	e, _ := engineOf(address)
	return e.cutPassword(address)
}

// Name is what people call it.
func (q Query) Name() string {
	if q.Table != "" {
		return q.Table + " in " + q.Address
	}
	return q.Address
}

// Open asks for the columns. The query runs when the first row is asked for.
func (q Query) Open(ctx context.Context) (Rows, error) {
	e, _ := engineOf(q.Address)
	return e.open(ctx, q)
}

// Newest returns the latest of the times in a column, the zero one if there is none.
func (q Query) Newest(ctx context.Context, column string) (time.Time, error) {
	e, _ := engineOf(q.Address)
	return e.newest(ctx, q, column)
}

// Place returns where generations are kept in a schema, for the owner of that name.
func (q Query) Place(schema, owner string) *generation.Place {
	e, _ := engineOf(q.Address)
	p := e.place(q, schema)
	p.Owner = owner
	return p
}
