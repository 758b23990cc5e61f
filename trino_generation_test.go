//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gleapsync/engage"
	"gleapsync/internal/generation"
	"gleapsync/internal/trinotest"
)

// newTrinoLeft returns a way to a Trino on which is counted. It calls passed, which may be nil, for
// each answer that is on it.
func newTrinoLeft(t *testing.T, c *trinotest.Cluster, passed func()) *left {
	counted := &left{}
	server := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: c.Host()})
			r.Out.Header.Del("Accept-Encoding") // the answer is read
		},
		ModifyResponse: func(r *http.Response) error {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return err
			}
			var page struct{ Data []json.RawMessage }
			_ = json.Unmarshal(body, &page) // else it has no rows
			counted.rows.Add(int64(len(page.Data)))
			counted.bytes.Add(int64(len(body)))
			if passed != nil {
				passed()
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			return nil
		},
	})
	t.Cleanup(server.Close)
	counted.host = server.Listener.Addr().String()
	return counted
}

// keptInTrino is a project with a table that a Trino compares.
func keptInTrino(t *testing.T, c *trinotest.Cluster, user, table, schema string, passed func()) *kept {
	left := newTrinoLeft(t, c, passed)
	return keptIn(t, strings.Replace(c.URL(user), c.Host(), left.host, 1), table, schema, func(sql string) []string { return c.Exec(t, sql) }, left)
}

// trinoCompare: who differs are those whose rows are read as other ones, be it in one cell.
func trinoCompare(t *testing.T, c *trinotest.Cluster) {
	c.Exec(t, "CREATE SCHEMA IF NOT EXISTS gleapsync")
	cells := map[string][]string{
		"boolean": {"true", "false"}, "tinyint": {"1", "2"}, "bigint": {"1", "9007199254740993", "9007199254740992"}, "real": {"0.1", "nan()", "infinity()"}, "double": {"0.1", "nan()", "-infinity()"},
		"decimal(38,6)": {"1", "12345678901234567890.000001"}, "varchar": {"'a'", "'A'", "''", "' '", "'a '", "'ü'"}, "char(3)": {"'a'", "'A'"}, "date": {"DATE '2026-11-20'", "DATE '0001-01-01'"},
		"timestamp(9)": {"TIMESTAMP '2026-11-20 08:15:00.123456789'", "TIMESTAMP '2026-11-20 08:15:00.123456788'"}, "timestamp(6) with time zone": {"TIMESTAMP '2026-11-20 08:15:00 UTC'", "TIMESTAMP '2026-11-20 08:15:00.000001 UTC'"},
		"json": {`json '{"k":[1]}'`, `json '{"k":[2]}'`}, "array(varchar)": {"ARRAY['a']", "ARRAY['a', NULL]", "ARRAY[]"}, "map(varchar, integer)": {"MAP(ARRAY['k'], ARRAY[1])", "MAP()"}, "row(a integer)": {"ROW(1)", "ROW(2)"},
		"varbinary": {"X'00'", "X'00ff'"}, "uuid": {"uuid '12151fd2-7586-11e9-8f9e-2a86e4085a59'", "uuid '12151fd2-7586-11e9-8f9e-2a86e4085a58'"}, "time(6)": {"TIME '08:15:00'", "TIME '08:15:00.000001'"},
	}
	types := slices.Sorted(maps.Keys(cells))
	var columns, before, now []string
	want := map[string]generation.User{"gone": {Was: true}, "new": {Is: true}}
	row := func(id string, at int, cell string) string {
		values := []string{"'" + id + "'"}
		for i, kind := range types {
			value := cells[kind][0]
			if i == at {
				value = cell
			}
			values = append(values, "CAST("+value+" AS "+kind+")")
		}
		return "(" + strings.Join(values, ", ") + ")"
	}
	for i, kind := range types {
		columns = append(columns, fmt.Sprint("c", i))
		all := append(cells[kind], "NULL")
		for a := range all {
			for b := range all {
				id := fmt.Sprintf("%s: %d to %d", kind, a, b)
				before, now = append(before, row(id, i, all[a])), append(now, row(id, i, all[b]))
				if a != b {
					want[id] = generation.User{Was: true, Is: true}
				}
			}
		}
	}
	before = append(before, row("gone", -1, ""), "(NULL"+strings.Repeat(", NULL", len(types))+")", row(" nUll ", -1, ""))
	now = append(now, row("new", -1, ""), "(NULL"+strings.Repeat(", NULL", len(types))+")")
	var kept *engage.Keeper
	take := func(rows []string) (id string, totals generation.Totals) {
		e := trinoExport(c, "reader", "SELECT * FROM (VALUES "+strings.Join(rows, ", ")+") AS t (user_id, "+strings.Join(columns, ", ")+")", columns...)
		e.Delta, e.UserID = "gleapsync", "user_id"
		opened, err := e.Open(t.Context())
		if err == nil {
			kept, err = opened.Keeper(t.Context(), e.Attributes, "compare")
		}
		if err == nil {
			id = generation.NewID([32]byte{})
			totals, err = kept.Take(t.Context(), id, kept.Export)
		}
		if err != nil {
			t.Fatal(err)
		}
		return id, totals
	}
	was, totals := take(before)
	if want := (generation.Totals{Rows: len(before), WithoutID: 2}); totals != want {
		t.Errorf("%+v, want %+v", totals, want)
	}
	is, _ := take(now)
	differ, err := kept.Compare(t.Context(), is, was, totals.Rows, kept.Export, 10_000)
	if err != nil || differ != len(want) {
		t.Errorf("%d differ, %v; want %d", differ, err, len(want))
	}
	err = kept.Users(t.Context(), is, func(u generation.User) error {
		if w, ok := want[string(u.ID)]; !ok || u.Was != w.Was || u.Is != w.Is {
			t.Errorf("%s differs: %+v", u.ID, u)
		}
		delete(want, string(u.ID))
		return nil
	})
	if err != nil || len(want) > 0 {
		t.Errorf("%v: not told: %v", err, want)
	}
	if _, err := kept.Compare(t.Context(), is, was, totals.Rows-1, kept.Export, 10); !errors.Is(err, generation.ErrOther) {
		t.Errorf("with another number of rows: %v", err)
	}
	if err := kept.Sweep(t.Context(), time.Now()); err != nil {
		t.Error(err)
	}
}

// trinoGenerations is TestGenerations with a Trino.
func trinoGenerations(t *testing.T, c *trinotest.Cluster) {
	c.Exec(t, "CREATE SCHEMA IF NOT EXISTS gleapsync")
	c.Exec(t, "CREATE TABLE people AS SELECT 'u' || CAST(i AS varchar) AS user_id, i % 3 = 0 AS vip, i AS score FROM UNNEST(sequence(1, 5000)) AS t (i)")
	keptInTrino(t, c, trinotest.Admin, "people", "absent", nil).mustSay(t, 1, `let an administrator run CREATE SCHEMA "absent"`, "check")
	guest := keptInTrino(t, c, "guest", "people", "lake.gleapsync", nil)
	if written := guest.mustSay(t, 1, `GRANT CREATE ON SCHEMA "lake"."gleapsync" TO USER "guest"`, "check"); !strings.Contains(written, `{"user": "guest", "schema": "gleapsync", "privileges": ["OWNERSHIP", "SELECT", "INSERT"]}`) {
		t.Error(written)
	}
	if written := guest.mustSay(t, 0, "delta does nothing for people", "sync"); !strings.Contains(written, "5,000 of 5,000 contacts sent") {
		t.Error(written)
	}
	a, b := keptInTrino(t, c, "reader", "people", "gleapsync", nil), keptInTrino(t, c, "reader", "lake.engage_default.people", "gleapsync", nil)
	a.mustSay(t, 0, "keep what was applied in the schema gleapsync", "check")
	for _, k := range []*kept{a, b} {
		k.mustSay(t, 0, "5,000 of 5,000 contacts sent", "sync")
	}
	if tables := a.tables(); len(tables) != 4 {
		t.Errorf("%q", tables)
	}
	c.Exec(t, "UPDATE people SET score = -score WHERE score <= 190")
	c.Exec(t, "DELETE FROM people WHERE score = 4998")
	c.Exec(t, "INSERT INTO people VALUES ('new', true, 7)")
	for _, k := range []*kept{a, b} {
		k.mustSendChanges(t, "people", 192)
	}
	if tables := a.tables(); len(tables) != 4 {
		t.Errorf("%q", tables)
	}
	// Without its generation all is read, once.
	for _, table := range a.tables() {
		c.Exec(t, "DROP TABLE gleapsync."+table)
	}
	c.Exec(t, "UPDATE people SET vip = NOT vip WHERE user_id = 'u5'")
	a.mustReadAll(t, 5000)
	// Who would leave counts as ever.
	c.Exec(t, "DELETE FROM people WHERE vip AND score % 4 > 0")
	a.mustSay(t, 4, "would leave", "sync")
	c.Exec(t, "DELETE FROM people")
	a.mustSay(t, 4, "held", "sync")
	for _, table := range a.tables() {
		c.Exec(t, "DROP TABLE gleapsync."+table)
	}
}

// trinoCopy: where a worker dies while it copies the export, nobody leaves, and the next run mends it.
func trinoCopy(t *testing.T, c *trinotest.Cluster) {
	c.Exec(t, "CREATE TABLE slow (n bigint)")
	c.Exec(t, "CREATE TABLE few AS SELECT 'u' || CAST(i AS varchar) AS user_id, i % 3 = 0 AS vip, i AS score FROM UNNEST(sequence(1, 100)) AS t (i)")
	k := keptInTrino(t, c, "reader", "few", "gleapsync", nil)
	text, err := os.ReadFile(k.path("c.toml"))
	if err != nil {
		t.Fatal(err)
	}
	// It takes long once slow has many rows.
	k.write(t, "c.toml", strings.Replace(string(text), `table = "few"`, `query = "SELECT * FROM few WHERE (SELECT count(*) FROM slow x CROSS JOIN slow y WHERE x.n * y.n = -1) = 0"
timeout = "1m"`, 1))
	k.mustSay(t, 0, "100 of 100 contacts sent", "sync")
	c.Exec(t, "INSERT INTO slow SELECT 100 * a + b FROM UNNEST(sequence(1, 10000)) AS x (a) CROSS JOIN UNNEST(sequence(0, 99)) AS y (b)")
	c.Exec(t, "UPDATE few SET score = 0 WHERE user_id = 'u1'")
	cmd := k.command("sync")
	var written bytes.Buffer
	cmd.Stdout, cmd.Stderr = &written, &written
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c.KillWorker(t, "reader")
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 1 || !strings.Contains(written.String(), "no export could be read") {
		t.Errorf("%v: %s", err, &written)
	}
	c.ReplaceWorker(t)
	failed := c.Exec(t, `SELECT error_code FROM system.runtime.queries WHERE query LIKE 'CREATE TABLE%' AND state = 'FAILED' AND "user" = 'reader' ORDER BY created DESC LIMIT 1`)
	if len(failed) != 1 || failed[0] == "EXCEEDED_TIME_LIMIT" {
		t.Errorf("the worker was not killed in the copy: %q", failed)
	}
	c.Exec(t, "DELETE FROM slow")
	k.mustSay(t, 0, "1 of 1 contact sent", "sync")
	k.mustHave(t, "few")
	if tables := k.tables(); len(tables) != 2 {
		t.Errorf("%q", tables)
	}
}

// trinoKilled kills the program at one answer of the server after another. What Gleap has in the end
// is what the table says, and of all that was begun nothing is left in the schema.
func trinoKilled(t *testing.T, c *trinotest.Cluster) {
	c.Exec(t, "CREATE TABLE crowd AS SELECT 'u' || CAST(i AS varchar) AS user_id, i % 3 = 0 AS vip, i AS score FROM UNNEST(sequence(1, 300)) AS t (i)")
	var left atomic.Int64 // answers until the program is killed
	var running atomic.Pointer[os.Process]
	k := keptInTrino(t, c, "reader", "crowd", "gleapsync", func() {
		if left.Add(-1) == 0 {
			_ = running.Load().Kill()
		}
	})
	k.mustSay(t, 0, "300 of 300 contacts sent", "sync")
	killed := 0
	const step = 6 // answers of each statement
	for last := step / 2; ; last += step {
		c.Exec(t, fmt.Sprintf("UPDATE crowd SET vip = NOT vip, score = score + 1000 WHERE score %% 20 = %d", last%20))
		cmd := k.command("sync", "--log-level", "error")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		running.Store(cmd.Process)
		left.Store(int64(last))
		if cmd.Wait() == nil {
			break
		}
		killed++
	}
	left.Store(0)
	t.Logf("killed %d times", killed)
	k.mustHave(t, "crowd")
	// The server goes on with a statement for a while that nobody asks for any more.
	const unfinished = `SELECT count(*) FROM system.runtime.queries WHERE state NOT IN ('FINISHED', 'FAILED') AND "user" = 'reader'`
	for began := time.Now(); c.Exec(t, unfinished)[0] != "0"; {
		if time.Since(began) > 5*time.Minute {
			t.Fatal("statements of killed runs do not end")
		}
	}
	k.mustSay(t, 0, "Nothing to send", "sync")
	if tables := k.tables(); len(tables) != 2 || killed == 0 {
		t.Errorf("%q", tables)
	}
	for _, table := range k.tables() {
		c.Exec(t, "DROP TABLE gleapsync."+table)
	}
}
