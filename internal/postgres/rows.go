package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"gleapsync/internal/cell"
	"gleapsync/internal/source"
)

// Rows are the rows of a query. It has all columns that the query has, but asks for the
// values of those only that are wanted.
type Rows struct {
	*database
	ctx        context.Context // the one that the table was opened with, and that ends the query
	conn       *pgconn.PgConn
	names      []string
	fields     []pgconn.FieldDescription // of all columns
	structured map[uint32]bool           // types that are to be made JSON
	asked      []askedColumn
	cells      [][]byte // of all columns
	scratch    []byte   // for cells that are made longer
	since      since    // which rows are wanted, and in which order

	// Once the query runs.
	rows   *pgconn.ResultReader
	cancel context.CancelFunc
	began  time.Time
}

// askedColumn is a column of the query's answer.
type askedColumn struct {
	at  int    // where it stands among all columns
	oid uint32 // its type
}

// Types whose text is not what an export says. The numbers are the same in all servers.
const (
	oidBool        = 16
	oidJSON        = 114
	oidChar        = 1042 // of a fixed length
	oidTimestamp   = 1114
	oidTimestampTZ = 1184
	oidDate        = 1082
	oidJSONB       = 3802
)

// numericOIDs are the types of numbers: int8, int2, int4, float4, float8 and numeric.
var numericOIDs = []uint32{20, 21, 23, 700, 701, 1700}

// describe begins the transaction and finds the columns.
func (d *database) describe(ctx context.Context, conn *pgconn.PgConn) (*Rows, error) {
	if err := conn.Exec(ctx, d.settings("READ ONLY")).Close(); err != nil {
		return nil, err
	}
	statement, err := conn.Prepare(ctx, "", "SELECT * FROM "+d.from(), nil)
	if err != nil {
		return nil, err
	}
	t := &Rows{database: d, ctx: ctx, conn: conn, cells: make([][]byte, len(statement.Fields))}
	for _, field := range statement.Fields {
		t.names = append(t.names, field.Name)
	}
	t.fields = statement.Fields
	t.structured, err = d.structured(ctx, conn, statement.Fields)
	return t, err
}

// Ask says which columns are to be read, before the first row.
func (t *Rows) Ask(columns []int) {
	for _, i := range columns {
		t.asked = append(t.asked, askedColumn{i, t.fields[i].DataTypeOID})
	}
}

// since says which rows are wanted.
type since struct {
	clause string    // behind FROM
	at     time.Time // its parameter, zero: it has none
}

// Since has only those rows be read, before the first, whose column is not before a time or is NULL;
// of a zero time all. They come in the order of the column and then of another one, -1: of none.
// The column has to hold times.
func (t *Rows) Since(column int, at time.Time, then int) error {
	if oid := t.fields[column].DataTypeOID; oid != oidTimestamp && oid != oidTimestampTZ && oid != oidDate {
		return fmt.Errorf("the column %s holds no times: cursor takes one of the type timestamp, timestamp with time zone or date", t.names[column])
	}
	name := quoteName(t.names[column])
	if t.since.at = at.UTC(); !at.IsZero() {
		t.since.clause = fmt.Sprintf(" WHERE (%[1]s >= $1 OR %[1]s IS NULL)", name)
	}
	t.since.clause += " ORDER BY " + name
	if then >= 0 {
		t.since.clause += ", " + quoteName(t.names[then])
	}
	return nil
}

// begin runs the query for the columns that are needed.
func (t *Rows) begin() {
	var values []string
	for _, column := range t.asked {
		value := quoteName(t.names[column.at])
		if t.structured[column.oid] {
			value = "to_json(" + value + ")"
		}
		values = append(values, value)
	}
	ctx, cancel := context.WithTimeout(t.ctx, t.timeout()+cancelTimeout) // in case the server does not keep it
	t.cancel, t.began = cancel, time.Now()
	var parameters [][]byte
	if !t.since.at.IsZero() {
		parameters = [][]byte{[]byte(t.since.at.Format("2006-01-02 15:04:05.999999Z07:00"))}
	}
	t.rows = t.conn.ExecParams(ctx, "SELECT "+strings.Join(values, ", ")+" FROM "+t.from()+t.since.clause, parameters, nil, nil, nil)
}

// structured returns which of the columns' types are arrays or rows: their text is not
// JSON. Redshift has none.
func (d *database) structured(ctx context.Context, conn *pgconn.PgConn, fields []pgconn.FieldDescription) (map[uint32]bool, error) {
	found := map[uint32]bool{}
	if d.redshift {
		return found, nil
	}
	var oids []string
	for _, field := range fields {
		oids = append(oids, fmt.Sprint(field.DataTypeOID))
	}
	answer := conn.ExecParams(ctx, "SELECT oid FROM pg_catalog.pg_type WHERE typcategory IN ('A', 'C') AND oid IN ("+strings.Join(oids, ", ")+")", nil, nil, nil, nil).Read()
	for _, row := range answer.Rows {
		oid, err := strconv.ParseUint(string(row[0]), 10, 32)
		if err != nil {
			return nil, errors.New("the catalogue has a type without a number")
		}
		found[uint32(oid)] = true
	}
	return found, answer.Err
}

// Columns returns the names of the columns.
func (t *Rows) Columns() []string { return t.names }

// Forms sets the forms of the columns, in their order.
func (t *Rows) Forms(all []cell.Form) {
	for i, field := range t.fields {
		switch oid := field.DataTypeOID; {
		case oid == oidBool:
			all[i] = cell.Boolean
		case slices.Contains(numericOIDs, oid):
			all[i] = cell.Number
		case oid == oidJSON, oid == oidJSONB, t.structured[oid]:
			all[i] = cell.JSON
		}
	}
}

// Line returns 0: the rows come in no order, so that their numbers name nothing.
func (t *Rows) Line() int { return 0 }

// Next returns the cells of the next row, one for each column and valid until it is called
// again, or io.EOF. Only the columns that were asked for have a cell.
func (t *Rows) Next() ([][]byte, error) {
	if t.rows == nil {
		t.begin()
	}
	if !t.rows.NextRow() {
		_, err := t.rows.Close()
		switch {
		case err == nil:
			return nil, io.EOF
		case t.ctx.Err() != nil:
			return nil, t.ctx.Err()
		}
		reason := t.reason(err, t.began)
		if refused := new(pgconn.PgError); errors.As(err, &refused) && refused.Code == notPermitted {
			if missing := t.unreadable(); len(missing) > 0 {
				reason = fmt.Sprintf("%s (SQLSTATE %s): let the owner run GRANT SELECT (%s) ON %s TO %s;",
					t.clean(refused.Message), notPermitted, strings.Join(missing, ", "), t.from(), quoteName(t.role))
			}
		}
		return nil, source.Unreadable("%s", reason)
	}
	t.scratch = t.scratch[:0]
	for i, value := range t.rows.Values() {
		column := t.asked[i]
		switch column.oid {
		case oidBool:
			value = booleanText(value)
		case oidChar:
			value = bytes.TrimRight(value, " ")
		case oidTimestamp, oidTimestampTZ:
			value = t.timeText(value)
		}
		t.cells[column.at] = value
	}
	return t.cells, nil
}

// unreadable returns the columns that were asked for and that the role may not read, none if it
// may read none of them: then the whole table is what it needs.
func (t *Rows) unreadable() (names []string) {
	if t.Table == "" || t.redshift {
		return nil
	}
	if t.conn.Exec(t.ctx, "ROLLBACK").Close() != nil {
		return nil
	}
	denied, err := t.denied()
	for _, column := range t.asked {
		if slices.Contains(denied, t.names[column.at]) {
			names = append(names, quoteName(t.names[column.at]))
		}
	}
	if err != nil || len(names) == len(t.asked) {
		return nil
	}
	return names
}

// denied returns the table's columns that the role may not read.
func (t *Rows) denied() (names []string, err error) {
	answer := t.conn.ExecParams(t.ctx, "SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND NOT has_column_privilege(attrelid, attnum, 'SELECT')",
		[][]byte{[]byte(t.from())}, nil, nil, nil).Read()
	for _, row := range answer.Rows {
		names = append(names, string(row[0]))
	}
	return names, answer.Err
}

// Readable returns the names of the columns that the role may read: all, if the server does not
// say. It is called before the first row.
func (t *Rows) Readable() []string {
	if t.Table == "" || t.redshift || t.conn.Exec(t.ctx, "SAVEPOINT readable").Close() != nil {
		return t.names
	}
	denied, err := t.denied()
	if err != nil { // which must not end the transaction
		_ = t.conn.Exec(t.ctx, "ROLLBACK TO SAVEPOINT readable").Close()
		return t.names
	}
	return slices.DeleteFunc(slices.Clone(t.names), func(name string) bool { return slices.Contains(denied, name) })
}

// Close ends the query on the server, if it still runs.
func (t *Rows) Close() error {
	if t.rows != nil {
		t.cancel()
		_, _ = t.rows.Close() // next told its error, or nobody wants the rest
	}
	closeConnection(t.conn)
	return nil
}

var trueText, falseText = []byte("true"), []byte("false")

func booleanText(value []byte) []byte {
	switch string(value) {
	case "t":
		return trueText
	case "f":
		return falseText
	}
	return value
}

// timeText turns 2026-11-20 08:15:00+00, or without a zone, into 2026-11-20T08:15:00Z.
// What RFC 3339 cannot say, such as infinity, stays.
func (t *Rows) timeText(value []byte) []byte {
	const date = len("2026-11-20")
	if len(value) < date+len(" 08:15:00") || value[date] != ' ' || bytes.HasSuffix(value, []byte("BC")) {
		return value
	}
	from := len(t.scratch)
	t.scratch = append(t.scratch, value[:date]...)
	t.scratch = append(t.scratch, 'T')
	t.scratch = append(t.scratch, bytes.TrimSuffix(value[date+1:], []byte("+00"))...)
	t.scratch = append(t.scratch, 'Z')
	return t.scratch[from:]
}
