package starter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gleapsync/engage"
	"gleapsync/internal/attr"
)

// The tables of Segment's Profiles Sync, in a schema of their own.
const (
	profileTraits      = "user_traits"
	profileIdentifiers = "user_identifiers"
)

const schemasWithProfiles = `SELECT t.table_schema AS user_id FROM information_schema.columns t JOIN information_schema.columns i ON i.table_schema = t.table_schema
WHERE t.table_name = '` + profileTraits + `' AND i.table_name = '` + profileIdentifiers + `' AND position('.' IN t.table_schema) = 0
AND t.column_name = 'canonical_segment_id' AND i.column_name = 'canonical_segment_id' ORDER BY 1`

// profiles returns the pairs of tables with profiles of a database.
func profiles(ctx context.Context, e engage.Export, o Options) ([]source, error) {
	e.Query = schemasWithProfiles
	opened, err := e.Open(ctx)
	if err != nil {
		return nil, err
	}
	var all []source
	_, err = opened.Read(ctx, nil, func(schema []byte, _ []attr.Value) error {
		in := string(schema) + "."
		if !o.takes(in + profileTraits) {
			return nil
		}
		all = append(all, source{Path: e.Source, Table: in + profileTraits, Identifiers: in + profileIdentifiers, address: o.Place, err: unwritable(e.Source + in)})
		return nil
	})
	return all, err
}

// readProfiles tells which audiences and traits profiles have: an audience is true or false.
func readProfiles(ctx context.Context, s source) (*found, error) {
	e := s.export("")
	e.Query = `SELECT name AS user_id, sum(CASE WHEN lower(CAST(value AS varchar)) IN ('true', 'false') THEN 0 ELSE 1 END) AS others
FROM ` + quoteTable(s.Table) + ` WHERE value IS NOT NULL GROUP BY name ORDER BY name`
	opened, err := e.Open(ctx)
	if err != nil {
		return nil, err
	}
	names, isAudience := []string{"user_id"}, map[string]bool{}
	_, err = opened.Read(ctx, []engage.Attribute{{Kind: engage.Trait, Column: "others"}}, func(name []byte, cells []attr.Value) error {
		names = append(names, string(name))
		isAudience[string(name)] = cells[0].String() == "0"
		return nil
	})
	if err != nil {
		return nil, err
	}
	kind, columns, err := classify(names, "")
	if err != nil || kind != "table" {
		return nil, errors.New("none of its names is an audience or a trait")
	}
	f := &found{source: s, Kind: "profiles", Columns: columns}
	for i := range f.Columns {
		f.Columns[i].Audience = isAudience[f.Columns[i].Name]
	}
	f.contact = slices.DeleteFunc(contactColumns(), func(name string) bool { return !slices.Contains(names, name) })
	return f, nil
}

// counted says how many a pattern takes, and what their values look like.
func (f *found) counted(n int, values []string) string {
	noun := "columns"
	if f.Identifiers != "" {
		noun = "names"
	}
	text := fmt.Sprintf("%d %s", n, noun)
	if all := strings.Join(values, ", "); all != "" {
		text += ": " + all
	}
	return text
}
