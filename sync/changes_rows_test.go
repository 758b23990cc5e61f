//go:build linux

package sync

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gleapsync/engage"
	"gleapsync/internal/inputs"
	"gleapsync/internal/postgrestest"
	"gleapsync/internal/rounds"
	"gleapsync/internal/runs"
	"gleapsync/internal/schedule"
	"gleapsync/internal/secret"
)

// rowsExport is a table of calls in a database.
func rowsExport(server *postgrestest.Server, table string) inputs.Export {
	return inputs.Export{
		Export: engage.Export{
			Source: server.URL("postgres"), Password: secret.Text(postgrestest.Password), Table: table, Changes: true, AllowEmpty: true, Cursor: "received_at",
			Attributes: []engage.Attribute{{Kind: engage.Audience, Key: "vip", Name: "vip", Column: "vip"}},
			Wildcards:  []engage.Wildcard{{Kind: engage.Trait, Pattern: "total_*"}},
		},
		KeepAbsent: true, Lag: 15 * time.Minute,
	}
}

// rowsTable makes such a table, with the columns that Segment adds.
func rowsTable(t fataler, server *postgrestest.Server, table string) func(sql string, args ...any) []string {
	tb := t.(testing.TB)
	exec := func(sql string, args ...any) []string { return server.Exec(tb, fmt.Sprintf(sql, args...)) }
	exec(`DROP TABLE IF EXISTS %s; CREATE TABLE %[1]s (id text, user_id text, received_at timestamptz, "timestamp" timestamptz, context_personas_computation_key text, vip boolean, total_orders bigint)`, table)
	return exec
}

// TestRowsModel inserts random calls, late ones and such that come again, and lets runs break off at
// any operation. At the end Gleap has the newest value of each, and a run reads what came since the
// last one and within the lag, and no more.
func TestRowsModel(t *testing.T) {
	server := postgrestest.Start(t)
	rounds.Check(t, func(r *rapid.T) {
		exec := rowsTable(t, server, "calls")
		w := newWorld(t, rowsExport(server, "calls"))
		defer w.server.Close()
		w.options.Memory = 1
		begin := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
		times := rapid.Permutation(slices.Collect(func(yield func(int) bool) {
			for i := range 40 {
				if !yield(i) {
					return
				}
			}
		})).Draw(r, "times")
		type newest struct {
			at    int
			value string
		}
		model := map[[2]string]newest{}
		var received []time.Time
		latest, n := begin, 0
		insert := func() {
			user, at := rapid.SampledFrom([]string{"a", "aa", "b", "c"}).Draw(r, "user"), times[n]
			n++
			vip := rapid.SampledFrom([]string{"NULL", "true", "false"}).Draw(r, "vip")
			orders := rapid.SampledFrom([]string{"NULL", "1", "7", "829"}).Draw(r, "orders")
			came := latest.Add(time.Duration(rapid.IntRange(-15*60, 40*60).Draw(r, "came")) * time.Second)
			if came.After(latest) {
				latest = came
			}
			received = append(received, came)
			for range rapid.IntRange(1, 2).Draw(r, "rows") {
				exec(`INSERT INTO calls VALUES ('m%d', '%s', '%s', '%s', 'x', %s, %s)`, at, user, came.Format(time.RFC3339), begin.Add(time.Duration(at)*time.Second).Format(time.RFC3339), vip, orders)
			}
			for key, value := range map[string]string{"vip": vip, "total_orders": orders} {
				if k := [2]string{user, key}; value != "NULL" && (model[k].value == "" || model[k].at < at) {
					model[k] = newest{at, value}
				}
			}
		}
		insert()
		var read time.Time // the latest of the run before that counted
		for range rapid.IntRange(1, 5).Draw(r, "days") {
			for range rapid.IntRange(0, 5).Draw(r, "calls") {
				insert()
			}
			if rapid.Bool().Draw(r, "broken off") {
				w.syncBreaking(t, rapid.IntRange(0, 12).Draw(r, "operation"), rapid.Bool().Draw(r, "after"))
				continue
			}
			report := w.sync(r, inputs.Request{})
			most := 0
			for _, came := range received {
				if !came.Before(read.Add(-15 * time.Minute)) {
					most += 2
				}
			}
			if report.Outcome != runs.Complete || report.Exports[0].Rows > most {
				r.Fatalf("%s: %d rows were read, and %d came\n%s", report.Outcome, report.Exports[0].Rows, most, statuses(report))
			}
			read = latest
		}
		w.sync(r, inputs.Request{})
		want, got := map[[2]string]string{}, map[[2]string]string{}
		for k, n := range model {
			if n.value != "false" {
				want[k] = n.value
			}
		}
		for c := range w.gleap.Contacts() {
			for key, v := range c.Attributes {
				if text, _ := json.Marshal(v); v != false && v != nil {
					got[[2]string{c.UserID, key}] = string(text)
				}
			}
		}
		if !maps.Equal(got, want) {
			r.Fatalf("Gleap has %v\nwant %v", got, want)
		}
		calls := w.gleap.Counts().Identify
		if w.sync(r, inputs.Request{}); w.gleap.Counts().Identify != calls {
			r.Fatal("a run without changes sends")
		}
	})
}

// TestRows: what settings, times and columns that are not right do.
func TestRows(t *testing.T) {
	server := postgrestest.Start(t)
	exec := rowsTable(t, server, "calls")
	w := newWorld(t, rowsExport(server, "calls"))
	e := &w.options.Exports[0]
	row := func(id, user, received, at, values string) {
		exec(`INSERT INTO calls VALUES ('%s', '%s', %s, '%s', 'x', %s)`, id, user, received, at, values)
	}
	check := func(what string, sent, rows int) {
		t.Helper()
		if r := w.sync(t, inputs.Request{}); r.Contacts.Sent != sent || r.Exports[0].Rows != rows {
			t.Errorf("%s: %d contacts sent, %d rows read, want %d and %d\n%s", what, r.Contacts.Sent, r.Exports[0].Rows, sent, rows, statuses(r))
		}
	}
	check("no row", 0, 0)
	row("m1", "u1", "'2026-02-01 08:00:00.123456'", "2026-02-01 08:00", "true, NULL")
	row("m2", "u2", "'2026-02-01 09:00:00'", "2026-02-01 09:00", "NULL, 3")
	check("all", 2, 2)
	check("the row that was the last is read again", 0, 1)
	row("m3", "u3", "'2026-02-01 08:44:59'", "2026-02-01 08:44", "true, NULL")
	check("later than the lag", 0, 1)
	row("m4", "u4", "'2026-02-01 08:45:00'", "2026-02-01 08:44", "true, NULL")
	check("within the lag", 1, 2)
	// A cursor without a time is read in each run, and one that is ahead hides none.
	row("m5", "u5", "NULL", "2026-02-01 08:44", "true, NULL")
	row("m6", "u6", "'2099-01-01'", "2026-02-01 08:44", "true, NULL")
	check("NULL, and ahead", 2, 4)
	row("m7", "u7", "now() - interval '1 minute'", "2026-02-01 08:44", "true, NULL")
	check("after one that is ahead", 1, 5)
	// NULL says nothing, false that somebody left, and an older call nothing any more.
	row("m8", "u1", "now()", "2026-02-01 10:00", "false, 9")
	row("m9", "u1", "now()", "2026-02-01 09:00", "true, NULL")
	check("out", 1, 5)
	if c := w.contacts()["u1"]; c != `{"total_orders":9,"vip":false}` {
		t.Error(c)
	}
	// Another password or timeout does not matter; another column does.
	e.Timeout = time.Minute
	check("the timeout", 0, 5)
	exec(`ALTER TABLE calls ADD COLUMN beta boolean; UPDATE calls SET beta = true WHERE id = 'm1'`)
	e.Attributes = append(e.Attributes, engage.Attribute{Kind: engage.Audience, Key: "beta", Name: "beta", Column: "beta"})
	check("one more audience, and who came too late", 2, 9)
	// A column that is not there holds its attribute, and nothing of the others is lost.
	exec(`ALTER TABLE calls RENAME COLUMN beta TO gamma`)
	row("m10", "u8", "now()", "2026-02-01 08:44", "true, NULL")
	row("m11", "u9", "now()", "2026-02-01 08:44", "true, NULL")
	held := w.sync(t, inputs.Request{})
	if held.Contacts.Sent != 2 || held.Outcome != runs.Held || !strings.Contains(statuses(held), `there is no column "beta"`) {
		t.Errorf("%+v\n%s", held.Contacts, statuses(held))
	}
	exec(`ALTER TABLE calls RENAME COLUMN gamma TO beta; UPDATE calls SET beta = true WHERE id = 'm10'`)
	e.Lag = 0
	check("it is back", 1, 5)
	for cursor, reason := range map[string]string{
		"received": `there is no column "received"`, "user_id": "the column user_id holds no times",
	} {
		e.Cursor = cursor
		if r := w.sync(t, inputs.Request{}); !strings.Contains(statuses(r), reason) {
			t.Errorf("%s: %s", cursor, statuses(r))
		}
	}
}

// TestRowsAudit: changes that nobody wrote are found by a snapshot, counted, and mended, within the
// limits of the guards. One that is younger than the lag is not compared, and a snapshot that cannot
// be read keeps no change back.
func TestRowsAudit(t *testing.T) {
	server := postgrestest.Start(t)
	exec := rowsTable(t, server, "calls")
	exec(`CREATE TABLE users (user_id text, vip boolean, total_orders bigint)`)
	e := rowsExport(server, "calls")
	snapshot := engage.Export{Source: e.Source, Password: e.Password, Table: "users"}
	weekly, err := schedule.Parse("0 3 * * 0", "UTC", 0)
	if err != nil {
		t.Fatal(err)
	}
	e.Audit = &inputs.Audit{Snapshot: snapshot, Schedule: weekly}
	w := newWorld(t, e)
	at := now()
	days := func(n int) runs.Report {
		t.Helper()
		r := w.runner(t)
		r.now = func() time.Time { return at.Add(time.Duration(n) * 24 * time.Hour) }
		report, err := r.Sync(t.Context(), inputs.Request{})
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	mended := func(r runs.Report) string {
		var all []string
		for _, e := range r.Exports {
			all = append(all, fmt.Sprintf("%s %d", e.Key, e.Mended))
		}
		return strings.Join(all, ", ")
	}
	for i, values := range []string{"true, 1", "true, 2", "true, 3", "false, NULL"} {
		exec(`INSERT INTO calls VALUES ('m%d', 'u%[1]d', '2026-02-01 08:00', '2026-02-01 07:00', 'x', %s)`, i, values)
	}
	exec(`INSERT INTO calls VALUES ('m9', 'u2', '2026-02-01 08:59', '2026-02-01 08:58', 'x', true, NULL), ('m10', 'u9', '2026-02-01 09:00', '2026-02-01 08:00', 'x', NULL, 5)`)
	// u1 left, u3 came and u4 is new, and no call said so; u2 is younger than the lag; u9 is gone.
	exec(`INSERT INTO users VALUES ('u0', true, 1), ('u1', false, 2), ('u2', false, 4), ('u3', true, NULL), ('u4', true, 7)`)
	if r := days(0); mended(r) != "vip 0, total_orders 0" || r.Contacts.Sent != 4 {
		t.Errorf("the first run: %s, %+v", mended(r), r.Contacts)
	}
	if r := days(0); mended(r) != "vip 0, total_orders 0" {
		t.Errorf("not due: %s", mended(r))
	}
	exec(`ALTER TABLE users RENAME TO away; INSERT INTO calls VALUES ('m11', 'u0', '2026-02-01 09:01', '2026-02-01 07:01', 'x', NULL, 10); UPDATE away SET total_orders = 10 WHERE user_id = 'u0'`)
	if r := days(8); r.Contacts.Sent != 1 || r.Outcome != runs.Held || !strings.Contains(statuses(r), `audit with users held: the changes go on without it, and the next run tries again: users in`) {
		t.Errorf("without the snapshot: %+v\n%s", r.Contacts, statuses(r))
	}
	exec(`ALTER TABLE away RENAME TO users`)
	w.options.Guard.MaxExits = limit("1%")
	if r := days(8); mended(r) != "vip 3, total_orders 2" || !strings.Contains(statuses(r), "vip held: 1 of 3 members would leave") {
		t.Errorf("held: %s\n%s", mended(r), statuses(r))
	}
	w.options.Guard.MaxExits = limit("100%")
	if r := days(8); mended(r) != "vip 3, total_orders 0" || r.Outcome != runs.Complete {
		t.Errorf("due: %s\n%s", mended(r), statuses(r))
	}
	want := map[string]string{
		"u0": `{"total_orders":10,"vip":true}`, "u1": `{"total_orders":2,"vip":false}`, "u2": `{"total_orders":4,"vip":true}`,
		"u3": `{"vip":true}`, "u4": `{"total_orders":7,"vip":true}`, "u9": `{"total_orders":5}`,
	}
	if got := w.contacts(); !maps.Equal(got, want) {
		t.Errorf("Gleap has %v, want %v", got, want)
	}
	if r := days(8); mended(r) != "vip 0, total_orders 0" || r.Contacts.Sent != 0 {
		t.Errorf("the audit is done: %s", mended(r))
	}
	if r := days(15); mended(r) != "vip 0, total_orders 0" || r.Contacts.Sent != 0 {
		t.Errorf("a week later: %s", mended(r))
	}
	// Where changes take over from a table, records are what is known.
	taken := w.options.Exports[0]
	w.options.Exports[0] = inputs.Export{Export: engage.Export{Source: e.Source, Password: e.Password, Table: "users", Attributes: []engage.Attribute{{Kind: engage.Audience, Key: "gold", Name: "gold", Column: "gold"}}}}
	exec(`ALTER TABLE users ADD COLUMN gold boolean; ALTER TABLE calls ADD COLUMN gold boolean; UPDATE users SET gold = user_id <> 'u1'`)
	days(15)
	exec(`UPDATE users SET gold = user_id = 'u0'`)
	taken.Attributes = append(taken.Attributes, w.options.Exports[0].Attributes[0])
	w.options.Exports[0] = taken
	if r := days(15); !strings.HasPrefix(mended(r), "vip 0, gold 0") {
		t.Errorf("the first run with the new column: %s", mended(r))
	}
	if r := days(22); mended(r) != "vip 0, gold 3, total_orders 0" || r.Contacts.Sent != 3 {
		t.Errorf("of records: %s, %+v", mended(r), r.Contacts)
	}
	// A change that comes later counts.
	exec(`INSERT INTO calls VALUES ('m12', 'u1', '2026-02-01 10:00', '2026-02-01 09:30', 'x', true, NULL)`)
	if days(22); w.contacts()["u1"] != `{"total_orders":2,"vip":true}` {
		t.Error(w.contacts()["u1"])
	}
}
