//go:build linux

package main

import (
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"gleapsync/gleap/sandbox"
	"gleapsync/internal/trinotest"
)

// trinoProject is a project with a table of a Trino.
func trinoProject(t *testing.T, c *trinotest.Cluster, table string) *project {
	gleap := httptest.NewServer(sandbox.New(sandbox.Options{Token: "secret-token"}))
	t.Cleanup(gleap.Close)
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
table = %q
audiences = ["v*"]
traits = ["n"]
`, gleap.URL, c.URL("reader"), table))
	return p
}

// trinoCommands runs the commands as with PostgreSQL.
func trinoCommands(t *testing.T, c *trinotest.Cluster) {
	c.Exec(t, "CREATE TABLE users (user_id varchar, vip boolean, n bigint, email varchar)")
	c.Exec(t, "INSERT INTO users VALUES ('u1', true, 3, 'ada@example.com'), ('u2', false, 9007199254740993, NULL), ('u3', NULL, NULL, NULL)")
	p := trinoProject(t, c, "users")
	p.mustSay(t, 0, "users in trino://reader@127.0.0.1", "check")
	p.mustSay(t, 0, "2 contacts to send", "plan")
	p.mustSay(t, 0, "2 of 2 contacts sent", "sync")
	p.mustSay(t, 0, `"9007199254740993"`, "inspect", "contact", "u2", "--output", "json")
	p.mustSay(t, 0, `"vip": true`, "inspect", "contact", "u1", "--output", "json")
	p.mustSay(t, 0, "Nothing to send", "sync")
	c.Exec(t, "UPDATE users SET vip = NOT vip")
	p.mustSay(t, 0, "2 of 2 contacts sent", "sync")
}

// trinoInit: init finds the tables with user ids, and what it writes works.
func trinoInit(t *testing.T, c *trinotest.Cluster) {
	c.Exec(t, "CREATE SCHEMA engage_shop")
	c.Exec(t, "CREATE TABLE engage_shop.users (user_id varchar, vip boolean, orders bigint, revenue decimal(10, 2), city varchar, email varchar)")
	c.Exec(t, "INSERT INTO engage_shop.users VALUES ('u1', true, 3, 49.90, 'Wien', 'ada@example.com'), ('u2', false, 5, 7, 'Graz', NULL)")
	c.Exec(t, "CREATE TABLE engage_shop.identifies AS SELECT 'u1' AS user_id, TIMESTAMP '2026-11-20 08:15:00' AS received_at, true AS vip")
	c.Exec(t, "CREATE TABLE engage_shop.prices AS SELECT 'x' AS article, 1 AS price")
	p := newProject(t, "http://127.0.0.1:1", "")
	run := func(address string, want ...string) {
		t.Helper()
		if err := os.Remove(p.path("c.toml")); err != nil {
			t.Fatal(err)
		}
		p.mustSay(t, 0, "", "init", address)
		text, err := os.ReadFile(p.path("c.toml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range append(want, `table = "engage_shop.users"  # the password: TRINO_PASSWORD`, "audiences = [\n  \"vip\",", `"orders",`, `"revenue",`, `"city",`) {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s: %q is not in\n%s", address, want, text)
			}
		}
		if strings.Contains(string(text), "identifies") || strings.Contains(string(text), "prices") {
			t.Errorf("%s: what has no row for each user is in\n%s", address, text)
		}
	}
	shop := strings.Replace(c.URL(trinotest.Admin), "engage_default", "engage_shop", 1)
	run(shop)
	p.mustSay(t, 0, "2 contacts to send", "plan")
	run(strings.Replace(shop, "/engage_shop", "", 1), `table = "engage_default.users"`)
	if err := os.Remove(p.path("c.toml")); err != nil {
		t.Fatal(err)
	}
	p.mustSay(t, 1, "check catalog and schema", "init", strings.Replace(c.URL(trinotest.Admin), "engage_default", "nothing", 1))
	p.mustSay(t, 1, "write table with its schema", "init", "trino://admin@"+c.Host()+"?tls=off")
}
