package starter

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"gleapsync/engage"
	"gleapsync/internal/attr"
	"gleapsync/internal/database"
	"gleapsync/internal/pattern"
	"gleapsync/internal/values"
)

// sampled is how many rows of a table are looked at: a warehouse may have very many.
const sampled = 10_000

// export returns the settings to read a source with.
func (s source) export(base string) engage.Export {
	e := engage.Export{Source: s.Path, Dir: base, Pick: s.Pick, UserID: s.UserID}
	if s.Table != "" {
		e.Source, e.Password, _ = database.CutPassword(s.address)
		columns := make([]string, len(s.columns)) // those that the role may read
		for i, name := range s.columns {
			columns[i] = quoteName(name)
		}
		e.Query = fmt.Sprintf("SELECT %s FROM %s LIMIT %d", strings.Join(columns, ", "), quoteTable(s.Table), sampled)
	}
	return e
}

func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func quoteTable(name string) string {
	parts := strings.Split(name, ".")
	for i, part := range parts {
		parts[i] = quoteName(part)
	}
	return strings.Join(parts, ".")
}

// tablesWithUsers finds the columns of tables that the role may read, and that have a column
// with user ids.
const tablesWithUsers = `SELECT c.table_schema || '.' || c.table_name AS user_id, c.column_name AS name, c.data_type AS type, %s
WHERE c.table_schema NOT IN ('pg_catalog', 'information_schema') AND position('.' IN c.table_schema || c.table_name) = 0
AND EXISTS (SELECT 1 FROM information_schema.columns u
WHERE u.table_schema = c.table_schema AND u.table_name = c.table_name AND %s)%s
ORDER BY c.table_schema, c.table_name, c.ordinal_position`

// How large a table is the catalogue of PostgreSQL knows. In others only the schema of the address
// counts, if it has one.
const (
	withSize = `k.reltuples AS size
FROM information_schema.columns c
LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = c.table_schema
LEFT JOIN pg_catalog.pg_class k ON k.relnamespace = n.oid AND k.relname = c.table_name`
	withoutSize = `0 AS size
FROM information_schema.columns c`
	ofAddress = `
AND c.table_schema = coalesce(current_schema, c.table_schema)`
)

// withoutEvents passes over tables of events, which have the time of each, and Segment's own
// ones of calls: they have a row for each call.
const withoutEvents = `
AND NOT EXISTS (SELECT 1 FROM information_schema.columns e
WHERE e.table_schema = c.table_schema AND e.table_name = c.table_name AND (lower(e.column_name) IN ('original_timestamp', 'message_id')
OR lower(e.column_name) = 'received_at' AND lower(c.table_name) IN ('identifies', 'tracks', 'pages', 'screens', 'groups', 'aliases', 'audience_entered', 'audience_exited', 'trait_computed')))`

// errEmptyTable is what is wrong with a table that says nothing of its columns.
var errEmptyTable = errors.New("it has no rows: if it is the table that Segment fills, run gleapsync init again once it has some")

// errRepeated is what is wrong with a table of which the rows come in no order.
var errRepeated = errors.New("it has several rows for each user, as tables of events have, and nobody can tell which of them counts: sync a query with one row for each")

// What the catalogues call the types of booleans and numbers.
var (
	booleanType  = pattern.Of(`^boolean$`)
	numericTypes = pattern.Of(`^(tinyint|smallint|integer|bigint|numeric|decimal\(.*\)|real|double|double precision)$`)
)

// tables returns the tables of a database.
func tables(ctx context.Context, o Options) ([]source, error) {
	shown, password, err := database.CutPassword(o.Place)
	if err != nil {
		return nil, err
	}
	ids, passOver := "lower(u.column_name) IN ('user_id', 'userid', 'external_ids')", withoutEvents
	if o.UserID != "" {
		ids = "u.column_name = " + quoteText(o.UserID)
	}
	if len(o.Tables) > 0 {
		passOver = ""
	}
	size := withSize
	if !database.HasCatalogue(o.Place) {
		size, passOver = withoutSize, passOver+ofAddress
	}
	e := engage.Export{Source: shown, Password: password, Query: fmt.Sprintf(tablesWithUsers, size, ids, passOver)}
	opened, err := e.Open(ctx)
	if err != nil {
		return nil, err
	}
	var all []source
	_, err = opened.Read(ctx, traits("name", "type", "size"), func(table []byte, cells []attr.Value) error {
		if !o.takes(string(table)) {
			return nil
		}
		if len(all) == 0 || all[len(all)-1].Table != string(table) {
			_, name, _ := strings.Cut(string(table), ".")
			size, _ := strconv.ParseFloat(cells[2].String(), 64) // an estimate, which a view does not have
			all = append(all, source{
				Path: shown, Table: string(table), Name: name, UserID: o.UserID, size: int(size), address: o.Place, types: map[string]string{}, err: unwritable(shown + string(table)),
			})
		}
		s := &all[len(all)-1]
		s.columns = append(s.columns, cells[0].String())
		s.types[cells[0].String()] = cells[1].String()
		return nil
	})
	if err != nil {
		return nil, err
	}
	if database.HasCatalogue(o.Place) {
		addDenied(ctx, e, all)
	}
	more, err := profiles(ctx, e, o)
	return append(all, more...), err
}

// deniedColumns finds the columns that the role may not read, of tables of which it may read others.
const deniedColumns = `SELECT n.nspname || '.' || k.relname AS user_id, a.attname AS name, current_user AS role
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class k ON k.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = k.relnamespace
WHERE k.relkind IN ('r', 'v', 'm', 'f', 'p') AND a.attnum > 0 AND NOT a.attisdropped AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%'
AND has_any_column_privilege(k.oid, 'SELECT') AND NOT has_column_privilege(k.oid, a.attnum, 'SELECT')
ORDER BY n.nspname, k.relname, a.attnum`

// addDenied adds the columns that the role may not read to some tables. Redshift does not say.
func addDenied(ctx context.Context, e engage.Export, all []source) {
	e.Query = deniedColumns
	opened, err := e.Open(ctx)
	if err != nil {
		return
	}
	_, _ = opened.Read(ctx, traits("name", "role"), func(table []byte, cells []attr.Value) error {
		for i := range all {
			if s := &all[i]; s.Table == string(table) {
				s.denied = append(s.denied, cells[0].String())
				s.grant = fmt.Sprintf("GRANT SELECT ON %s TO %s;", quoteTable(s.Table), quoteName(cells[1].String()))
			}
		}
		return nil
	})
}

// withheld returns the columns that the role may not read and that look like audiences or traits.
func (s source) withheld() []column {
	_, columns, _ := classify(append([]string{"user_id"}, s.denied...), s.UserID)
	columns = slices.DeleteFunc(columns, func(c column) bool { return c.LeftOut != "" })
	for i := range columns {
		columns[i].LeftOut = "the role may not read it: " + s.grant
	}
	return columns
}

// traits returns attributes for columns of the catalogue.
func traits(columns ...string) []engage.Attribute {
	all := make([]engage.Attribute, len(columns))
	for i, column := range columns {
		all[i] = engage.Attribute{Kind: engage.Trait, Column: column}
	}
	return all
}

func quoteText(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// takes reports whether a table is one of those that were asked for.
func (o Options) takes(table string) bool {
	return len(o.Tables) == 0 || slices.ContainsFunc(o.Tables, func(pattern string) bool {
		ok, err := path.Match(pattern, table)
		return pattern == table || ok && err == nil
	})
}

// byType says what the type of a table's column tells, whatever the values in the rows that
// were looked at, except that numbers with too many digits are sent as text.
func (c *column) byType(name string, looks shapes) {
	switch {
	case numericTypes().MatchString(name) && looks.ids > 0:
		c.Audience, c.Values, c.Type = false, "numbers with too many digits, which are sent as text", string(values.Text)
	case booleanType().MatchString(name):
		c.Audience, c.Values = true, "booleans"
	case numericTypes().MatchString(name):
		c.Audience, c.Values = false, "numbers"
	}
}

// compareTables orders those that may have the same columns: the table that Engage fills comes
// first, and then the largest one.
func compareTables(a, b *found) int {
	if a.Table == "" || b.Table == "" {
		return 0
	}
	rank := func(f *found) int {
		schema, name, _ := strings.Cut(strings.ToLower(f.Table), ".")
		if strings.HasPrefix(schema, "engage_") && name == "users" {
			return 0
		}
		return 1
	}
	return cmp.Or(rank(a)-rank(b), max(b.Rows, b.size)-max(a.Rows, a.size))
}

// maxSeen is how many tables an error names.
const maxSeen = 10

// unread says of the tables of a database why there is nothing in them to sync, those first that
// look like Engage's.
func unread(ctx context.Context, o Options) ([]string, error) {
	shown, password, err := database.CutPassword(o.Place)
	if err != nil {
		return nil, err
	}
	e := engage.Export{Source: shown, Password: password, Query: `SELECT n.nspname || '.' || k.relname AS user_id, a.attname AS name,
CASE WHEN has_schema_privilege(n.nspname, 'USAGE') THEN 1 ELSE 0 END AS use, CASE WHEN has_table_privilege(k.oid, 'SELECT') THEN 1 ELSE 0 END AS look, current_user AS role
FROM pg_catalog.pg_class k JOIN pg_catalog.pg_namespace n ON n.oid = k.relnamespace JOIN pg_catalog.pg_attribute a ON a.attrelid = k.oid
WHERE k.relkind IN ('r', 'v', 'm', 'f', 'p') AND a.attnum > 0 AND NOT a.attisdropped AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%'
ORDER BY CASE WHEN n.nspname LIKE 'engage\_%' THEN 0 ELSE 1 END, CASE WHEN k.relname = 'users' THEN 0 ELSE 1 END, n.nspname, k.relname, a.attnum`}
	opened, err := e.Open(ctx)
	if err != nil {
		return nil, err
	}
	type table struct {
		name, role string
		use, look  bool
		columns    []string
	}
	var all []table
	_, err = opened.Read(ctx, traits("name", "use", "look", "role"), func(name []byte, cells []attr.Value) error {
		if len(all) == 0 || all[len(all)-1].name != string(name) {
			all = append(all, table{string(name), cells[3].String(), cells[1].String() == "1", cells[2].String() == "1", nil})
		}
		all[len(all)-1].columns = append(all[len(all)-1].columns, cells[0].String())
		return nil
	})
	ids := []string{"user_id", "userid", "external_ids"}
	if o.UserID != "" {
		ids = []string{o.UserID}
	}
	var lines []string
	if len(all) == 0 {
		return []string{"the database has no tables: check its name, which stands behind the last / of the address"}, err
	}
	there := make([]string, len(all))
	for i, t := range all {
		there[i] = t.name
	}
	if !slices.ContainsFunc(there, o.takes) {
		return []string{fmt.Sprintf("no table is called %s: there are %s", strings.Join(o.Tables, ", "), named(there))}, err
	}
	for _, t := range all {
		if !o.takes(t.name) {
			continue
		}
		schema, _, _ := strings.Cut(t.name, ".")
		hasIDs := slices.ContainsFunc(t.columns, func(c string) bool { return c == o.UserID || slices.Contains(ids, strings.ToLower(c)) })
		grant := fmt.Sprintf("GRANT SELECT ON %s TO %s;", quoteTable(t.name), quoteName(t.role))
		var why string
		switch {
		case !t.use && !t.look:
			grant = fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s; %s", quoteName(schema), quoteName(t.role), grant)
			why = "its role may not use the schema: let the owner run " + grant
		case !t.use:
			why = fmt.Sprintf("its role may not use the schema: let the owner run GRANT USAGE ON SCHEMA %s TO %s;", quoteName(schema), quoteName(t.role))
		case !hasIDs:
			why = fmt.Sprintf("it has no column %s but %s: if one of them has the user ids, name it with --user-id", ids[0], named(t.columns))
		case !t.look:
			why = "its role may not read it: let the owner run " + grant
		default:
			continue // that it holds events, or what else is wrong with it, was said
		}
		lines = append(lines, t.name+": "+why)
	}
	if more := len(lines) - maxSeen; more > 0 {
		lines = append(lines[:maxSeen], fmt.Sprintf("and %d more tables", more))
	}
	return lines, err
}

// named lists the first of some names.
func named(names []string) string {
	more := len(names) - few
	if more > 0 {
		names = names[:few]
	}
	text := strings.Join(names, ", ")
	if more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// repeats tells whether most rows are about users of whom there was a row already.
type repeats struct {
	last  []byte
	users map[string]bool
}

func (r *repeats) add(userID []byte) {
	if r.users == nil {
		r.users = map[string]bool{}
	}
	if !bytes.Equal(r.last, userID) {
		r.last = append(r.last[:0], userID...)
		r.users[string(userID)] = true
	}
}

func (r *repeats) most(rows int) bool { return rows > 1 && 2*len(r.users) <= rows }
