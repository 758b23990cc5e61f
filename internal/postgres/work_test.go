//go:build linux

package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gleapsync/internal/generation"
	"gleapsync/internal/postgres"
	"gleapsync/internal/postgrestest"
	"gleapsync/internal/rounds"
	"gleapsync/internal/secret"
)

func place(server *postgrestest.Server, owner string) *generation.Place {
	q := postgres.Query{Address: server.URL("postgres"), Password: secret.Text(postgrestest.Password), Table: "public.users"}
	return &generation.Place{Database: &postgres.Work{Query: q, Schema: "kept"}, Schema: "kept", Owner: owner}
}

// exportOf describes the table.
func exportOf(t fataler, p *generation.Place) generation.Export {
	q := p.Database.(*postgres.Work).Query
	rows, err := q.Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	e, err := rows.Export(0, allOf(rows))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// allOf returns the places of all columns.
func allOf(rows *postgres.Rows) (all []int) {
	for i := range rows.Columns() {
		all = append(all, i)
	}
	return all
}

type fataler interface{ Fatal(...any) }

func (of of) next() string { return generation.NewID([32]byte(of)) }

type of [32]byte

// read returns the rows of a query, each as a text.
func read(t fataler, p *generation.Place, sql string) (all []string) {
	q := p.Database.(*postgres.Work).Query
	q.Table, q.SQL = "", sql
	rows, err := q.Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	rows.Ask(allOf(rows))
	for {
		cells, err := rows.Next()
		if err == io.EOF {
			slices.Sort(all)
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		var text []string
		for _, cell := range cells {
			if cell == nil {
				text = append(text, "NULL")
			} else {
				text = append(text, "'"+string(cell)+"'")
			}
		}
		all = append(all, strings.Join(text, " "))
	}
}

// TestCompare changes a table at random: who differs are those whose rows are other texts.
func TestCompare(t *testing.T) {
	server := postgrestest.Start(t)
	server.Exec(t, `CREATE SCHEMA kept; CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`)
	types := map[string][]string{
		"boolean": {"true", "false"}, "bigint": {"1", "2"}, "text": {"'a'", "'A'", "' '", "''", `'it''s \'`}, "text COLLATE loose": {"'a'", "'A'"},
		"numeric": {"1.0", "1.00", "1"}, "numeric(6,2)": {"1.0", "2"}, "float8": {"'NaN'", "1.5", "'Infinity'"}, "json": {`'{"a":1}'`, `'{"a": 1}'`},
		"jsonb": {`'{"a":1.0}'`, `'{"a":1.00}'`}, "text[]": {"'{a}'", "'{a,NULL}'"}, "timestamptz": {"'2026-01-01'", "'2026-01-02'"}, "uuid": {"'00000000-0000-0000-0000-000000000000'"},
		"char(4)": {"'x'", "'y'"}, "point": {"'(1,2)'", "'(1,3)'"}, "bytea": {"'x'", "'y'"}, "inet": {"'10.0.0.1'"},
	}
	rounds.Check(t, func(r *rapid.T) {
		idType := rapid.SampledFrom([]string{"text", "varchar(20)", "char(8)", "bigint", "integer", "text COLLATE loose"}).Draw(r, "id")
		columns := []string{"user_id " + idType}
		var used []string
		for i := range rapid.IntRange(1, 5).Draw(r, "columns") {
			used = append(used, rapid.SampledFrom(slices.Sorted(maps.Keys(types))).Draw(r, "type"))
			columns = append(columns, fmt.Sprintf(`"c%d ""x%%s""" %s`, i, used[i]))
		}
		var rows map[string]string // by id
		change := func() {
			if rows == nil {
				rows = map[string]string{}
			}
			for range rapid.IntRange(0, 6).Draw(r, "changes") {
				id := fmt.Sprint(rapid.IntRange(1, 9).Draw(r, "user"))
				if strings.HasPrefix(idType, "text") && rapid.Bool().Draw(r, "word") {
					id = rapid.SampledFrom([]string{"'A'", "'a'", "'ü'"}).Draw(r, "user")
				}
				cells := []string{id}
				for _, kind := range used {
					cells = append(cells, rapid.SampledFrom(append(slices.Clone(types[kind]), "NULL", "NULL")).Draw(r, "cell"))
				}
				if rapid.IntRange(0, 3).Draw(r, "gone") == 0 {
					delete(rows, id)
				} else {
					rows[id] = "(" + strings.Join(cells, ", ") + ")"
				}
			}
		}
		without := 0
		fill := func() {
			values := slices.Collect(maps.Values(rows))
			without = rapid.IntRange(0, 2).Draw(r, "without")
			for range without {
				id := "NULL"
				if strings.HasPrefix(idType, "text") {
					id = rapid.SampledFrom([]string{"NULL", "''", "' nUll '", `'\N'`, "'n/a'"}).Draw(r, "no id")
				}
				values = append(values, "("+id+strings.Repeat(", NULL", len(used))+")")
			}
			sql := "DROP TABLE IF EXISTS users; CREATE TABLE users (" + strings.Join(columns, ", ") + ")"
			if len(values) > 0 {
				sql += "; INSERT INTO users VALUES " + strings.Join(values, ", ")
			}
			server.Exec(t, sql)
		}
		p, ctx, ids := place(server, "aaaaaaaaaaaa"), context.Background(), of{1}
		read := func(sql string) []string { return read(r, p, sql) }
		users := func(all []string) map[string]string {
			of := map[string]string{}
			for _, row := range all {
				id, _, _ := strings.Cut(row[1:], "' ")
				if !strings.HasPrefix(row, "NULL") && !slices.Contains([]string{"", " nUll ", `\N`, "n/a"}, id) {
					of[id] = row
				}
			}
			return of
		}
		change()
		fill()
		before := ids.next()
		e := exportOf(r, p)
		totals, err := p.Take(ctx, before, e)
		if err != nil {
			r.Fatal(err)
		}
		if want := (generation.Totals{Rows: len(rows) + without, WithoutID: without}); totals != want {
			r.Fatalf("%+v, want %+v", totals, want)
		}
		had := users(read("SELECT * FROM users"))
		change()
		fill()
		now := ids.next()
		if _, err := p.Take(ctx, now, e); err != nil {
			r.Fatal(err)
		}
		all := read("SELECT * FROM users")
		has := users(all)
		server.Exec(t, "DROP TABLE users") // what is read is of one moment
		if got := read(p.All(now, e)); !slices.Equal(got, all) {
			r.Fatalf("%q, want %q", got, all)
		}
		want, wantRows := map[string]string{}, []string{}
		for id, row := range has {
			was, ok := had[id]
			if ok && was != row {
				want[id] = "changed"
			} else if !ok {
				want[id] = "new"
			}
			if want[id] != "" {
				wantRows = append(wantRows, row)
			}
		}
		for id := range had {
			if has[id] == "" {
				want[id] = "gone"
			}
		}
		differ, err := p.Compare(ctx, now, before, totals.Rows, e, 100)
		if err != nil || differ != len(want) {
			r.Fatalf("%d differ, %v, want %v", differ, err, want)
		}
		for id, row := range has {
			if rapid.Bool().Draw(r, "added") {
				if want[id] == "" {
					want[id] = "same"
					wantRows = append(wantRows, row)
				}
				if err := p.Add(ctx, now, e, []string{id, "nobody"}); err != nil {
					r.Fatal(err)
				}
			}
		}
		got := map[string]string{}
		if err := p.Users(ctx, now, func(u generation.User) error {
			switch {
			case u.Same:
				got[string(u.ID)] = "same"
			case u.Was && u.Is:
				got[string(u.ID)] = "changed"
			case u.Was:
				got[string(u.ID)] = "gone"
			case u.Is:
				got[string(u.ID)] = "new"
			}
			return nil
		}); err != nil {
			r.Fatal(err)
		}
		if !maps.Equal(got, want) {
			r.Fatalf("%v, want %v", got, want)
		}
		slices.Sort(wantRows)
		if rows := read(p.Some(now, e)); !slices.Equal(rows, wantRows) {
			r.Fatalf("%q, want %q", rows, wantRows)
		}
		if err := p.Sweep(ctx, time.Now()); err != nil {
			r.Fatal(err)
		}
	})
}

var some = of{9}

func noted(notes ...generation.Note) iter.Seq2[generation.Note, error] {
	return func(yield func(generation.Note, error) bool) {
		for _, n := range notes {
			if !yield(n, nil) {
				return
			}
		}
	}
}

// TestNotCompared: a generation that is gone, damaged, or that another one was put in the place of is
// compared with nothing.
func TestNotCompared(t *testing.T) {
	server := postgrestest.Start(t)
	server.Exec(t, "CREATE SCHEMA kept; CREATE TABLE users AS SELECT 'u' || i AS user_id, i AS n FROM generate_series(1, 50) i")
	p, ctx := place(server, "aaaaaaaaaaaa"), t.Context()
	e := exportOf(t, p)
	take := func(notes ...generation.Note) string {
		id := some.next()
		totals, err := p.Take(ctx, id, e)
		if err != nil || totals.Rows != 50 || totals.Several {
			t.Fatalf("%+v, %v", totals, err)
		}
		if err := p.WriteNotes(ctx, id, noted(notes...)); err != nil {
			t.Fatal(err)
		}
		return id
	}
	table := func(id string) string { return "kept.gleapsync_aaaaaaaaaaaa_" + id }
	var many []generation.Note
	var asked []string
	for i := range 2500 {
		asked = append(asked, fmt.Sprint(`u\'`, i))
		many = append(many, generation.Note{UserID: fmt.Sprint(`u\'`, i), Text: []byte{0, byte(i)}, Stays: i%2 == 0})
	}
	for name, damage := range map[string]struct {
		sql  func(id, other string) string
		want string
	}{
		"whole":      {func(id, other string) string { return "SELECT 1" }, ""},
		"gone":       {func(id, other string) string { return "DROP TABLE " + table(id) }, "does not exist"},
		"no notes":   {func(id, other string) string { return "DROP TABLE " + table(id) + "_n" }, "does not exist"},
		"fewer rows": {func(id, other string) string { return "DELETE FROM " + table(id) + " WHERE user_id = 'u7'" }, generation.ErrOther.Error()},
		"more rows": {func(id, other string) string {
			return "INSERT INTO " + table(id) + " SELECT * FROM " + table(id) + " WHERE user_id = 'u7'"
		}, generation.ErrOther.Error()},
		"fewer notes": {func(id, other string) string {
			return "DELETE FROM " + table(id) + `_n WHERE gleapsync_key = 'u\''3'`
		}, generation.ErrOther.Error()},
		"no end":  {func(id, other string) string { return "DELETE FROM " + table(id) + `_n WHERE gleapsync_key = ''` }, generation.ErrOther.Error()},
		"emptied": {func(id, other string) string { return "TRUNCATE " + table(id) }, generation.ErrOther.Error()}, // as a crash does
		"swapped": {func(id, other string) string {
			return "DROP TABLE " + table(id) + "; ALTER TABLE " + table(other) + " RENAME TO " + table(id)[5:]
		}, generation.ErrOther.Error()},
		"a column": {func(id, other string) string { return "ALTER TABLE " + table(id) + " DROP COLUMN n" }, "does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			before, other, now := take(many...), take(), take()
			server.Exec(t, damage.sql(before, other))
			differ, err := p.Compare(ctx, now, before, 50, e, 1000)
			got := 0
			if err == nil {
				want := map[string]string{}
				for _, n := range many {
					want[n.UserID] = string(n.Text)
				}
				err = p.Notes(ctx, before, asked, func(n generation.Note) error {
					if want[n.UserID] != string(n.Text) {
						t.Errorf("%q: %q", n.UserID, n.Text)
					}
					delete(want, n.UserID)
					return nil
				})
				got = len(many) - len(want)
			}
			switch {
			case damage.want == "" && (err != nil || differ != 0 || got != len(many)):
				t.Errorf("%d differ, %d notes, %v", differ, got, err)
			case damage.want != "" && (err == nil || !strings.Contains(err.Error(), damage.want)):
				t.Errorf("%v, want %s", err, damage.want)
			}
		})
	}
	server.Exec(t, "INSERT INTO users VALUES ('u9', 1)")
	if totals, err := p.Take(ctx, some.next(), e); err != nil || !totals.Several || totals.Rows != 51 {
		t.Errorf("%+v, %v", totals, err)
	}
	if _, err := p.Compare(ctx, some.next(), some.next(), 50, e, 10); err == nil || errors.Is(err, generation.ErrOther) {
		t.Error(err)
	}
}

// TestSweep: what nobody refers to goes, and what is of another state, of others or of a trial that
// may go on stays.
func TestSweep(t *testing.T) {
	server := postgrestest.Start(t)
	server.Exec(t, "CREATE SCHEMA kept; CREATE TABLE users (user_id text); CREATE TABLE kept.gleapsync_aaaaaaaaaaaa_notes (n int); CREATE TABLE kept.mine (n int)")
	a, b, ctx := place(server, "aaaaaaaaaaaa"), place(server, "bbbbbbbbbbbb"), t.Context()
	e := exportOf(t, a)
	take := func(p *generation.Place, id string) string {
		t.Helper()
		if _, err := p.Take(ctx, id, e); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Compare(ctx, id, id, 0, e, 10); err != nil {
			t.Fatal(err)
		}
		if err := p.WriteNotes(ctx, id, noted()); err != nil {
			t.Fatal(err)
		}
		return id
	}
	kept, _, other := take(a, some.next()), take(a, some.next()), take(b, some.next())
	young, old := take(a, generation.NewTrialID(time.Now().Add(-23*time.Hour))), take(a, generation.NewTrialID(time.Now().Add(-25*time.Hour)))
	if err := a.Try(ctx); err != nil {
		t.Fatal(err)
	}
	if err := a.Sweep(ctx, time.Now(), kept); err != nil {
		t.Fatal(err)
	}
	want := []string{"mine", "gleapsync_aaaaaaaaaaaa_notes"}
	for _, name := range []string{"aaaaaaaaaaaa_" + kept, "aaaaaaaaaaaa_" + young, "bbbbbbbbbbbb_" + other} {
		want = append(want, "gleapsync_"+name, "gleapsync_"+name+"_n")
		if !strings.Contains(name, kept) {
			want = append(want, "gleapsync_"+name+"_d")
		}
	}
	got := server.Exec(t, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'kept'")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	_ = old
	if !generation.IsOf(kept, some.next()) || generation.IsOf(kept, of{8}.next()) || generation.IsOf(kept, "") {
		t.Error("ids do not say what generations are of")
	}
}

// TestGrants: what a right is missing for, the error says with what to paste.
func TestGrants(t *testing.T) {
	server := postgrestest.Start(t)
	server.Exec(t, `CREATE TABLE users (user_id text); CREATE ROLE reader LOGIN PASSWORD 'p'; GRANT SELECT ON users TO reader`)
	p := place(server, "aaaaaaaaaaaa")
	w := p.Database.(*postgres.Work)
	w.Address, w.Password = server.URL("reader"), "p"
	mustSay := func(want string) {
		t.Helper()
		if err := p.Try(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	mustSay(`let the owner of the database run CREATE SCHEMA "kept" AUTHORIZATION "reader";`)
	server.Exec(t, "CREATE SCHEMA kept")
	grant := `GRANT USAGE, CREATE ON SCHEMA "kept" TO "reader";`
	mustSay("let its owner run " + grant)
	server.Exec(t, grant)
	if err := p.Try(t.Context()); err != nil {
		t.Error(err)
	}
	server.Exec(t, `REVOKE SELECT ON users FROM reader`)
	if _, err := p.Take(t.Context(), some.next(), generation.Export{From: "users", Key: "user_id"}); err == nil || !strings.Contains(err.Error(), `GRANT SELECT ON "public"."users" TO "reader"`) && !strings.Contains(err.Error(), "GRANT SELECT") {
		t.Error(err)
	}
}
