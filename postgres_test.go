//go:build linux

package main

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"gleapsync/gleap/sandbox"
	"gleapsync/internal/postgrestest"
)

// TestPostgres runs the commands with exports from a database. Nothing that they write
// holds its password.
func TestPostgres(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t)
	server.Exec(t, `
		CREATE SCHEMA engage_default;
		CREATE TABLE engage_default.users (user_id text, vip boolean, total_orders bigint, email text);
		INSERT INTO engage_default.users VALUES ('u1', true, 3, 'ada@example.com'), ('u2', false, 9007199254740993, NULL), ('u3', NULL, NULL, NULL);
		CREATE ROLE reader LOGIN PASSWORD 'reader-password';
		GRANT USAGE ON SCHEMA engage_default TO reader;
		GRANT SELECT ON ALL TABLES IN SCHEMA engage_default TO reader;`)
	gleap := httptest.NewServer(sandbox.New(sandbox.Options{Token: "secret-token"}))
	defer gleap.Close()
	p := newProject(t, gleap.URL, "")
	p.write(t, "c.toml", fmt.Sprintf(`
project = "p"
[gleap]
base_url = %q
rate = 0
api_token_env = "TOKEN"
[contact]
email = "email"
[[table]]
source = %q
table = "engage_default.users"
audiences = ["vip"]
traits = ["total_orders"]
[[audience]]
name = "Buyers"
source = %q
query = "SELECT user_id FROM engage_default.users WHERE total_orders > 0"
[[trait]]
name = "Orders"
source = %[2]q
query = "SELECT user_id, total_orders AS value FROM engage_default.users"
`, gleap.URL, server.URL("reader:${DB_PASSWORD}"), server.URL("reader")))
	p.env = append(p.env, "DB_PASSWORD=reader-password", "PGPASSWORD=reader-password")
	var all bytes.Buffer
	run := func(code int, want string, args ...string) {
		t.Helper()
		all.WriteString(p.mustSay(t, code, want, args...))
	}
	run(0, "postgres://reader@127.0.0.1", "check")
	run(0, "2 contacts to send", "plan")
	run(0, "2 of 2 contacts sent", "sync")
	run(0, `"9007199254740993"`, "inspect", "contact", "u2", "--output", "json")
	run(0, `"vip": true`, "inspect", "contact", "u1", "--output", "json")
	run(0, "Nothing to send", "sync")
	server.Exec(t, "UPDATE engage_default.users SET vip = NOT vip")
	run(0, "2 of 2 contacts sent", "sync")
	run(0, "report.html", "report", "--out", p.path("report.html"))

	// A table that nobody fills any more is as fresh as its newest row.
	server.Exec(t, "ALTER TABLE engage_default.users ADD loaded timestamptz; UPDATE engage_default.users SET loaded = now() - interval '3 hours' WHERE user_id <> 'u3'")
	text, err := os.ReadFile(p.path("c.toml"))
	if err != nil {
		t.Fatal(err)
	}
	p.write(t, "c.toml", strings.Replace(string(text), "audiences = [", "exclude = [\"loaded\"]\nloaded_at = \"loaded\"\nmax_age = \"2h\"\naudiences = [", 1))
	run(4, "older than max_age = 2h0m0s allows: does Segment still fill the table?", "sync")
	server.Exec(t, "UPDATE engage_default.users SET loaded = now() WHERE user_id = 'u1'")
	run(0, "Nothing to send", "sync")
	p.write(t, "c.toml", string(text))

	server.Exec(t, "REVOKE SELECT ON engage_default.users FROM reader")
	run(1, `GRANT SELECT ON "engage_default"."users" TO "reader"`, "sync") // held: the members stay
	run(0, `"vip": false`, "inspect", "contact", "u1", "--output", "json")
	run(1, "permission denied", "check", "--output", "json")

	for _, name := range []string{"gleapsync.db", "report.html"} {
		text, err := os.ReadFile(p.path(name))
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	if bytes.Contains(all.Bytes(), []byte("reader-password")) {
		t.Error("the password was written somewhere")
	}
}
