//go:build linux

package sync

import (
	"maps"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gleapsync/gleap"
	"gleapsync/internal/inputs"
	"gleapsync/internal/postgrestest"
	"gleapsync/internal/rounds"
	"gleapsync/internal/secret"
)

// TestSeveralRowsOfPostgreSQL: in whatever order a table's rows lie, all that comes of them is the
// same, so a sync finds nothing to do when they move.
func TestSeveralRowsOfPostgreSQL(t *testing.T) {
	server := postgrestest.Start(t)
	fill := func(rows []string) {
		var values []string
		for _, row := range rows {
			var cells []string
			for _, cell := range strings.Split(row, ",") {
				if cell == "" {
					cells = append(cells, "NULL")
				} else {
					cells = append(cells, "'"+cell+"'")
				}
			}
			values = append(values, "("+strings.Join(cells, ",")+")")
		}
		server.Exec(t, "DROP TABLE IF EXISTS torn; CREATE TABLE torn (user_id text, vip boolean, plan text, email text); INSERT INTO torn VALUES "+strings.Join(values, ","))
	}
	for _, query := range []string{"", "SELECT * FROM torn"} {
		e := tornExport(server.URL("postgres"))
		e.Password, e.Query = secret.Text(postgrestest.Password), query
		if query == "" {
			e.Table = "torn"
		}
		w := newWorld(t, e)
		w.options.Fields = []inputs.Field{{Field: gleap.Email, Columns: []string{"email"}}}
		fill(tornTable)
		report := w.sync(t, inputs.Request{})
		want := "2 users have several rows in " + e.Origin() + " that say different things: true counts before false, and else the greater value; a query with one row for each user can choose another"
		if note := tornNote(report.Notes); note != want {
			t.Errorf("%q, want %q", note, want)
		}
		told := map[string]string{
			"u1": `{"email":"b@x.io","plan":"9","vip":true}`, "u2": `{"plan":"b","vip":true}`, "u3": `{"email":"c@x.io","plan":"1","vip":true}`, "u4": `{"plan":"2"}`,
		}
		if got := w.contacts(); !maps.Equal(got, told) {
			t.Errorf("%v, want %v", got, told)
		}
		rounds.Check(t, func(r *rapid.T) {
			fill(rapid.Permutation(tornTable).Draw(r, "rows"))
			if report := w.sync(r, inputs.Request{}); report.Contacts.Planned != 0 || tornNote(report.Notes) != want {
				r.Errorf("%+v, %q", report.Contacts, report.Notes)
			}
			store := w.runner(r).store
			for user, want := range map[string]string{"u1": "9 true", "u2": "b true", "u3": "1 true"} {
				said, err := AskExports(t.Context(), w.options, store, user)
				if err != nil {
					r.Fatal(err)
				}
				if got := said["plan"].Value.String() + " " + said["vip"].Value.String(); got != want {
					r.Errorf("%s: asked: %s, want %s", user, got, want)
				}
			}
		})
	}
}
