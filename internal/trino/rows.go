package trino

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"gleapsync/internal/cell"
	"gleapsync/internal/exchange"
	"gleapsync/internal/jsonscan"
	"gleapsync/internal/nearest"
	"gleapsync/internal/outside"
	"gleapsync/internal/secret"
	"gleapsync/internal/source"
)

// defaultTimeout is how long a query may take if the settings do not say.
const defaultTimeout = 10 * time.Minute

// Query is a table or a query of a Trino.
type Query struct {
	Address      string        // without its password
	Password     secret.Text   // "": that of the environment, if any
	PasswordFile string        // holds the password, instead of Password
	Table        string        // as the catalogue has the names: name, schema.name or catalog.schema.name, or
	SQL          string        // whose rows are read
	Timeout      time.Duration // 0: 10 minutes
	Types        []string      // of the columns of SQL, which reads what was kept of others; nil: those that it has
}

// database is a query that is being asked.
type database struct {
	Query
	*client
	user       string
	schema     string              // in which tables are made, "": in none
	noPassword bool                // none was given
	clean      func(string) string // makes what the server says fit to be shown
}

func (d *database) timeout() time.Duration { return cmp.Or(d.Timeout, defaultTimeout) }

// name is what people call it.
func (q Query) name() string {
	if q.Table != "" {
		return q.Table + " in " + q.Address
	}
	return q.Address
}

// from returns what stands behind FROM.
func (q Query) from() string {
	if q.Table != "" {
		return quoteParts(q.Table)
	}
	return "(\n" + strings.TrimRight(q.SQL, "; \t\r\n") + "\n) AS export" // the line break ends a comment
}

// connect returns the database of a query. It sends nothing.
func (q Query) connect() (*database, error) {
	t, err := parse(q.Address)
	if err != nil {
		return nil, err
	}
	password, err := q.password()
	if err == nil {
		err = t.mayTell(password)
	}
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.OnProxyConnectResponse = exchange.ProxyAnswer
	d := &database{Query: q, user: t.user, noPassword: password == "", clean: outside.Cleaner(string(password))}
	d.client = newClient(t, password, d.timeout(), exchange.Answers(transport))
	return d, nil
}

// Rows are the rows of a query. It has all columns that the query has, but asks for the values of
// those only that are wanted.
type Rows struct {
	*database
	ctx     context.Context // the one that the table was opened with, and that ends the query
	names   []string
	types   []string
	asked   []int
	since   string // what stands behind FROM
	cells   [][]byte
	values  []json.RawMessage // of one row
	scratch []byte            // for cells that are made longer

	// Once the query runs.
	statement *statement
	began     time.Time
	rows      []json.RawMessage // of the page that came last, those that are left
}

// Open finds the columns. The query runs when the first row is asked for.
func (q Query) Open(ctx context.Context) (*Rows, error) {
	d, err := q.connect()
	if err != nil {
		return nil, source.Unreadable("%s: %v", q.name(), err)
	}
	return d.open(ctx)
}

func (d *database) open(ctx context.Context) (*Rows, error) {
	t := &Rows{database: d, ctx: ctx, began: time.Now()}
	head, err := d.run(ctx, "SELECT * FROM "+d.from()+" LIMIT 0") // which reads nothing
	switch {
	case ctx.Err() != nil:
		t.http.CloseIdleConnections()
		return nil, ctx.Err()
	case err != nil:
		t.http.CloseIdleConnections()
		return nil, source.Unreadable("%s: %s", d.name(), d.reason(err, t.began))
	}
	for _, column := range head.Columns {
		t.names, t.types = append(t.names, column.Name), append(t.types, column.Type)
	}
	if t.Types != nil {
		if err := t.checkKept(); err != nil {
			t.http.CloseIdleConnections()
			return nil, err
		}
		t.types = t.Types
	}
	t.cells = make([][]byte, len(t.names))
	return t, nil
}

// Columns returns the names of the columns.
func (t *Rows) Columns() []string { return t.names }

// Readable returns all names: Trino says which columns may be read only when they are.
func (t *Rows) Readable() []string { return t.names }

// Ask says which columns are to be read, before the first row.
func (t *Rows) Ask(columns []int) { t.asked = append(t.asked, columns...) }

// Since has only those rows be read, before the first, whose column is not before a time or is NULL;
// of a zero time all. They come in the order of the column and then of another one, -1: of none.
// The column has to hold times.
func (t *Rows) Since(column int, at time.Time, then int) error {
	kind := t.types[column]
	if !isTime(kind) {
		return fmt.Errorf("the column %s holds no times: cursor takes one of the type timestamp, timestamp with time zone or date", t.names[column])
	}
	name := quoteName(t.names[column])
	t.since = ""
	if !at.IsZero() {
		t.since = fmt.Sprintf(" WHERE (%[1]s >= CAST(TIMESTAMP '%[2]s UTC' AS %[3]s) OR %[1]s IS NULL)", name, at.UTC().Format("2006-01-02 15:04:05.000000"), kind)
	}
	t.since += " ORDER BY " + name
	if then >= 0 {
		t.since += ", " + quoteName(t.names[then])
	}
	return nil
}

func isTime(kind string) bool { return kind == "date" || strings.HasPrefix(kind, "timestamp") }

// isStructured reports whether values of a type have no text of their own.
func isStructured(kind string) bool {
	return strings.HasPrefix(kind, "array(") || strings.HasPrefix(kind, "map(") || strings.HasPrefix(kind, "row(")
}

// numbers are the types of numbers; decimal has its digits behind it.
var numbers = []string{"tinyint", "smallint", "integer", "bigint", "real", "double", "decimal"}

// Forms sets the forms of the columns, in their order.
func (t *Rows) Forms(all []cell.Form) {
	for i, kind := range t.types {
		switch {
		case kind == "boolean":
			all[i] = cell.Boolean
		case slices.Contains(numbers, nameOf(kind)):
			all[i] = cell.Number
		case kind == "json", isStructured(kind):
			all[i] = cell.JSON
		}
	}
}

// Line returns 0: the rows come in no order, so that their numbers name nothing.
func (t *Rows) Line() int { return 0 }

// value returns what stands in SQL for a column's value.
func (t *Rows) value(column int) string {
	name := quoteName(t.names[column])
	if t.Types != nil { // it was kept so
		return name
	}
	return fmt.Sprintf(inText(t.types[column]), name)
}

// inText returns what is read of a column of a type, which stands for %s.
func inText(kind string) string {
	switch {
	case isStructured(kind):
		return "json_format(CAST(%s AS json))"
	case strings.HasSuffix(kind, "with time zone"):
		return "%s AT TIME ZONE 'UTC'"
	}
	return "%s"
}

// begin runs the query for the columns that are needed.
func (t *Rows) begin() error {
	values := make([]string, len(t.asked))
	for i, column := range t.asked {
		values[i] = t.value(column)
	}
	t.began = time.Now()
	s, p, err := t.client.begin(t.ctx, "SELECT "+strings.Join(values, ", ")+" FROM "+t.from()+t.since)
	if t.statement = s; err == nil {
		t.rows = p.Data
	}
	return err
}

// Next returns the cells of the next row, one for each column and valid until it is called again,
// or io.EOF. Only the columns that were asked for have a cell.
func (t *Rows) Next() ([][]byte, error) {
	err := t.fill()
	switch {
	case err == io.EOF:
		return nil, io.EOF
	case t.ctx.Err() != nil:
		return nil, t.ctx.Err()
	case err != nil:
		return nil, source.Unreadable("%s", t.reason(err, t.began))
	}
	t.scratch = t.scratch[:0]
	for i, value := range t.values {
		column := t.asked[i]
		t.cells[column] = t.text(t.types[column], value)
	}
	return t.cells, nil
}

// fill has the values of the next row in t.values, or returns io.EOF.
func (t *Rows) fill() error {
	if t.statement == nil {
		if err := t.begin(); err != nil {
			return err
		}
	}
	for len(t.rows) == 0 {
		p, err := t.statement.read(t.ctx)
		switch {
		case err == nil && p != nil && time.Since(t.began) > t.timeout()+cancelTimeout: // the server does not keep it
			return errTooLong
		case err != nil:
			return err
		case p == nil:
			return io.EOF
		}
		t.rows = p.Data
	}
	row := t.rows[0]
	t.rows = t.rows[1:]
	if len(row) > cell.MaxRow {
		return errLongRow
	}
	if t.values = jsonscan.Items(t.values[:0], row); row[0] != '[' || len(t.values) != len(t.asked) {
		return errNotTrino
	}
	return nil
}

// text returns a value as an export would have it, nil for none.
func (t *Rows) text(kind string, value json.RawMessage) []byte {
	if string(value) == "null" {
		return nil
	}
	text := jsonscan.Text(value)
	switch {
	case strings.HasPrefix(kind, "timestamp"):
		return t.timeText(text)
	case strings.HasPrefix(kind, "char("):
		return bytes.TrimRight(text, " ")
	}
	return text
}

// timeText turns 2026-11-20 08:15:00.250 UTC, or without a zone, into 2026-11-20T08:15:00.25Z. What
// RFC 3339 cannot say, such as the year 12026, stays.
func (t *Rows) timeText(value []byte) []byte {
	const date = len("2026-11-20")
	if len(value) < date+len(" 08:15:00") || value[date] != ' ' || value[0] == '-' || value[0] == '+' {
		return value
	}
	clock := bytes.TrimSuffix(value[date+1:], []byte(" UTC"))
	if bytes.IndexByte(clock, '.') >= 0 {
		clock = bytes.TrimRight(bytes.TrimRight(clock, "0"), ".")
	}
	from := len(t.scratch)
	t.scratch = append(append(append(t.scratch, value[:date]...), 'T'), clock...)
	t.scratch = append(t.scratch, 'Z')
	return t.scratch[from:]
}

// Close ends the query on the server, if it still runs.
func (t *Rows) Close() error {
	if t.statement != nil {
		t.statement.end(t.ctx)
	}
	t.http.CloseIdleConnections()
	return nil
}

// Newest returns the latest of the times in a column, the zero one if there is none.
func (q Query) Newest(ctx context.Context, column string) (time.Time, error) {
	t, err := q.Open(ctx)
	if err != nil {
		return time.Time{}, err
	}
	defer t.Close()
	i := slices.Index(t.names, column)
	switch {
	case i < 0:
		return time.Time{}, source.Unreadable("%s: there is no column %q, which loaded_at names%s", t.name(), column, nearest.Hint(column, t.names))
	case !isTime(t.types[i]):
		return time.Time{}, fmt.Errorf("%s: the column %q, which loaded_at names, has no times: it takes one of a type such as timestamp", t.name(), column)
	}
	t.began = time.Now()
	answer, err := t.run(ctx, "SELECT max("+t.value(i)+") FROM "+t.from())
	switch {
	case ctx.Err() != nil:
		return time.Time{}, ctx.Err()
	case err == nil && len(answer.Data) != 1:
		err = errNotTrino
	}
	if err != nil {
		return time.Time{}, source.Unreadable("%s: %s", t.name(), t.reason(err, t.began))
	}
	text := t.text(t.types[i], jsonscan.Items(nil, answer.Data[0])[0])
	if text == nil {
		return time.Time{}, nil
	}
	newest, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil {
		newest, err = time.Parse(time.DateOnly, string(text))
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: the newest time in the column %q, which loaded_at names, is none that can be read", t.name(), column)
	}
	return newest, nil
}
