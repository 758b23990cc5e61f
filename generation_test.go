//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gleapsync/gleap/sandbox"
	"gleapsync/internal/postgrestest"
	"gleapsync/internal/rounds"
)

// kept is a project with a table that its database compares.
type kept struct {
	*project
	gleap  *sandbox.Sandbox
	schema string
	exec   func(sql string) []string
	left   *left
}

// left counts what leaves a database: rows, and bytes.
type left struct {
	host        string // of the way
	rows, bytes atomic.Int64
}

// newLeft returns a way to a server on which is counted.
func newLeft(t *testing.T, server string) *left {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	c := &left{host: l.Addr().String()}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer client.Close()
				server, err := net.Dial("tcp", server)
				if err != nil {
					return
				}
				defer server.Close()
				go func() { _, _ = io.Copy(server, client); server.Close() }()
				c.copy(client, server)
			}()
		}
	}()
	return c
}

// copy passes a server's messages on: each is a letter, its size, and so many bytes less four.
func (c *left) copy(to io.Writer, from io.Reader) {
	head := make([]byte, 5)
	for {
		if _, err := io.ReadFull(from, head); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(from, body); err != nil {
			return
		}
		if c.bytes.Add(int64(len(head) + len(body))); head[0] == 'D' {
			c.rows.Add(1)
		}
		if _, err := to.Write(append(head, body...)); err != nil {
			return
		}
	}
}

// count returns what left since it was asked last.
func (c *left) count() (rows, bytes int64) { return c.rows.Swap(0), c.bytes.Swap(0) }

func newKept(t *testing.T, server *postgrestest.Server, user, table string) *kept {
	t.Helper()
	address := server.URL(user)
	at := address[strings.Index(address, "@")+1 : strings.LastIndex(address, "/")]
	exec := func(sql string) []string { return server.Exec(t, sql) }
	left := newLeft(t, at)
	k := keptIn(t, strings.Replace(address, at, left.host, 1), table, "kept", exec, left)
	k.env = append(k.env, "PGPASSWORD="+postgrestest.Password)
	return k
}

func keptIn(t *testing.T, source, table, schema string, exec func(string) []string, left *left) *kept {
	t.Helper()
	box := sandbox.New(sandbox.Options{Token: "secret-token"})
	http := httptest.NewServer(box)
	t.Cleanup(http.Close)
	k := &kept{newProject(t, http.URL, ""), box, schema, exec, left}
	k.write(t, "c.toml", fmt.Sprintf("project = \"p\"\n[gleap]\nbase_url = %q\napi_token_env = \"TOKEN\"\nrate = 0\n[guard]\nmax_exits = \"60%%\"\n[[table]]\nsource = %q\ntable = %q\ndelta = %q\nuser_id = \"user_id\"\naudiences = [\"vip\"]\ntraits = [\"score\"]\n",
		http.URL, source, table, schema))
	return k
}

// mustHave checks that Gleap has of each user what the table says, and of others no membership.
func (k *kept) mustHave(t *testing.T, table string) {
	t.Helper()
	want := map[string]string{}
	for _, row := range k.exec("SELECT user_id, CASE WHEN vip THEN 't' ELSE 'f' END, score FROM " + table) {
		id, rest, _ := strings.Cut(row, " ")
		want[id] = rest
	}
	for c := range k.gleap.Contacts() {
		vip, score := "f", fmt.Sprint(c.Attributes["score"])
		if c.Attributes["vip"] == true {
			vip = "t"
		}
		got := vip + " " + score
		if row, has := want[c.UserID]; has && row != got || !has && vip == "t" {
			t.Fatalf("%s is %q, the table says %q", c.UserID, got, row)
		}
		delete(want, c.UserID)
	}
	if len(want) > 0 {
		t.Fatalf("%d users of the table are not in Gleap", len(want))
	}
}

func (k *kept) tables() []string {
	return k.exec("SELECT table_name FROM information_schema.tables WHERE table_schema = '" + k.schema + "' ORDER BY 1")
}

// mustSendChanges has a sync send a day on which so many contacts changed: not many more rows than
// theirs leave the database, and none of others where nothing changed.
func (k *kept) mustSendChanges(t *testing.T, table string, changed int64) {
	t.Helper()
	const besides = 50 // columns, counts and notes
	k.left.count()
	k.mustSay(t, 0, fmt.Sprintf("%d contacts to send", changed), "plan")
	planned, _ := k.left.count()
	k.mustSay(t, 0, fmt.Sprintf("%d of %d contacts sent", changed, changed), "sync")
	rows, bytes := k.left.count()
	t.Logf("%d contacts changed: %d rows and %d bytes left the database for the sync, %d rows for the plan", changed, rows, bytes, planned)
	if most := 2*changed + besides; rows > most || planned > most {
		t.Error("more left it than what changed")
	}
	k.mustHave(t, table)
	k.mustSendNothing(t, besides)
}

func (k *kept) mustSendNothing(t *testing.T, most int64) {
	t.Helper()
	k.mustSay(t, 0, "Nothing to send", "sync")
	if rows, _ := k.left.count(); rows > most {
		t.Errorf("%d rows left the database although nothing changed", rows)
	}
}

// mustReadAll has a sync send one contact, for which it reads so many rows, and the next one none.
func (k *kept) mustReadAll(t *testing.T, least int64) {
	t.Helper()
	k.mustSay(t, 0, "1 of 1 contact sent", "sync")
	if rows, _ := k.left.count(); rows < least {
		t.Errorf("%d rows left the database, which had to tell all", rows)
	}
	k.mustSendNothing(t, 50)
}

// TestGenerations: of a table with delta only changes leave the database; the rights are asked for;
// two projects of one name share a schema.
func TestGenerations(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t)
	server.Exec(t, `CREATE TABLE users AS SELECT 'u' || i AS user_id, i % 3 = 0 AS vip, i AS score FROM generate_series(1, 4000) i;
		CREATE ROLE reader LOGIN PASSWORD '`+postgrestest.Password+`'; GRANT SELECT ON users TO reader`)
	a, b := newKept(t, server, "reader", "public.users"), newKept(t, server, "reader", "public.users")
	a.mustSay(t, 1, `CREATE SCHEMA "kept" AUTHORIZATION "reader";`, "check")
	server.Exec(t, "CREATE SCHEMA kept")
	a.mustSay(t, 1, `GRANT USAGE, CREATE ON SCHEMA "kept" TO "reader";`, "check")
	if written := a.mustSay(t, 0, "delta does nothing for public.users", "sync"); !strings.Contains(written, "4,000 of 4,000 contacts sent") {
		t.Error(written)
	}
	server.Exec(t, `GRANT USAGE, CREATE ON SCHEMA kept TO reader`)
	a.mustSay(t, 0, "keep what was applied in the schema kept", "check")
	a.mustSay(t, 0, "Nothing to send", "sync") // it reads all, and leaves a generation
	b.mustSay(t, 0, "4,000 of 4,000 contacts sent", "sync")
	if tables := a.tables(); len(tables) != 4 {
		t.Errorf("%q", tables)
	}
	server.Exec(t, "UPDATE users SET score = -score WHERE score <= 39; DELETE FROM users WHERE score = 3998; INSERT INTO users VALUES ('new', true, 7)")
	for _, k := range []*kept{a, b} {
		k.mustSendChanges(t, "users", 40)
	}
	if tables := a.tables(); len(tables) != 4 {
		t.Errorf("%q", tables)
	}
	// Without its generation all is read, once.
	server.Exec(t, "DROP SCHEMA kept CASCADE; CREATE SCHEMA kept; GRANT USAGE, CREATE ON SCHEMA kept TO reader; UPDATE users SET vip = NOT vip WHERE user_id = 'u5'")
	a.mustReadAll(t, 3_900)
	// Who would leave counts as ever.
	server.Exec(t, "DELETE FROM users WHERE vip AND score % 4 > 0")
	a.mustSay(t, 4, "would leave", "sync")
	server.Exec(t, "TRUNCATE users")
	a.mustSay(t, 4, "held", "sync")
}

// TestGenerationsKilled kills the program at random moments: what Gleap has in the end is what the
// table says, and nothing is left in the schema but the generation that was applied.
func TestGenerationsKilled(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t)
	server.Exec(t, `CREATE SCHEMA kept; CREATE TABLE users AS SELECT 'u' || i AS user_id, i % 3 = 0 AS vip, i AS score FROM generate_series(1, 5000) i`)
	k := newKept(t, server, "postgres", "public.users")
	began := time.Now()
	k.mustSay(t, 0, "contacts sent", "sync")
	whole := time.Since(began)
	killed := 0
	for day := range rounds.Of(2, 4) {
		server.Exec(t, fmt.Sprintf("UPDATE users SET vip = NOT vip, score = score + 1 WHERE abs(hashtext(user_id || %d)) %% 20 = 0; DELETE FROM users WHERE abs(hashtext(user_id)) %% 500 = %d", day, day))
		for range 4 {
			cmd := k.command("sync", "--log-level", "error")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(rand.N(whole))
			_ = cmd.Process.Kill()
			if cmd.Wait() != nil {
				killed++
			}
		}
		k.mustSay(t, 0, "", "sync")
		k.mustHave(t, "users")
		if tables := k.tables(); len(tables) != 2 {
			t.Errorf("%q", tables)
		}
	}
	t.Logf("killed %d times", killed)
}

// TestGenerationsScattered: the table lies on three servers, one of which dies. The export is held,
// and nobody leaves; once the server is back, what changed meanwhile goes.
func TestGenerationsScattered(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t)
	parts := []*postgrestest.Server{postgrestest.Start(t), postgrestest.Start(t), postgrestest.Start(t)}
	sql := "CREATE EXTENSION postgres_fdw; CREATE SCHEMA kept; CREATE TABLE users (user_id text, vip boolean, score int) PARTITION BY LIST (vip_of(user_id))"
	sql = strings.Replace(sql, "CREATE TABLE users", "CREATE FUNCTION vip_of(text) RETURNS int IMMUTABLE LANGUAGE sql AS $$ SELECT abs(hashtext($1)) % 3 $$; CREATE TABLE users", 1)
	for i, part := range parts {
		part.Exec(t, "CREATE TABLE part (user_id text, vip boolean, score int)")
		address := strings.TrimPrefix(part.URL(""), "postgres://@")
		host, port, err := net.SplitHostPort(address[:strings.Index(address, "/")])
		if err != nil {
			t.Fatal(err)
		}
		sql += fmt.Sprintf("; CREATE SERVER s%[1]d FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '%[2]s', port '%[3]s', dbname 'postgres', fetch_size '100'); CREATE USER MAPPING FOR postgres SERVER s%[1]d OPTIONS (user 'postgres', password '%[4]s'); CREATE FOREIGN TABLE u%[1]d PARTITION OF users FOR VALUES IN (%[1]d) SERVER s%[1]d OPTIONS (table_name 'part')",
			i, host, port, postgrestest.Password)
	}
	server.Exec(t, sql+"; INSERT INTO users SELECT 'u' || i, i % 3 = 0, i FROM generate_series(1, 3000) i")
	k := newKept(t, server, "postgres", "public.users")
	k.mustSay(t, 0, "3,000 of 3,000 contacts sent", "sync")
	k.left.count()
	server.Exec(t, "UPDATE users SET score = -score WHERE score % 100 = 0")
	k.mustSay(t, 0, "30 of 30 contacts sent", "sync")
	if rows, _ := k.left.count(); rows > 120 {
		t.Errorf("%d rows left the database", rows)
	}
	server.Exec(t, "UPDATE users SET score = 0 WHERE score % 1000 = 1")
	parts[2].Exec(t, "ALTER TABLE part RENAME TO away") // as if it died while it is asked
	k.mustSay(t, 1, "", "sync")
	parts[2].Exec(t, "ALTER TABLE away RENAME TO part")
	k.mustSay(t, 0, "3 of 3 contacts sent", "sync")
	k.mustHave(t, "users")
	server.Exec(t, "UPDATE users SET score = 5 WHERE score = 77")
	parts[1].Stop(t)
	written := k.mustSay(t, 1, "could not connect to server", "sync")
	if strings.Contains(written, postgrestest.Password) {
		t.Error("it shows a password")
	}
	for c := range k.gleap.Contacts() {
		if c.UserID == "u3" && c.Attributes["vip"] != true {
			t.Error("somebody left")
		}
	}
	parts[1].Again(t)
	k.mustSay(t, 0, "1 of 1 contact sent", "sync")
	k.mustHave(t, "users")
	if tables := k.tables(); len(tables) != 2 {
		t.Errorf("%q", tables)
	}
}

// TestGenerationsServerDies: the server dies while it copies the export. Nobody leaves, and once it is
// back what changed goes, and nothing of the copy is left.
func TestGenerationsServerDies(t *testing.T) {
	t.Parallel()
	server := postgrestest.Start(t)
	server.Exec(t, "CREATE SCHEMA kept; CREATE TABLE users AS SELECT 'u' || i AS user_id, i % 3 = 0 AS vip, i AS score FROM generate_series(1, 3000) i")
	k := newKept(t, server, "postgres", "public.users")
	text, err := os.ReadFile(k.path("c.toml"))
	if err != nil {
		t.Fatal(err)
	}
	// It waits for whoever has the lock.
	k.write(t, "c.toml", strings.Replace(string(text), `table = "public.users"`, `query = "SELECT * FROM users WHERE (SELECT count(pg_advisory_xact_lock_shared(7)) FROM generate_series(1, 1)) = 1"`, 1))
	k.mustSay(t, 0, "3,000 of 3,000 contacts sent", "sync")
	server.Exec(t, "UPDATE users SET score = -1 WHERE score = 77; DELETE FROM users WHERE user_id = 'u3'; SELECT pg_advisory_lock(7)")
	cmd := k.command("sync")
	var written bytes.Buffer
	cmd.Stdout, cmd.Stderr = &written, &written
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	const waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'advisory' AND query LIKE 'CREATE%'"
	for began := time.Now(); len(server.Exec(t, waiting)) == 0; {
		if time.Since(began) > time.Minute {
			t.Fatal("it copies nothing")
		}
	}
	server.Stop(t)
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 1 || !strings.Contains(written.String(), "no export could be read") {
		t.Errorf("%v: %s", err, &written)
	}
	k.mustSay(t, 0, `"members": 1000`, "inspect", "audience", "vip", "--output", "json")
	server.Again(t)
	k.mustSay(t, 0, "2 of 2 contacts sent", "sync")
	k.mustHave(t, "users")
	if tables := k.tables(); len(tables) != 2 {
		t.Errorf("%q", tables)
	}
}

// TestGenerationsMillion measures a plan of a million users with 150 columns of whom one in a hundred
// changed: what leaves the database, and what time is our own.
func TestGenerationsMillion(t *testing.T) {
	if !*million {
		t.Skip("it takes minutes: go test -run TestGenerationsMillion -million -v .")
	}
	server := postgrestest.Start(t)
	var columns, names []string
	for i := range 100 {
		names = append(names, fmt.Sprintf("in_%d", i))
		columns = append(columns, fmt.Sprintf("(i * %d) %% 100 < %d AS in_%d", 7919+2*i, 5+i*9/10, i))
	}
	for i := range 50 {
		trait := []string{"i % 97", "round((i * 31 % 100000) / 100.0, 2)::numeric(12,2)", "'category ' || i % 12", "timestamptz '2026-01-01' + i * interval '7 seconds'", "i * 1.5::float8"}[i%5]
		names = append(names, fmt.Sprintf("t%d", i))
		columns = append(columns, fmt.Sprintf("%s AS t%d", trait, i))
	}
	server.Exec(t, "CREATE SCHEMA kept; CREATE UNLOGGED TABLE users AS SELECT 'u' || lpad(i::text, 10, '0') AS user_id, "+strings.Join(columns, ", ")+" FROM generate_series(1::bigint, 1000000) i; ANALYZE users")
	k := newKept(t, server, "postgres", "public.users")
	text, err := os.ReadFile(k.path("c.toml"))
	if err != nil {
		t.Fatal(err)
	}
	config := strings.Replace(string(text), `audiences = ["vip"]`, `audiences = ["`+strings.Join(names[:100], `", "`)+`"]`, 1)
	config = strings.Replace(config, `traits = ["score"]`, `traits = ["`+strings.Join(names[100:], `", "`)+`"]`, 1)
	for _, delta := range []string{"delta = \"kept\"\n", ""} {
		k.write(t, "c.toml", strings.Replace(config, "delta = \"kept\"\n", delta, 1))
		measure := func(args ...string) {
			t.Helper()
			k.left.count()
			cmd, began := k.command(args...), time.Now()
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			rows, bytes := k.left.count()
			state := cmd.ProcessState
			t.Logf("delta %t: %s: %.1f s, of these %.2f s CPU time of ours; %d rows, %.1f MB left the database", delta != "", args[0], time.Since(began).Seconds(),
				(state.UserTime() + state.SystemTime()).Seconds(), rows, float64(bytes)/1e6)
		}
		if delta != "" {
			measure("baseline", "--yes")
		}
		server.Exec(t, "UPDATE users SET t0 = t0 + 1 WHERE abs(hashtext(user_id)) % 100 = 7")
		measure("plan")
		measure("sync")
	}
}
