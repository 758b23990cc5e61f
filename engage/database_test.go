//go:build linux

package engage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gleapsync/internal/attr"
	"gleapsync/internal/postgrestest"
	"gleapsync/internal/values"
)

func TestSecret(t *testing.T) {
	e := Export{Source: "postgres://reader@db/x", Password: "hidden"}
	for _, format := range []string{"%v", "%+v", "%#v", "%q", "%s", "%x"} {
		if text := fmt.Sprintf(format, e); strings.Contains(text, "hidden") || strings.Contains(text, "68696464656e") {
			t.Errorf("%s: %s", format, text)
		}
	}
}

// read returns what an export says, a line for each row.
func read(ctx context.Context, e Export) (said []string, result Result, err error) {
	return readLines(ctx, e, " ")
}

// attributes makes one of each column: an audience if its name says so, else a trait.
func attributes(columns ...string) (all []Attribute) {
	for _, column := range columns {
		a := Attribute{Kind: Trait, Key: column, Name: column, Column: column, Type: values.Auto}
		if strings.HasPrefix(column, "in_") {
			a.Kind = Audience
		}
		all = append(all, a)
	}
	return all
}

func TestDatabase(t *testing.T) {
	server := postgrestest.Start(t)
	server.Exec(t, `
		CREATE ROLE reader LOGIN PASSWORD 'reader-password';
		CREATE SCHEMA "Engage";
		CREATE TABLE "Engage".users (user_id text, email text, in_a boolean, n numeric, price numeric(12,2), i bigint, f float8,
			at timestamptz, local timestamp, day date, tags text[], data jsonb, code char(5), word text, private text);
		INSERT INTO "Engage".users VALUES
			('u1', 'a@x.io', true, 123456789012345678901234567890.123456789, 49.90, 9007199254740993, 0.1,
			 '2026-11-20 10:15:00.25+02', '2026-11-20 08:15:00', '2026-11-20', '{a,"b c"}', '{"k":[1]}', 'x', E'two\nlines, "quoted"', 'private'),
			('u2', NULL, false, 0.10, 100, 7, 1e300, 'infinity', '0044-03-15 00:00:00 BC', NULL, '{}', NULL, NULL, '', NULL),
			('u3', '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
		CREATE TABLE denied (user_id text, in_a boolean);
		CREATE TABLE words (user_id text, word text);
		INSERT INTO words VALUES ('u1', 'SECRET-CELL');
		CREATE SEQUENCE numbers;
		CREATE VIEW slow AS SELECT 'u' || g AS user_id, pg_sleep(60)::text AS in_a FROM generate_series(1, 3) g;
		GRANT USAGE ON SCHEMA "Engage" TO reader;
		GRANT SELECT (user_id, email, in_a, n, price, i, f, at, local, day, tags, data, code, word) ON "Engage".users TO reader;
		GRANT SELECT ON words, slow TO reader;
		GRANT ALL ON SEQUENCE numbers TO reader;`)
	const secret = "reader-password"
	ctx := t.Context()
	base := Export{Source: server.URL("reader"), Password: secret}
	of := func(table, query string, columns ...string) Export {
		e := base
		e.Table, e.Query, e.Attributes = table, query, attributes(columns...)
		return e
	}

	t.Run("values", func(t *testing.T) {
		e := of("Engage.users", "", "in_a", "n", "price", "i", "f", "at", "local", "day", "tags", "data", "code", "word")
		e.Fields = []string{"email"}
		want := []string{
			`u1 true "123456789012345678901234567890.123456789" 49.9 "9007199254740993" "0.1" "2026-11-20T08:15:00.25Z" "2026-11-20T08:15:00Z" "2026-11-20" "a, b c" "{\"k\":[1]}" "x" "two\nlines, \"quoted\"" "a@x.io"`,
			`u2 false "0.10" 100 "7" "1` + strings.Repeat("0", 300) + `" "infinity" "0044-03-15 00:00:00 BC" null null null null null null`,
			`u3 null null null null null null null null null null null null null`,
		}
		for _, scheme := range []string{"postgres:", "postgresql:"} { // a reader of some columns only may read it
			e.Source = scheme + strings.TrimPrefix(base.Source, "postgres:")
			said, result, err := read(ctx, e)
			if err != nil || result.Invalid != 0 || strings.Join(said, "\n") != strings.Join(want, "\n") {
				t.Errorf("%v, %+v:\n%s", err, result, strings.Join(said, "\n"))
			}
		}
	})

	t.Run("as Redshift", func(t *testing.T) { // it has no arrays
		e := of("", "SELECT user_id, in_a, at, price FROM \"Engage\".users WHERE user_id = 'u1'", "in_a", "at", "price")
		e.Source = "redshift:" + strings.TrimPrefix(base.Source, "postgres:")
		said, _, err := read(ctx, e)
		if err != nil || strings.Join(said, "\n") != `u1 true "2026-11-20T08:15:00.25Z" 49.9` {
			t.Errorf("%q, %v", said, err)
		}
	})

	t.Run("a query", func(t *testing.T) {
		said, _, err := read(ctx, of("", `WITH one AS (SELECT 1 AS n) SELECT '{"user_id":["a","b"]}'::json AS external_ids, n FROM one -- comment; `, "n"))
		if err != nil || strings.Join(said, "\n") != "a 1\nb 1" {
			t.Errorf("%q, %v", said, err)
		}
		said, _, err = read(ctx, of("", `SELECT user_id, in_a FROM "Engage".users WHERE false;`, "in_a"))
		if err != nil || len(said) > 0 {
			t.Errorf("no rows: %q, %v", said, err)
		}
	})

	t.Run("columns", func(t *testing.T) { // nobody forgot those that the role may not read
		for source, want := range map[string]string{
			"Engage.users": "user_id email in_a n price i f at local day tags data code word",
			"words":        "user_id word",
		} {
			e := of(source, "", "word")
			opened, err := e.Open(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = opened.Read(ctx, e.Attributes, func([]byte, []attr.Value) error { return nil }); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(opened.Columns(), " "); got != want {
				t.Errorf("%s: got %s, want %s", source, got, want)
			}
		}
	})

	t.Run("header", func(t *testing.T) { // the rows would take a minute, each
		source, err := of("slow", "").Open(ctx)
		if err != nil {
			t.Fatal(err)
		}
		names, err := source.Header(ctx)
		if err != nil || strings.Join(names, " ") != "user_id in_a" {
			t.Errorf("%q, %v", names, err)
		}
		if fingerprint, _ := source.Fingerprint(nil); fingerprint != "" {
			t.Errorf("fingerprint %q", fingerprint)
		}
		if age := time.Since(source.AsOf()); age < 0 || age > time.Minute {
			t.Errorf("as of %s", source.AsOf())
		}
	})

	t.Run("wildcards", func(t *testing.T) { // what they take is known after the header
		e := of("", `SELECT user_id, in_a, i FROM "Engage".users WHERE user_id < 'u3'`)
		e.Attributes, e.Wildcards = nil, []Wildcard{{Audience, "in_*", ""}}
		source, err := e.Open(ctx)
		if err != nil {
			t.Fatal(err)
		}
		names, err := source.Header(ctx)
		e.Attributes = e.TakeColumns(names)
		got := ""
		if _, readErr := source.Read(ctx, e.Attributes, func(id []byte, cells []attr.Value) error {
			got += fmt.Sprintf("%s %s ", id, cells[0].AppendJSON(nil))
			return nil
		}); err != nil || readErr != nil || got != "u1 true u2 false " {
			t.Errorf("got %s, %v, %v", got, err, readErr)
		}
	})

	t.Run("loaded", func(t *testing.T) {
		for column, want := range map[string]string{
			"timestamptz '2026-11-20 10:15:00.25+02' AS at": "2026-11-20T08:15:00.25Z",
			"timestamp '2026-11-20 08:15:00' AS at":         "2026-11-20T08:15:00Z",
			"date '2026-11-20' AS at":                       "2026-11-20T00:00:00Z",
			"NULL::timestamp AS at":                         "0001-01-01T00:00:00Z",
			"'2026' AS at":                                  `the column "at", which loaded_at names, has no times`,
			"1 AS x":                                        `there is no column "at", which loaded_at names`,
			"1 AS att":                                      `there is no column "at", which loaded_at names: did you mean "att"?`,
		} {
			e := of("", "SELECT 'u1' AS user_id, "+column+" UNION ALL SELECT 'u2', NULL", "n")
			e.LoadedAt = "at"
			source, err := e.Open(ctx)
			if err != nil {
				t.Fatal(err)
			}
			got, err := source.Loaded(ctx)
			if said := fmt.Sprint(got.UTC().Format(time.RFC3339Nano), err); !strings.Contains(said, want) || (err == nil) != strings.HasSuffix(want, "Z") {
				t.Errorf("%s: %s", column, said)
			}
		}
	})

	passwordFile := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(passwordFile, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Run("password", func(t *testing.T) {
		e := of("words", "", "word")
		e.Password = ""
		t.Setenv("PGPASSFILE", os.DevNull)
		try := func(what string) {
			if _, _, err := read(ctx, e); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		e.PasswordFile = passwordFile
		try("file")
		e.PasswordFile = ""
		t.Run("environment", func(t *testing.T) {
			t.Setenv("PGPASSWORD", secret)
			try("environment")
		})
		passfile := filepath.Join(t.TempDir(), "pgpass")
		if err := os.WriteFile(passfile, []byte("*:*:*:reader:"+secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PGPASSFILE", passfile)
		try("PGPASSFILE")
	})

	t.Run("errors", func(t *testing.T) {
		closed := base
		closed.Source, closed.Table, closed.Attributes = "postgres://reader@127.0.0.1:1/postgres", "words", attributes("word")
		wrong, none, tls := closed, closed, closed
		unasked := closed
		unasked.Source, unasked.Password = base.Source, ""
		t.Setenv("PGPASSFILE", os.DevNull)
		wrong.Source, wrong.Password = base.Source, "WRONG-PASSWORD"
		none.Source, none.PasswordFile = base.Source, passwordFile+".none"
		tls.Source = strings.Replace(base.Source, "disable", "require", 1)
		noDatabase := closed
		noDatabase.Source = strings.Replace(base.Source, "/postgres?", "/nothing?", 1)
		slow := of("slow", "", "in_a")
		slow.Timeout = 100 * time.Millisecond
		for name, test := range map[string]struct {
			e    Export
			want []string
		}{
			"table":      {of("Engage.nothing", "", "n"), []string{"Engage.nothing in postgres://reader@127.0.0.1:", `relation "Engage.nothing" does not exist`, "look at table"}},
			"schema":     {of("nothing.users", "", "n"), []string{`does not exist`}},
			"column":     {of("", "SELECT user_id, nothing FROM words", "word"), []string{`column "nothing" does not exist`, "look at table or query"}},
			"rights":     {of("public.denied", "", "in_a"), []string{"permission denied for table denied", `GRANT USAGE ON SCHEMA "public" TO "reader"; GRANT SELECT ON "public"."denied" TO "reader";`}},
			"in a query": {of("", "SELECT * FROM denied", "in_a"), []string{"permission denied for table denied", `GRANT SELECT ON denied TO "reader";`}},
			"a column":   {of("Engage.users", "", "private"), []string{"permission denied", `let the owner run GRANT SELECT ("private") ON "Engage"."users" TO "reader";`}},
			"its schema": {of("", "SELECT * FROM public.denied", "in_a"), []string{`GRANT SELECT ON public.denied TO "reader";`}},
			"no schema":  {of("nobody", "", "in_a"), []string{"does not exist", "write table with its schema, such as engage_default.nobody"}},
			"unasked":    {unasked, []string{"no password is given"}},
			"no select":  {of("", "DELETE FROM words", "n"), []string{"syntax error", "query takes one SELECT"}},
			"password":   {wrong, []string{"the server refuses the connection", `authentication failed for user "reader"`, "PGPASSWORD"}},
			"no file":    {none, []string{"the password cannot be read", "no such file"}},
			"closed":     {closed, []string{"it cannot be reached", "connection refused"}},
			"no TLS":     {tls, []string{"it cannot be reached", "TLS"}},
			"database":   {noDatabase, []string{`database "nothing" does not exist`}},
			"syntax":     {of("", "SELECT FROM WHERE", "n"), []string{"syntax error"}},
			"two":        {of("", "SELECT 1; SELECT 2", "n"), []string{"syntax error"}},
			"writes":     {of("", "SELECT nextval('numbers')::text AS user_id, 1 AS n", "n"), []string{"read-only transaction"}},
			"a value":    {of("", "SELECT user_id, word::int AS n FROM words", "n"), []string{"SQLSTATE 22P02", "psql"}},
			"too slow":   {slow, []string{"the query took longer than 100ms", "raise timeout"}},
			"long row":   {of("", "SELECT 'u' AS user_id, repeat('x', 17 << 20) AS n", "n"), []string{"a row is longer than 16 MiB"}},
		} {
			_, _, err := read(ctx, test.e)
			if err == nil {
				t.Errorf("%s: no error", name)
				continue
			}
			if unreadable := new(UnreadableError); !errors.As(err, &unreadable) {
				t.Errorf("%s: it is no UnreadableError: %v", name, err)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%s: %q is not in: %v", name, want, err)
				}
			}
			for _, never := range []string{secret, "WRONG-PASSWORD", "SECRET-CELL"} {
				if strings.Contains(err.Error(), never) {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		// What a query lacks is no fault of the server.
		_, _, err := read(ctx, of("", "SELECT word FROM words", "word"))
		if err == nil || errors.As(err, new(*UnreadableError)) || !strings.HasSuffix(err.Error(), `the query has no column user_id, userId or external_ids: name the user id's column with user_id; its columns are "word"`) {
			t.Errorf("no user id: %v", err)
		}
		_, _, err = read(ctx, of("", "SELECT 'u' AS user_id, 1 AS n, 2 AS n", "n"))
		if err == nil || errors.As(err, new(*UnreadableError)) || !strings.Contains(err.Error(), `"n" (column 2 and 3)`) {
			t.Errorf("a column twice: %v", err)
		}
		_, result, err := read(ctx, of("words", "", "wort"))
		if err != nil || result.Attributes[0].Err == nil || !strings.HasSuffix(result.Attributes[0].Err.Error(), `the table has no column "wort": did you mean "word"? Its columns are "user_id", "word"`) {
			t.Errorf("no such column: %v, %v", result.Attributes, err)
		}
		// Rows come in no order: one line says it of all.
		_, result, err = read(ctx, of("", "SELECT 'u' || g AS user_id, CASE WHEN g < 8 THEN 'maybe' END AS in_a, timestamp '2026-11-20' AS in_b FROM generate_series(1, 9) g", "in_a", "in_b"))
		var problems []string
		for _, p := range result.Problems {
			_, said, _ := strings.Cut(p.String(), ": column")
			problems = append(problems, said)
		}
		const want = " in_a: the value is neither true nor false: true, t, 1, yes, false, f, 0 and no are taken (7 rows)\n in_b: the value is a date, neither true nor false: take the column as a trait (9 rows)"
		got := strings.Split(strings.Join(problems, "\n"), "\n")
		slices.Sort(got)
		if err != nil || strings.Join(got, "\n") != want {
			t.Errorf("problems: %q, %v", problems, err)
		}
	})

	running := func() bool {
		return len(server.Exec(t, "SELECT pid FROM pg_stat_activity WHERE application_name = 'gleapsync' AND query LIKE '%in_a%FROM%' AND state = 'active'")) > 0
	}
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(ctx)
		done := make(chan error)
		go func() {
			_, _, err := read(ctx, of("slow", "", "in_a"))
			done <- err
		}()
		for !running() {
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		for running() {
		}
	})
	t.Run("ended early", func(t *testing.T) {
		e := of("", "SELECT 'u' || g AS user_id, g > 1 AS in_a FROM (SELECT generate_series(1, 100000000) AS g) s", "in_a")
		source, err := e.Open(ctx)
		if err != nil {
			t.Fatal(err)
		}
		stop := errors.New("stop")
		if _, err := source.Read(ctx, e.Attributes, func([]byte, []attr.Value) error { return stop }); err != stop {
			t.Errorf("%v", err)
		}
		for running() {
		}
	})
}

// TestDatabaseKilled kills what answers, in the middle of the answer.
func TestDatabaseKilled(t *testing.T) {
	server := postgrestest.Start(t)
	e := Export{
		Source: server.URL("postgres"), Password: postgrestest.Password,
		Query: "SELECT 'u' || g AS user_id FROM (SELECT generate_series(1, 3000000) AS g) s", Attributes: []Attribute{{Kind: Audience, Key: "a"}},
	}
	killed := func(kill func(pid int)) {
		t.Helper()
		source, err := e.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		rows := 0
		_, err = source.Read(t.Context(), e.Attributes, func([]byte, []attr.Value) error {
			if rows++; rows == 1000 {
				pid, err := strconv.Atoi(server.Exec(t, "SELECT pid FROM pg_stat_activity WHERE application_name = 'gleapsync'")[0])
				if err != nil {
					t.Fatal(err)
				}
				kill(pid)
			}
			return nil
		})
		if !errors.As(err, new(*UnreadableError)) || !strings.Contains(err.Error(), "the connection broke off") || rows == 3000000 {
			t.Errorf("after %d rows: %v", rows, err)
		}
	}
	killed(func(pid int) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	})
	server.Ready(t)
	killed(func(pid int) { server.Kill(t, pid) })
	if _, err := e.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := read(t.Context(), e); !errors.As(err, new(*UnreadableError)) {
		t.Errorf("a server that is gone: %v", err)
	}
}
