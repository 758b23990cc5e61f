package config

import (
	"strings"
	"testing"
	"time"

	"gleapsync/internal/secret"
)

func TestDatabase(t *testing.T) {
	t.Setenv("DB_PASSWORD", "hidden%2Fword")
	c, err := load(t, `
project = "acme"
[[audience]]
name = "A"
source = "postgres://reader:${DB_PASSWORD}@db:5432/w?sslmode=verify-full"
query = "SELECT user_id FROM a"
timeout = "90s"
[[trait]]
name = "T"
source = "redshift://reader@db/w"
query = "SELECT user_id, value FROM t"
password_file = "/run/secrets/db"
[[table]]
source = "postgresql://reader@db/w"
table = "engage_default.users"
traits = ["total_orders"]
[[table]]
source = "trino://reader:${DB_PASSWORD}@trino/lake/engage_default"
table = "users"
traits = ["orders"]
timeout = "1h"
`)
	if err != nil {
		t.Fatal(err)
	}
	a, tr, table := c.Sync.Exports[0], c.Sync.Exports[1], c.Sync.Exports[2]
	if a.Source != "postgres://reader@db:5432/w?sslmode=verify-full" || a.Password != secret.Text("hidden/word") || a.Query != "SELECT user_id FROM a" || a.Timeout != 90*time.Second {
		t.Errorf("%+v", a)
	}
	if tr.Source != "redshift://reader@db/w" || tr.PasswordFile != "/run/secrets/db" || tr.Password != "" {
		t.Errorf("%+v", tr)
	}
	if trino := c.Sync.Exports[3]; trino.Source != "trino://reader@trino/lake/engage_default" || trino.Password != "hidden/word" || trino.Timeout != time.Hour {
		t.Errorf("%+v", trino)
	}
	if table.Source != "postgresql://reader@db/w" || table.Table != "engage_default.users" {
		t.Errorf("%+v", table)
	}
}

func TestDatabaseErrors(t *testing.T) {
	audience := "project = \"a\"\n[[audience]]\nname = \"A\"\n"
	if _, err := load(t, audience+"source = \"postgress://u:secret@h/d\"\ntable = \"t\"\n"); err == nil ||
		!strings.HasSuffix(err.Error(), "c.toml:4: audience[0].source: it takes a path, or an address that begins with s3://, gs://, azblob://, postgres://, redshift:// or trino://: did you mean postgres://?") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
	for text, want := range map[string]string{
		"source = \"trino://h/lake\"\ntable = \"t\"\n":                                 "c.toml:4: audience[0].source: its address names no user",
		"source = \"postgres://u@h/d\"\n":                                              "c.toml:2: audience[0]: a database takes exactly one of query and table",
		"source = \"postgres://u@h/d\"\ntable = \"t\"\nquery = \"q\"\n":                "exactly one of query and table",
		"source = \"a.csv\"\nloaded_at = \"t\"\n":                                      "c.toml:5: audience[0].loaded_at: it is for databases only",
		"source = \"postgres://u@h/d\"\ntable = \"t\"\nloaded_at = \"a\"\n":            "c.toml:6: audience[0].loaded_at: it says how old the rows are, and nothing says how old they may be: set max_age",
		"source = \"a.csv\"\ntable = \"t\"\n":                                          "c.toml:5: audience[0].table: it is for databases only",
		"source = \"a.csv\"\ntimeout = \"10m\"\n":                                      "c.toml:5: audience[0].timeout: it is for databases and commands only",
		"source = \"postgres://u@h/d\"\ntable = \"t\"\npick = \"all\"\n":               "c.toml:6: audience[0].pick: it is for files only",
		"source = \"postgres://u@h/d\"\ntable = \"t\"\ntimeout = \"soon\"\n":           "c.toml:6: audience[0].timeout: it takes a duration",
		"source = \"postgres://u:secret@h/d\"\ntable = \"t\"\npassword_file = \"f\"\n": "c.toml:6: audience[0].password_file: the source has a password too",
		"source = \"postgres://u:1/secret@h/d\"\ntable = \"t\"\n":                      "c.toml:4: audience[0].source: it is no address such as postgres://",
		"source = \"postgres://u@h/d?sslmod=require\"\ntable = \"t\"\n":                "c.toml:4: audience[0].source: its address has a parameter \"sslmod\"",
	} {
		_, err := load(t, audience+text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v\nwant %s", text, err, want)
		}
	}
}
