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
	server := postgrestest.Start(t)
	server.Exec(t, `
		CREATE SCHEMA engage_default;
		CREATE TABLE engage_default.users (user_id text, vip boolean, total_orders bigint, level text, email text, received_at timestamptz, rare boolean, returns int);
		INSERT INTO engage_default.users VALUES ('u1', true, 3, '007', 'ada@example.com', now(), NULL, 0), ('u2', false, 4, NULL, NULL, now(), NULL, 1);
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
		GRANT SELECT ON engage_default.users, engage_default.order_completed, buyers, space.user_traits, space.user_identifiers TO reader;`)
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
	run(0, []string{"audience  buyers                                   public.buyers", "vip, rare, total_orders, level, returns  engage_default.users",
		"profiles  churn_risk, revenue                      space.user_traits", "Not sent, since it is personal data: email."},
		"init", server.URL("reader:reader-password"), "--project", "acme")
	p.env = append(p.env, "PGPASSWORD=reader-password", "GLEAP_API_TOKEN=x")
	run(0, []string{`"estimate_seconds": 1`, `"key": "total_orders"`, `"key": "churn_risk"`, `"planned": 3`}, "plan", "--output", "json")
}
