package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"gleapsync/internal/generation"
	"gleapsync/internal/outside"
	"gleapsync/internal/source"
)

// Work runs statements in a database of which one is a Query: it implements what a
// [generation.Place] wants.
type Work struct {
	Query
	Schema string // in which tables are made
}

// Exec runs a statement for good.
func (w *Work) Exec(ctx context.Context, sql string, arguments ...string) error {
	drops := strings.HasPrefix(sql, "DROP ")
	return w.do(ctx, "READ WRITE", func(ctx context.Context, conn *pgconn.PgConn) error {
		if drops && !strings.HasPrefix(w.Address, "redshift:") { // somebody may read it
			if err := conn.Exec(ctx, "SET LOCAL lock_timeout = '10s'").Close(); err != nil {
				return err
			}
		}
		_, err := conn.ExecParams(ctx, sql, parameters(arguments), nil, nil, nil).Close()
		return err
	})
}

// Each runs a statement and calls row with each of its rows.
func (w *Work) Each(ctx context.Context, sql string, arguments []string, row func(cells [][]byte) error) error {
	var failed error
	err := w.do(ctx, "READ ONLY", func(ctx context.Context, conn *pgconn.PgConn) error {
		rows := conn.ExecParams(ctx, sql, parameters(arguments), nil, nil, nil)
		for failed == nil && rows.NextRow() {
			failed = row(rows.Values())
		}
		_, err := rows.Close()
		return err
	})
	if failed != nil {
		return failed
	}
	return err
}

// Tables returns the names of the tables in a schema that begin with a prefix.
func (w *Work) Tables(ctx context.Context, schema, prefix string) (names []string, err error) {
	err = w.Each(ctx, "SELECT table_name FROM information_schema.tables WHERE table_schema = $1", []string{schema}, func(cells [][]byte) error {
		if name := string(cells[0]); strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
		return nil
	})
	return names, err
}

func parameters(arguments []string) (all [][]byte) {
	for _, a := range arguments {
		all = append(all, []byte(a))
	}
	return all
}

// do has do run a statement in a transaction of its own.
func (w *Work) do(ctx context.Context, mode string, do func(context.Context, *pgconn.PgConn) error) error {
	d := &database{Query: w.Query, schema: w.Schema, redshift: strings.HasPrefix(w.Address, "redshift:"), clean: outside.Cleaner(string(w.Password))}
	conn, err := d.connect(ctx)
	if err != nil {
		return err
	}
	defer closeConnection(conn)
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, d.timeout()+cancelTimeout) // in case the server does not keep it
	defer cancel()
	begin := d.settings(mode)
	err = conn.Exec(limited, begin).Close()
	if err == nil {
		err = do(limited, conn)
	}
	if err == nil {
		err = conn.Exec(limited, "COMMIT").Close()
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return source.Unreadable("%s: %s", d.Name(), d.reason(err, began))
}

// Dialect says what is particular to PostgreSQL and Redshift.
func (w *Work) Dialect() generation.Dialect {
	d := generation.Dialect{
		// What is lost in a crash costs a reading, and what is not written twice is there sooner.
		Create:    "CREATE UNLOGGED TABLE %s AS %s",
		Differs:   "%s IS DISTINCT FROM %s",
		Text:      textOf(false),
		Parameter: parameter,
		Rows:      rowsOf,
		MostRows:  1000, // with three texts each
		Quote:     quoteName,
		Schema:    quoteName,
	}
	if strings.HasPrefix(w.Address, "redshift:") {
		d.Create, d.Text = "CREATE TABLE %s DISTKEY (gleapsync_key) SORTKEY (gleapsync_key) AS %s", textOf(true)
		d.Differs = "(%[1]s <> %[2]s OR %[1]s IS NULL AND %[2]s IS NOT NULL OR %[1]s IS NOT NULL AND %[2]s IS NULL)"
	}
	return d
}

func parameter(n int) string { return fmt.Sprintf("$%d", n) }

// rowsOf returns what stands behind INSERT INTO for rows of texts.
func rowsOf(rows [][]string) (sql string, arguments []string) {
	var all []string
	for _, row := range rows {
		var names []string
		for _, text := range row {
			arguments = append(arguments, text)
			names = append(names, parameter(len(arguments)))
		}
		all = append(all, "("+strings.Join(names, ", ")+")")
	}
	return "VALUES " + strings.Join(all, ", "), arguments
}

// Types whose texts a user id may be: int8, int2, int4, text, char, varchar and uuid.
var keyOIDs = []uint32{20, 21, 23, oidText, oidChar, oidVarchar, 2950}

// Types of which two values that the database finds equal are one: int8, int2, int4, float4, float8,
// uuid, and those that have names.
var exactOIDs = []uint32{20, 21, 23, 700, 701, 2950, oidBool, oidDate, oidTimestamp, oidTimestampTZ}

const (
	oidText    = 25
	oidVarchar = 1043
	oidNumeric = 1700
	oidSuper   = 4000 // of Redshift
)

// Export returns what a generation of the rows is taken of, with some columns, of which one has the
// user ids.
func (t *Rows) Export(key int, columns []int) (generation.Export, error) {
	if !slices.Contains(keyOIDs, t.fields[key].DataTypeOID) {
		return generation.Export{}, fmt.Errorf("the column %s, which has the user ids, holds neither texts nor integers nor UUIDs: a query can make it one with CAST(… AS text)", t.names[key])
	}
	e := generation.Export{From: t.from(), Key: "CAST(" + quoteName(t.names[key]) + " AS " + textOf(t.redshift) + ")" + t.byBytes()}
	for _, i := range columns {
		f := t.fields[i]
		e.Form += fmt.Sprintf("%q %d %d, ", f.Name, f.DataTypeOID, f.TypeModifier)
		e.Columns = append(e.Columns, generation.Column{Name: f.Name, Keep: "%s", Compare: t.compare(f)})
	}
	return e, nil
}

// compare returns what is compared of a column: two values are one only if their texts are.
func (t *Rows) compare(f pgconn.FieldDescription) string {
	switch oid := f.DataTypeOID; {
	case slices.Contains(exactOIDs, oid), oid == oidNumeric && f.TypeModifier >= 0: // else it has 1.0 and 1.00
		return "%s"
	case oid == oidText, oid == oidVarchar, oid == oidChar:
		return "%s" + t.byBytes()
	case oid == oidSuper:
		return "json_serialize(%s)"
	}
	return "CAST(%s AS " + textOf(t.redshift) + ")" + t.byBytes()
}

// byBytes has texts compared by their bytes: some collations take different ones for the same.
func (d *database) byBytes() string {
	if d.redshift {
		return ""
	}
	return ` COLLATE "C"`
}

func textOf(redshift bool) string {
	if redshift { // text is short there
		return "varchar(65535)"
	}
	return "text"
}
