package starter

import (
	"context"
	"fmt"
	"path"
	"strings"

	"gleapsync/engage"
	"gleapsync/internal/attr"
	"gleapsync/internal/postgres"
)

// sampled is how many rows of a table are looked at: a warehouse may have very many.
const sampled = 10_000

// isBucket reports whether a place is one in object storage.
func isBucket(place string) bool { return strings.Contains(place, "://") && !postgres.IsAddress(place) }

// where names a source in one line.
func (s source) where() string {
	if s.Table != "" {
		return s.Table
	}
	return s.Path
}

// export returns the settings to read a source with.
func (s source) export(base string) engage.Export {
	e := engage.Export{Source: s.Path, Dir: base, Pick: s.Pick}
	if s.Table != "" {
		e.Source, e.Password, _ = postgres.CutPassword(s.address)
		e.Query = fmt.Sprintf("SELECT * FROM %s LIMIT %d", quoteTable(s.Table), sampled)
	}
	return e
}

func quoteTable(name string) string {
	parts := strings.Split(name, ".")
	for i, part := range parts {
		parts[i] = `"` + strings.ReplaceAll(part, `"`, `""`) + `"`
	}
	return strings.Join(parts, ".")
}

// tablesWithUsers finds the columns of tables that the role may read, and that have a row for
// each user: those of events have the time of each.
const tablesWithUsers = `SELECT c.table_schema || '.' || c.table_name AS user_id, c.column_name AS name, c.data_type AS type FROM information_schema.columns c
WHERE c.table_schema NOT IN ('pg_catalog', 'information_schema') AND position('.' IN c.table_schema || c.table_name) = 0
AND EXISTS (SELECT 1 FROM information_schema.columns u
WHERE u.table_schema = c.table_schema AND u.table_name = c.table_name AND lower(u.column_name) IN ('user_id', 'userid', 'external_ids'))
AND NOT EXISTS (SELECT 1 FROM information_schema.columns e
WHERE e.table_schema = c.table_schema AND e.table_name = c.table_name AND lower(e.column_name) IN ('original_timestamp', 'message_id'))
ORDER BY c.table_schema, c.table_name, c.ordinal_position`

// What the catalogue calls the types of booleans and numbers.
var (
	booleanType  = pattern(`^boolean$`)
	numericTypes = pattern(`^(smallint|integer|bigint|numeric|real|double precision)$`)
)

// tables returns the tables of a database.
func tables(ctx context.Context, address string) ([]source, error) {
	shown, password, err := postgres.CutPassword(address)
	if err != nil {
		return nil, err
	}
	e := engage.Export{Source: shown, Password: password, Query: tablesWithUsers}
	opened, err := e.Open(ctx)
	if err != nil {
		return nil, err
	}
	var all []source
	columns := []engage.Attribute{{Kind: engage.Trait, Column: "name"}, {Kind: engage.Trait, Column: "type"}}
	_, err = opened.Read(ctx, columns, func(table []byte, cells []attr.Value) error {
		if len(all) == 0 || all[len(all)-1].Table != string(table) {
			_, name, _ := strings.Cut(string(table), ".")
			all = append(all, source{Path: shown, Table: string(table), Name: name, address: address, types: map[string]string{}, err: unwritable(shown + string(table))})
		}
		all[len(all)-1].types[cells[0].String()] = cells[1].String()
		return nil
	})
	if err != nil {
		return nil, err
	}
	more, err := profiles(ctx, e, address)
	return append(all, more...), err
}

// byType says what the type of a table's column tells, whatever the values in the rows that
// were looked at.
func (c *column) byType(name string) {
	switch {
	case booleanType().MatchString(name):
		c.Audience, c.Values = true, "booleans"
	case numericTypes().MatchString(name):
		c.Audience, c.Values = false, "numbers"
	}
}

// objects returns what the objects under an address are, folder by folder.
func objects(ctx context.Context, address string) ([]source, error) {
	address, query, asked := strings.Cut(address, "?")
	if asked {
		query = "?" + query
	}
	address = strings.TrimSuffix(address, "/") + "/"
	e := engage.Export{Source: address + query, Pick: engage.PickAll, Changes: true} // without asking for parts
	opened, err := e.Open(ctx)
	if err != nil {
		return nil, err
	}
	var folders []string
	names := map[string][]string{}
	for _, file := range opened.Files() {
		folder, name := path.Split(file.Name)
		if names[folder] == nil {
			folders = append(folders, folder)
		}
		names[folder] = append(names[folder], name)
	}
	var all []source
	for _, folder := range folders {
		for _, s := range sourcesIn(strings.TrimSuffix(folder, "/"), "", names[folder]) {
			s.Path += query
			all = append(all, s)
		}
	}
	return all, nil
}
