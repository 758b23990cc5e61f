//go:build linux

package sync

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gleapsync/internal/inputs"
	"gleapsync/internal/postgrestest"
	"gleapsync/internal/rounds"
	"gleapsync/internal/secret"
)

// columnTypes are PostgreSQL's of the kinds of columns; of those that are not here it is text.
var columnTypes = map[string]string{
	"membership": "boolean", "boolean": "boolean", "integer": "bigint", "long": "numeric(20)", "decimal": "numeric(12,2)",
	"float": "float8", "huge": "float8", "date": "date", "time": "timestamptz", "list": "text[]", "object": "json",
}

// TestRoutesOfPostgreSQL is [TestRoutes] for a table whose columns have the cells' types, and
// one in which all are text.
func TestRoutesOfPostgreSQL(t *testing.T) {
	server := postgrestest.Start(t)
	rounds.Check(t, func(r *rapid.T) {
		s := drawSheet(r)
		s.oneRowEach() // of several rows of a file the last one counts, and a database has no last one
		want := s.bodies(t, r, routes["CSV"])
		typed := rapid.Bool().Draw(r, "typed")
		got := s.bodies(t, r, func(_ *world, _ *rapid.T, s *sheet) inputs.Export {
			server.Exec(t, s.sql(typed))
			e := s.export(server.URL("postgres"))
			e.Table, e.Password = "e", secret.Text(postgrestest.Password)
			return e
		})
		if !maps.Equal(got, want) {
			r.Errorf("PostgreSQL gives\n%v\nCSV\n%v", got, want)
		}
	})
}

// oneRowEach leaves out all rows of a user but the first.
func (s *sheet) oneRowEach() {
	seen := map[string]bool{}
	for n := 0; n < len(s.ids); {
		id := s.ids[n]
		if id == nil || !seen[*id] {
			if n++; id != nil {
				seen[*id] = true
			}
			continue
		}
		s.ids = slices.Delete(s.ids, n, n+1)
		for i := range s.columns {
			s.columns[i].cells = slices.Delete(s.columns[i].cells, n, n+1)
		}
	}
}

// sql makes the table.
func (s *sheet) sql(typed bool) string {
	ids := column{"user_id", "text", s.ids}
	if s.numeric {
		ids.kind = "integer"
	}
	columns := append([]column{ids}, s.columns...)
	typeOf := func(c column) string {
		if name := columnTypes[c.kind]; typed && name != "" {
			return name
		}
		return "text"
	}
	var definitions, rows []string
	for _, c := range columns {
		definitions = append(definitions, c.name+" "+typeOf(c))
	}
	literal := func(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
	for n := range s.ids {
		var cells []string
		for _, c := range columns {
			cell := "NULL"
			switch text := c.cells[n]; {
			case text == nil:
			case typeOf(c) == "text[]":
				var items []string
				for _, item := range itemsOf(*text) {
					items = append(items, literal(item))
				}
				cell = "ARRAY[" + strings.Join(items, ", ") + "]::text[]"
			default:
				cell = literal(*text)
			}
			cells = append(cells, cell)
		}
		rows = append(rows, "("+strings.Join(cells, ", ")+")")
	}
	return "DROP TABLE IF EXISTS e; CREATE TABLE e (" + strings.Join(definitions, ", ") + "); INSERT INTO e VALUES " + strings.Join(rows, ", ") + "; SELECT 1"
}
