//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"gleapsync/engage"
	"gleapsync/internal/attr"
	"gleapsync/internal/generation"
	"gleapsync/internal/trinotest"
	"gleapsync/internal/values"
)

// TestTrino has all that is asked of a real Trino, which takes long to start. What faults lie
// between, internal/trino tests with a fake.
func TestTrino(t *testing.T) {
	c := trinotest.Start(t)
	t.Run("values", func(t *testing.T) { trinoValues(t, c) })
	t.Run("rows", func(t *testing.T) { trinoRows(t, c) })
	t.Run("errors", func(t *testing.T) { trinoErrors(t, c) })
	t.Run("since", func(t *testing.T) { trinoSince(t, c) })
	t.Run("commands", func(t *testing.T) { trinoCommands(t, c) })
	t.Run("init", func(t *testing.T) { trinoInit(t, c) })
	t.Run("compare", func(t *testing.T) { trinoCompare(t, c) })
	t.Run("generations", func(t *testing.T) { trinoGenerations(t, c) })
	t.Run("killed", func(t *testing.T) { trinoKilled(t, c) })
	t.Run("worker", func(t *testing.T) { trinoWorker(t, c) })
	t.Run("copy", func(t *testing.T) { trinoCopy(t, c) })
	t.Run("coordinator", func(t *testing.T) { trinoCoordinator(t, c) })
}

// trinoExport is an export of the traits in a table, or of a query where it has a blank.
func trinoExport(c *trinotest.Cluster, user, from string, traits ...string) engage.Export {
	e := engage.Export{Source: c.URL(user), Table: from}
	if strings.Contains(from, " ") {
		e.Table, e.Query = "", from
	}
	for _, name := range traits {
		e.Attributes = append(e.Attributes, engage.Attribute{Kind: engage.Trait, Key: name, Name: name, Column: name, Type: values.Text})
	}
	return e
}

// readTrino returns what an export says of each user, and calls each, which may be nil, for each
// row.
func readTrino(ctx context.Context, e engage.Export, each func()) (said map[string]string, result engage.Result, err error) {
	opened, err := e.Open(ctx)
	if err != nil {
		return nil, result, err
	}
	return readOpened(ctx, opened, e.Attributes, each)
}

func readOpened(ctx context.Context, opened *engage.Source, attributes []engage.Attribute, each func()) (said map[string]string, result engage.Result, err error) {
	said = map[string]string{}
	result, err = opened.Read(ctx, attributes, func(id []byte, cells []attr.Value) error {
		var texts []string
		for _, v := range cells {
			texts = append(texts, string(v.AppendJSON(nil)))
		}
		said[string(id)] = strings.Join(texts, " ")
		if each != nil {
			each()
		}
		return nil
	})
	return said, result, err
}

// trinoValues: each type says what it says elsewhere, digit by digit.
func trinoValues(t *testing.T, c *trinotest.Cluster) {
	c.Exec(t, `CREATE TABLE typed AS SELECT * FROM (VALUES
		('u1', true, BIGINT '9007199254740993', 0.1e0, REAL '0.1', DECIMAL '123456789012345678901234567890.123456', DECIMAL '49.90', TIMESTAMP '2026-11-20 08:15:00.250000',
		 CAST(TIMESTAMP '2026-11-20 10:15:00.250000 +02:00' AS timestamp(6) with time zone), DATE '2026-11-20', ARRAY['a', 'b "c"'], MAP(ARRAY['k'], ARRAY[1]), CAST(ROW(1, 'x') AS ROW(a integer, b varchar)), 'zwei
Zeilen, "ü" 漢字 🙂'),
		('u2', false, -7, nan(), REAL '1e30', DECIMAL '0', DECIMAL '100', TIMESTAMP '0044-03-15 00:00:00.000001', CAST(TIMESTAMP '2026-07-01 00:00:00.000000 Europe/Vienna' AS timestamp(6) with time zone), DATE '0001-01-01', ARRAY[], MAP(), NULL, ''),
		('u3', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL))
		AS t (user_id, b, i, f, r, long, price, local, at, day, tags, m, rw, word)`)
	// PostgreSQL's test in engage has the same values where there are the same types.
	want := map[string]string{
		"u1": `"true" "9007199254740993" "0.1" "0.1" "123456789012345678901234567890.123456" "49.90" "2026-11-20T08:15:00.25Z" "2026-11-20T08:15:00.25Z" "2026-11-20" "a, b \"c\"" "{\"k\":1}" "{\"a\":1,\"b\":\"x\"}" "zwei\nZeilen, \"ü\" 漢字 🙂"`,
		"u2": `"false" "-7" null "1000000000000000000000000000000" "0.000000" "100.00" "0044-03-15T00:00:00.000001Z" "2026-06-30T22:00:00Z" "0001-01-01" null "{}" null null`,
		"u3": `null null null null null null null null null null null null null`,
	}
	e := trinoExport(c, "reader", "typed", "b", "i", "f", "r", "long", "price", "local", "at", "day", "tags", "m", "rw", "word")
	said, result, err := readTrino(t.Context(), e, nil)
	if err != nil || result.Invalid != 0 {
		t.Errorf("%v, %+v", err, result)
	}
	for id, row := range want {
		if said[id] != row {
			t.Errorf("%s: got\n%s\nwant\n%s", id, said[id], row)
		}
	}
	c.Exec(t, "CREATE SCHEMA IF NOT EXISTS gleapsync")
	mustKeep(t, e, said)
	// What is no table of Iceberg.
	none := trinoExport(c, "reader", `SELECT 'u' AS user_id, CAST('x' AS char(5)) AS code, uuid '12151fd2-7586-11e9-8f9e-2a86e4085a59' AS u, json '{"k":[1]}' AS j,
		time '08:15:00.250' AS hour, TINYINT '7' AS n, TIMESTAMP '2026-11-20 08:15:00.123456789' AS nano, X'00ff' AS bytes,
		REAL '16777216' AS r, CAST('padded' AS varchar(20)) AS short, ARRAY[DECIMAL '1.10'] AS list, CAST(ROW(1, 'x') AS ROW("B" integer, a varchar)) AS "RW", interval '3' day AS span, TIMESTAMP '12026-01-01 00:00:00' AS far,
		TIMESTAMP '2026-11-20 08:15:00.1 Europe/Vienna' AS zoned, CAST('-0044-03-15' AS date) AS bc -- comment; `, "code", "u", "j", "hour", "n", "nano", "bytes", "r", "short", "list", "RW", "span", "far", "zoned", "bc")
	said, _, err = readTrino(t.Context(), none, nil)
	mustKeep(t, none, said)
	if want := `"x" "12151fd2-7586-11e9-8f9e-2a86e4085a59" "{\"k\":[1]}" "08:15:00.250" "7" "2026-11-20T08:15:00.123456789Z" "AP8="`; err != nil || !strings.HasPrefix(said["u"], want) {
		t.Errorf("%v: got\n%s\nwant\n%s", err, said["u"], want)
	}
	for column, want := range map[string]string{
		"at": "2026-11-20T08:15:00.25Z", "local": "2026-11-20T08:15:00.25Z", "day": "2026-11-20T00:00:00Z", "word": "has no times", "ad": `there is no column "ad", which loaded_at names: did you mean`,
	} {
		e.LoadedAt = column
		opened, err := e.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		newest, err := opened.Loaded(t.Context())
		if got := fmt.Sprint(newest.UTC().Format(time.RFC3339Nano), err); !strings.Contains(got, want) {
			t.Errorf("loaded_at %s: %s", column, got)
		}
	}
}

// mustKeep checks that what is kept of an export says the same.
func mustKeep(t *testing.T, e engage.Export, want map[string]string) {
	t.Helper()
	e.Delta, e.UserID = "gleapsync", "user_id"
	opened, err := e.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kept, err := opened.Keeper(t.Context(), e.Attributes, "values")
	if err != nil {
		t.Fatal(err)
	}
	id := generation.NewTrialID(time.Now())
	if _, err := kept.Take(t.Context(), id, kept.Export); err != nil {
		t.Fatal(err)
	}
	kept.Read(id, false)
	said, _, err := readOpened(t.Context(), opened, e.Attributes, nil)
	if err != nil || !maps.Equal(said, want) {
		t.Errorf("%v: kept is\n%q\nand read\n%q", err, said, want)
	}
	if err := kept.Drop(t.Context(), id); err != nil {
		t.Error(err)
	}
}

// trinoRows: many rows come once each, and only the columns that are wanted.
func trinoRows(t *testing.T, c *trinotest.Cluster) {
	const rows = 100_000
	c.Exec(t, fmt.Sprintf(`CREATE TABLE many AS SELECT 'u' || CAST(100 * a + b AS varchar) AS user_id, a %% 2 = 0 AS vip, 100 * a + b AS n, rpad('x', 200, 'x') AS long
		FROM UNNEST(sequence(0, %d)) AS x (a) CROSS JOIN UNNEST(sequence(0, 99)) AS y (b)`, rows/100-1))
	began := time.Now()
	said, result, err := readTrino(t.Context(), trinoExport(c, "reader", "lake.engage_default.many", "n", "vip"), nil)
	t.Logf("%d rows in %s", rows, time.Since(began).Round(time.Millisecond))
	if err != nil || result.Rows != rows || len(said) != rows {
		t.Fatalf("%d rows, %d users, %v", result.Rows, len(said), err)
	}
	for i := range rows {
		if got, want := said[fmt.Sprint("u", i)], fmt.Sprintf(`"%d" "%t"`, i, i/100%2 == 0); got != want {
			t.Fatalf("u%d: got %s, want %s", i, got, want)
		}
	}
	// What nobody wants the rest of ends on the server too.
	ctx, cancel := context.WithCancel(t.Context())
	const query = "SELECT x.user_id, max(y.n) AS n FROM many x CROSS JOIN many y GROUP BY x.user_id"
	running := func() string {
		return c.Exec(t, "SELECT count(*) FROM system.runtime.queries WHERE state IN ('QUEUED', 'PLANNING', 'RUNNING') AND \"user\" = 'reader'")[0]
	}
	go func() {
		for running() == "0" {
		}
		cancel()
	}()
	if _, _, err = readTrino(ctx, trinoExport(c, "reader", query, "n"), nil); err != context.Canceled {
		t.Errorf("cancelled: %v", err)
	}
	for began := time.Now(); running() != "0"; {
		if time.Since(began) > time.Minute {
			t.Fatal("the query still runs on the server")
		}
	}
	e := trinoExport(c, "reader", query, "n")
	e.Timeout = 2 * time.Second
	if _, _, err = readTrino(t.Context(), e, nil); err == nil || !strings.Contains(err.Error(), "the query took longer than 2s: make it cheaper, or raise timeout") {
		t.Errorf("too slow: %v", err)
	}
}

// trinoErrors: errors name what to do, and show no cell.
func trinoErrors(t *testing.T, c *trinotest.Cluster) {
	c.Exec(t, "CREATE TABLE words AS SELECT 'u1' AS user_id, 'SECRET-CELL' AS word")
	c.Exec(t, "CREATE TABLE denied AS SELECT 'u1' AS user_id, true AS vip")
	at := func(from, to string) engage.Export {
		e := trinoExport(c, "reader", "words", "word")
		e.Source = strings.Replace(e.Source, from, to, 1)
		return e
	}
	for name, test := range map[string]struct {
		e    engage.Export
		want []string
	}{
		"table":      {trinoExport(c, "reader", "nothing", "n"), []string{"nothing in trino://reader@127.0.0.1:", "Table 'lake.engage_default.nothing' does not exist (TABLE_NOT_FOUND, query 2", "look at table"}},
		"schema":     {trinoExport(c, "reader", "none.users", "n"), []string{"Schema 'none' does not exist", "look at table"}},
		"catalog":    {at("/lake/", "/sea/"), []string{"Catalog 'sea'", "SHOW CATALOGS"}},
		"no schema":  {at("/lake/engage_default", ""), []string{"write table with its schema"}},
		"column":     {trinoExport(c, "reader", "SELECT user_id, nothing FROM words", "word"), []string{"Column 'nothing' cannot be resolved", "look at table or query"}},
		"rights":     {trinoExport(c, "reader", "denied", "vip"), []string{"Access Denied: Cannot select from", `GRANT SELECT ON "denied" TO USER "reader"`}},
		"a stranger": {trinoExport(c, "nobody", "words", "word"), []string{"Access Denied", `TO USER "nobody"`}},
		"no select":  {trinoExport(c, "reader", "DELETE FROM words", "n"), []string{"SYNTAX_ERROR", "query takes one SELECT"}},
		"two":        {trinoExport(c, "reader", "SELECT 1 AS user_id; SELECT 2", "n"), []string{"SYNTAX_ERROR", "query takes one SELECT"}},
		"a value":    {trinoExport(c, "reader", "SELECT user_id, CAST(word AS integer) AS n FROM words", "n"), []string{"INVALID_CAST_ARGUMENT", "may hold a row's values"}},
		"closed":     {at(c.Host(), "127.0.0.1:1"), []string{"it cannot be reached: connection refused"}},
		"no TLS":     {at("?tls=off", ""), []string{"it cannot be reached: the server does not speak TLS"}},
	} {
		_, _, err := readTrino(t.Context(), test.e, nil)
		if err == nil || !errors.As(err, new(*engage.UnreadableError)) || strings.Contains(err.Error(), "SECRET-CELL") {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is not in: %v", name, want, err)
			}
		}
	}
	// What a query lacks is no fault of the server.
	_, result, err := readTrino(t.Context(), trinoExport(c, "reader", "words", "wort"), nil)
	if err != nil || result.Attributes[0].Err == nil || !strings.HasSuffix(result.Attributes[0].Err.Error(), `the table has no column "wort": did you mean "word"? Its columns are "user_id", "word"`) {
		t.Errorf("no such column: %v, %v", result.Attributes, err)
	}
}

// trinoSince: [[changes]] reads the rows since a time, in their order.
func trinoSince(t *testing.T, c *trinotest.Cluster) {
	c.Exec(t, `CREATE TABLE identifies AS SELECT * FROM (VALUES
		('m1', 'u1', TIMESTAMP '2026-11-20 08:00:00.000000', true), ('m3', 'u3', TIMESTAMP '2026-11-20 10:00:00.000001', false), ('m2', 'u2', TIMESTAMP '2026-11-20 09:00:00.000000', true)) AS t (id, user_id, received_at, vip)`)
	for _, kind := range []string{"timestamp(6)", "timestamp(3) with time zone", "date"} {
		for since, want := range map[string]string{"": "u1 u2 u3 ", "2026-11-20T09:00:00Z": "u2 u3 ", "2026-11-21T00:00:00Z": ""} {
			if kind == "date" && want == "u2 u3 " {
				want = "u1 u2 u3 "
			}
			e := trinoExport(c, "reader", "SELECT id, user_id, vip, CAST(received_at AS "+kind+") AS received_at FROM identifies", "vip")
			e.Changes, e.Cursor = true, "received_at"
			e.Attributes[0].Kind = engage.Audience
			if since != "" {
				e.Since, _ = time.Parse(time.RFC3339, since)
			}
			opened, err := e.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			_, err = opened.ReadChanges(t.Context(), func(change *engage.Change) error {
				got += string(change.UserID) + " "
				return nil
			})
			if err != nil || got != want {
				t.Errorf("%s since %s: got %s, %v; want %s", kind, since, got, err, want)
			}
		}
	}
	e := trinoExport(c, "reader", "identifies", "vip")
	e.Changes, e.Cursor = true, "vip"
	opened, err := e.Open(t.Context())
	if err == nil {
		_, err = opened.ReadChanges(t.Context(), func(*engage.Change) error { return nil })
	}
	if err == nil || !strings.Contains(err.Error(), "the column vip holds no times") {
		t.Error(err)
	}
}

// slowly is a query with more rows than a coordinator and workers hold ready: it runs until they are
// read. Each row has a text of its own, else they are one for the servers.
const slowly = "SELECT user_id, rpad(user_id, 3000, 'x') AS n FROM many"

// trinoWorker: where a worker dies in the middle, an export is read as a whole or held, and the
// next run mends it.
func trinoWorker(t *testing.T, c *trinotest.Cluster) {
	p := trinoProject(t, c, "many")
	if code, written := p.run(t, "sync"); code != 0 || !strings.Contains(written, "100,000 of 100,000") {
		t.Fatalf("exit code %d: %s", code, written)
	}
	c.Exec(t, "DELETE FROM many WHERE user_id = 'u1'")
	killed := false
	said, _, err := readTrino(t.Context(), trinoExport(c, "reader", slowly, "n"), func() {
		if !killed {
			killed = true
			c.KillWorker(t, "reader")
		}
	})
	t.Logf("the worker was killed in the middle: %d rows, %v", len(said), err)
	if whole := err == nil && len(said) == 99_999; !whole && (err == nil || !strings.Contains(err.Error(), "the rows are not complete")) {
		t.Error("that is neither all nor an error")
	}
	sent := "1 of 1 contact sent"
	code, written := p.run(t, "sync") // the coordinator may not know yet
	t.Logf("with the worker just killed: exit code %d", code)
	switch {
	case code == 0 && strings.Contains(written, sent):
		sent = "Nothing to send"
	case code == 1 && (strings.Contains(written, "the rows are not complete") || strings.Contains(written, "NO_NODES_AVAILABLE")):
	default:
		t.Errorf("exit code %d: %s", code, written)
	}
	c.ReplaceWorker(t)
	if code, written := p.run(t, "sync"); code != 0 || !strings.Contains(written, sent) {
		t.Errorf("exit code %d, and not %s: %s", code, sent, written)
	}
	p.mustSay(t, 0, `"members": 49999,`, "inspect", "audience", "vip", "--output", "json")
	p.mustSay(t, 0, `"vip": false`, "inspect", "contact", "u1", "--output", "json")
}

// trinoCoordinator: without a coordinator the export is held, at once or in the middle.
func trinoCoordinator(t *testing.T, c *trinotest.Cluster) {
	p := trinoProject(t, c, "users")
	if code, written := p.run(t, "sync"); code != 0 {
		t.Fatalf("exit code %d: %s", code, written)
	}
	killed := false
	_, _, err := readTrino(t.Context(), trinoExport(c, "reader", slowly, "n"), func() {
		if !killed {
			killed = true
			c.KillCoordinator(t)
		}
	})
	if err == nil || !strings.Contains(err.Error(), "the connection broke off, and the rows are not complete: connection refused") {
		t.Errorf("the coordinator was killed in the middle: %v", err)
	}
	code, written := p.run(t, "sync")
	if code != 1 || !strings.Contains(written, "it cannot be reached: connection refused") {
		t.Errorf("exit code %d: %s", code, written)
	}
	if _, written := p.run(t, "inspect", "audience", "vip", "--output", "json"); !strings.Contains(written, `"members": 1`) {
		t.Errorf("members are lost: %s", written)
	}
}
