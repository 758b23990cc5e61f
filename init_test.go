//go:build linux

package main

import (
	"os"
	"strings"
	"testing"

	"gleapsync/internal/postgrestest"
)

// TestInitPostgres makes a configuration of the tables of a database, which works at once
// and has no password.
func TestInitPostgres(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t)
	server.Exec(t, `
		CREATE SCHEMA engage_default;
		CREATE TABLE engage_default.users (user_id text, vip boolean, total_orders bigint, level text, email text, received_at timestamptz, rare boolean, returns int, account bigint, hidden_score bigint);
		INSERT INTO engage_default.users VALUES ('u1', true, 3, '007', 'ada@example.com', now(), NULL, 0, 9007199254740993, 1), ('u2', false, 4, NULL, NULL, now(), NULL, 1, 7, 2);
		CREATE TABLE engage_default.order_completed (user_id text, original_timestamp timestamptz);
		CREATE TABLE engage_default.secrets (user_id text, wealth bigint);
		CREATE TABLE buyers (user_id text);
		INSERT INTO buyers VALUES ('u2');
		CREATE SCHEMA space;
		CREATE TABLE space.user_traits (canonical_segment_id text, name text, value text, seq bigint);
		INSERT INTO space.user_traits VALUES ('p1', 'churn_risk', 'true', 1), ('p1', 'revenue', '12.5', 2), ('p2', 'revenue', 'true', 3), ('p1', 'email', 'ada@example.com', 4), ('p2', 'unsaid', NULL, 5);
		CREATE TABLE space.user_identifiers (canonical_segment_id text, type text, value text, seq bigint);
		INSERT INTO space.user_identifiers VALUES ('p1', 'user_id', 'u3', 1);
		CREATE ROLE reader LOGIN PASSWORD 'reader-password';
		GRANT USAGE ON SCHEMA engage_default, space TO reader;
		GRANT SELECT (user_id, vip, total_orders, level, email, received_at, rare, returns, account) ON engage_default.users TO reader;
		GRANT SELECT ON engage_default.order_completed, buyers, space.user_traits, space.user_identifiers TO reader;`)
	p := newProject(t, "sandbox", "")
	if err := os.Remove(p.path("c.toml")); err != nil {
		t.Fatal(err)
	}
	run := func(code int, wants []string, args ...string) {
		t.Helper()
		got, written := p.run(t, args...)
		for _, want := range wants {
			if got != code || !strings.Contains(written, want) {
				t.Errorf("%s: exit code %d: %s\nwant %d: %s", args, got, written, code, want)
			}
		}
		for _, never := range []string{"reader-password", "secrets", "order_completed", "ada@"} {
			if strings.Contains(written, never) {
				t.Errorf("%s: it shows %s: %s", args, never, written)
			}
		}
	}
	run(1, []string{"password authentication failed"}, "init", server.URL("reader:wrong"))
	run(0, []string{"audience  buyers                                            public.buyers", "vip, rare, total_orders, level, returns, account  engage_default.users",
		"profiles  churn_risk, revenue                               space.user_traits", "Not sent, since it is personal data: email.",
		`Left out: engage_default.users, column hidden_score: the role may not read it: GRANT SELECT ON "engage_default"."users" TO "reader";`},
		"init", server.URL("reader:reader-password"), "--project", "acme")
	if text, err := os.ReadFile(p.path("c.toml")); err != nil || !strings.Contains(string(text), `types = { account = "string" }`) {
		t.Errorf("an integer beyond 2^53 is no string: %v\n%s", err, text)
	}
	p.env = append(p.env, "PGPASSWORD=reader-password", "GLEAP_API_TOKEN=x")
	run(0, []string{`"estimate_seconds": 1`, `"key": "total_orders"`, `"key": "churn_risk"`, `"planned": 3`}, "plan", "--output", "json")
}

// TestInitPostgresChoice: of tables with the same columns the one that Engage fills is taken, and
// never one without rows or with a row for each event; where nothing can be taken, each cause has
// its own words.
func TestInitPostgresChoice(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t)
	server.Exec(t, `
		CREATE SCHEMA engage_acme;
		CREATE SCHEMA app;
		CREATE TABLE engage_acme.users AS SELECT 'u' || i AS user_id, i % 3 = 0 AS vip, i % 50 AS total_orders, 'co' || i AS company, 'x' AS secret FROM generate_series(1, 30) i;
		CREATE TABLE engage_acme.empty_users (LIKE engage_acme.users);
		CREATE TABLE engage_acme.a_copy AS SELECT * FROM engage_acme.users;
		CREATE TABLE app.users (user_id text, vip boolean, total_orders int);
		CREATE TABLE engage_acme.audience_entered AS SELECT 'u' || i AS user_id, 'vip' AS audience_key, now() AS received_at FROM generate_series(1, 5) i;
		CREATE TABLE engage_acme.visits AS SELECT 'u' || i % 2 AS user_id, true AS seen FROM generate_series(1, 30) i;
		CREATE SCHEMA other;
		CREATE TABLE other.people AS SELECT 'u1' AS id, true AS vip;
		CREATE ROLE reader LOGIN PASSWORD 'p';
		GRANT USAGE ON SCHEMA engage_acme, app, other TO reader;
		GRANT SELECT ON ALL TABLES IN SCHEMA engage_acme, app, other TO reader;
		CREATE ROLE columns LOGIN PASSWORD 'p';
		GRANT USAGE ON SCHEMA engage_acme TO columns;
		GRANT SELECT (user_id, vip) ON engage_acme.users TO columns;
		CREATE ROLE nothing LOGIN PASSWORD 'p';
		CREATE ROLE usage LOGIN PASSWORD 'p';
		GRANT USAGE ON SCHEMA engage_acme, other TO usage;
		GRANT SELECT ON other.people TO usage;
		CREATE ROLE noschema LOGIN PASSWORD 'p';
		GRANT SELECT ON engage_acme.users TO noschema;`)
	p := newProject(t, "sandbox", "")
	p.env = append(p.env, "PGPASSWORD=p", "GLEAP_API_TOKEN=x")
	for _, test := range []struct {
		role  string
		flags []string
		code  int
		wants []string
		never string
	}{
		{"reader", nil, 0, []string{
			"table  vip, total_orders, secret  engage_acme.users",
			"Left out: engage_acme.a_copy: engage_acme.users has the same keys: if this is the right table, gleapsync init with --table engage_acme.a_copy takes it alone\n",
			"Left out: app.users: it has no rows", "Left out: engage_acme.empty_users: it has no rows",
			"Left out: engage_acme.visits: it has several rows for each user",
		}, "audience_entered"},
		{"reader", []string{"--table", "engage_acme.a*"}, 0, []string{"table  vip, total_orders, secret  engage_acme.a_copy"}, "engage_acme.users"},
		{"reader", []string{"--table", "app.users"}, 1, []string{"app.users: it has no rows"}, "engage_acme"},
		{"reader", []string{"--table", "app.people"}, 1, []string{"no table is called app.people: there are engage_acme.users, "}, ""},
		{"reader", []string{"--user-id", "id"}, 0, []string{"table  vip   other.people"}, "users"},
		{"columns", nil, 0, []string{"table  vip   engage_acme.users", "column total_orders, secret: the role may not read it: GRANT SELECT"}, "company"},
		{"nothing", nil, 1, []string{`engage_acme.users: its role may not use the schema: let the owner run GRANT USAGE ON SCHEMA "engage_acme" TO "nothing"; GRANT SELECT ON "engage_acme"."users" TO "nothing";`}, ""},
		{"usage", nil, 1, []string{
			`engage_acme.users: its role may not read it: let the owner run GRANT SELECT ON "engage_acme"."users" TO "usage";`,
			"other.people: it has no column user_id but id, vip: if one of them has the user ids, name it with --user-id",
		}, ""},
		{"noschema", nil, 1, []string{`engage_acme.users: its role may not use the schema: let the owner run GRANT USAGE ON SCHEMA "engage_acme" TO "noschema";` + "\n"}, ""},
	} {
		os.Remove(p.path("c.toml"))
		code, written := p.run(t, append([]string{"init", server.URL(test.role)}, test.flags...)...)
		for _, want := range test.wants {
			if code != test.code || !strings.Contains(written, want) {
				t.Errorf("%s %s: exit code %d: %s\nwant %d: %s", test.role, test.flags, code, written, test.code, want)
			}
		}
		if test.never != "" && strings.Contains(written, test.never) {
			t.Errorf("%s %s: it shows %s: %s", test.role, test.flags, test.never, written)
		}
		if code == 0 {
			if code, written := p.run(t, "plan"); code != 0 || test.role == "reader" && strings.Contains(written, "not used") {
				t.Errorf("%s %s: the plan: exit code %d: %s", test.role, test.flags, code, written)
			}
		}
	}
	if code, written := p.run(t, "init", ".", "--table", "a.b"); code != 1 || !strings.Contains(written, "--table is for databases") {
		t.Errorf("a table of a folder: exit code %d: %s", code, written)
	}
}
