//go:build linux

package sync

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gleapsync/engage"
	"gleapsync/internal/inputs"
	"gleapsync/internal/postgrestest"
	"gleapsync/internal/rounds"
	"gleapsync/internal/secret"
	"gleapsync/internal/trinotest"
	"gleapsync/internal/values"
	"gleapsync/state"
)

// sameForAll is what the plan of a database says of the way in which it was made: when it was asked,
// and why it compared nothing.
var sameForAll = regexp.MustCompile(`"as_of": "[^"]*"|\s*"notes": \[\s*"delta does nothing[^\n]*"\s*\],|,\s*"delta does nothing[^\n]*"`)

// keeper is a database that compares a table.
type keeper struct {
	exec  func(sql ...string) []string // what comes of the last statement
	table engage.Export
}

func TestDeltaPlansOfPostgreSQL(t *testing.T) {
	server := postgrestest.Start(t)
	exec := func(sql ...string) []string { return server.Exec(t, strings.Join(sql, "; ")) }
	deltaPlans(t, 60, keeper{exec, engage.Export{Source: server.URL("postgres"), Password: secret.Text(postgrestest.Password), Table: "users"}})
}

func TestDeltaPlansOfTrino(t *testing.T) {
	server := trinotest.Start(t)
	exec := func(all ...string) (rows []string) {
		for _, sql := range all {
			rows = server.Exec(t, strings.NewReplacer("float8", "double", " text", " varchar").Replace(sql))
		}
		return rows
	}
	deltaPlans(t, 20, keeper{exec, engage.Export{Source: server.URL(trinotest.Admin), Table: "users"}})
}

// deltaPlans is [TestDeltaPlans] for a table that its database compares: each plan is the same as if
// all of it was read, whatever became of the records and of what the database keeps. It has so many
// rounds at most.
func deltaPlans(t *testing.T, most int, server keeper) {
	deltas := 0
	rounds.Check(t, func(r *rapid.T) {
		if most--; most < 0 {
			return
		}
		defer func() {
			if r.Failed() { // it is tried again with less
				most = math.MaxInt
			}
		}()
		server.exec("DROP SCHEMA IF EXISTS kept CASCADE", "CREATE SCHEMA kept")
		table := inputs.Export{Export: engage.Export{
			Source: server.table.Source, Password: server.table.Password, Table: server.table.Table, Delta: "kept", UserID: "user_id",
			Attributes: []engage.Attribute{
				{Kind: engage.Audience, Key: "churn", Name: "churn", Column: "churn"},
				{Kind: engage.Trait, Key: "level", Name: "level", Column: "level", Type: values.Auto},
				{Kind: engage.Trait, Key: "score", Name: "score", Column: "score", Type: values.Auto},
			}}}
		w := newWorld(t, table, audience("a.csv", "a"), audience("b.csv", "b"), trait("t.csv", "t"))
		defer w.server.Close()
		w.drawSettings(r)
		user := rapid.Map(rapid.IntRange(0, 14), func(n int) string { return fmt.Sprint("u", n) })
		users := map[string]string{}
		row := func() string {
			level := rapid.SampledFrom([]string{"1", "2", "", "2.0"}).Draw(r, "level")
			if rapid.IntRange(0, 40).Draw(r, "unfit") == 0 {
				level = "x"
			}
			return fmt.Sprintf("%s, '%s', %s, '%s'", rapid.SampledFrom([]string{"true", "true", "false", "NULL"}).Draw(r, "churn"), level,
				rapid.SampledFrom([]string{"NULL", "NULL", "CAST('NaN' AS float8)", "100"}).Draw(r, "score"), rapid.SampledFrom([]string{"", "x@x.io", "y@x.io"}).Draw(r, "email"))
		}
		change := func() {
			for range rapid.IntRange(0, 4).Draw(r, "changes") {
				id := user.Draw(r, "user")
				if delete(users, id); rapid.IntRange(0, 3).Draw(r, "gone") > 0 {
					users[id] = row()
				}
			}
		}
		fill := func() {
			values := []string{}
			for _, id := range slices.Sorted(maps.Keys(users)) {
				values = append(values, "('"+id+"', "+users[id]+")")
			}
			for range rapid.IntRange(0, 2).Draw(r, "without id") {
				values = append(values, rapid.SampledFrom([]string{"(NULL, true, '', NULL, '')", "(' null ', NULL, '', NULL, '')"}).Draw(r, "no id"))
			}
			if len(users) > 0 && rapid.IntRange(0, 9).Draw(r, "several") == 0 {
				values = append(values, "('"+slices.Sorted(maps.Keys(users))[0]+"', "+row()+")")
			}
			sql := []string{"DROP TABLE IF EXISTS users", "CREATE TABLE users (user_id text, churn boolean, level text, score float8, email text, more text)"}
			if len(values) > 0 {
				for i := range values {
					values[i] = strings.TrimSuffix(values[i], ")") + ", NULL)"
				}
				sql = append(sql, "INSERT INTO users VALUES "+strings.Join(values, ", "))
			}
			server.exec(sql...)
		}
		for range 12 {
			users[user.Draw(r, "user")] = row()
		}
		fill()
		writeFiles := func() {
			some := rapid.SliceOfN(user, 3, 8)
			w.write(r, "a.csv", list(some.Draw(r, "a")...))
			w.write(r, "b.csv", list(some.Draw(r, "b")...))
			text := "user_id,value\n"
			for _, id := range some.Draw(r, "t") {
				text += id + ",gold\n"
			}
			w.write(r, "t.csv", text)
		}
		writeFiles()
		refused := rapid.SliceOfNDistinct(user, 0, 3, rapid.ID)
		w.mayBeCutShort(r, nil)
		for range rapid.IntRange(1, 6).Draw(r, "days") {
			isCalm := rapid.IntRange(0, 3).Draw(r, "calm") > 0 // else it is rare that something is compared
			if isCalm || rapid.Bool().Draw(r, "all goes well") {
				_, _ = w.runner(r).Sync(t.Context(), inputs.Request{})
			}
			change()
			fill()
			if !isCalm {
				if rapid.IntRange(0, 3).Draw(r, "files") == 0 {
					writeFiles()
				}
				w.disturb(r, user)
				disturbGenerations(r, server)
			}
			compare := func(request inputs.Request) {
				w.options.Exports[0].Delta = "kept"
				with, n := "", 0
				if rapid.Bool().Draw(r, "lists too") {
					with, _ = w.planText(r, request)
				} else {
					w.withoutLists(r, func() { with, n = w.planText(r, request) })
				}
				w.options.Exports[0].Delta = ""
				w.withoutLists(r, func() {
					without, _ := w.planText(r, request)
					a, b := sameForAll.ReplaceAllString(with, ""), sameForAll.ReplaceAllString(without, "")
					if a != b {
						only := func(of, other string) string {
							others := strings.Split(other, "\n")
							return strings.Join(slices.DeleteFunc(strings.Split(of, "\n"), func(l string) bool { return slices.Contains(others, l) }), "\n")
						}
						r.Fatalf("with a generation (%d deltas) the plan differs in\n%s\nwithout in\n%s\nand is\n%s", n, only(a, b), only(b, a), a)
					}
				})
				w.options.Exports[0].Delta = "kept"
				deltas += n
			}
			compare(inputs.Request{})
			if rapid.IntRange(0, 3).Draw(r, "only") == 0 {
				compare(inputs.Request{Only: []string{"churn"}})
			}
			if !isCalm {
				w.mayBeCutShort(r, refused.Draw(r, "refused"))
			}
			if _, err := state.Verify(w.runner(r).store); err != nil {
				r.Fatal(err)
			}
		}
		if n := len(server.generations()); n > 2 {
			r.Fatalf("%d tables are left", n)
		}
	})
	if t.Logf("%d times only what differs was read of the table", deltas); deltas == 0 && rounds.Full() {
		t.Error("it was never")
	}
}

func (k keeper) generations() []string {
	return k.exec("SELECT table_name FROM information_schema.tables WHERE table_schema = 'kept' AND table_name LIKE 'gleapsync%'")
}

// disturbGenerations does something to what the database keeps.
func disturbGenerations(r *rapid.T, server keeper) {
	all := server.generations()
	if len(all) == 0 {
		return
	}
	table := "kept." + rapid.SampledFrom(all).Draw(r, "table")
	switch rapid.IntRange(0, 12).Draw(r, "disturb generation") {
	case 0:
		server.exec("DROP TABLE " + table)
	case 1:
		server.exec("TRUNCATE TABLE " + table)
	case 2:
		server.exec("DELETE FROM " + table + " WHERE gleapsync_key = 'u3'")
	}
}
