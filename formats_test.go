package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"gleapsync/internal/runs"
)

// The states of testdata/upgrade/formats have one of each version of the format, written by the
// last program that knew no later one: a sync of the exports that unpackFormat writes, with u4
// in vip.csv and a Gleap that refuses refused1; forget u4; a sync without it. That of the fourth
// version has a second list of forgotten contacts, of a restore.
const formats = 4

// unpackFormat makes a project of a state, with the exports of a day later: u1 left, u6 came,
// u4 is back in its export, and u3 has a new value.
func unpackFormat(t *testing.T, version int, gleap, name string) *project {
	t.Helper()
	p := &project{t.TempDir(), append(os.Environ(), "TOKEN=secret-token")}
	p.write(t, name, unpack(t, fmt.Sprintf("testdata/upgrade/formats/v%d.db.gz", version)))
	settings := `project = "acme"
[gleap]
base_url = "` + gleap + `"
api_token_env = "TOKEN"
rate = 0
[state]
path = "state.db"
[contact]
email = "email"
[[audience]]
name = "VIP"
source = "vip.csv"
[[trait]]
name = "total_orders"
source = "orders.csv"
type = "number"
`
	if version >= 2 {
		settings += "[[changes]]\nsource = \"changes.json\"\naudiences = [\"subscribed\"]\ncontact = false\n"
	}
	p.write(t, "c.toml", settings)
	p.write(t, "vip.csv", "user_id,email\nu2,b@example.com\nu4,d@example.com\nu6,f@example.com\nrefused1,r@example.com\n")
	p.write(t, "orders.csv", "user_id,total_orders\nu1,3\nu3,8\n")
	p.write(t, "changes.json", `{"type":"identify","userId":"u5","traits":{"subscribed":false},"context":{"personas":{"computation_class":"audience","computation_key":"subscribed","computation_id":"aud_1"}},"timestamp":"2024-03-02T09:00:00Z","messageId":"m9"}`+"\n")
	return p
}

// TestFormats: a state of each version of the format is read and goes on, and so does one that
// is restored from such a file.
func TestFormats(t *testing.T) {
	t.Parallel()
	for version := 1; version <= formats; version++ {
		for _, restored := range []bool{false, true} {
			t.Run(fmt.Sprintf("version %d, restored %t", version, restored), func(t *testing.T) {
				gleap := newGleap(0, 0)
				defer gleap.Close()
				name := "state.db"
				if restored {
					name = "backup.db"
				}
				p := unpackFormat(t, version, gleap.URL, name)
				if restored {
					if code, out := p.run(t, "restore", p.path(name), "--yes"); code != 0 {
						t.Fatalf("restore ends with %d: %s", code, out)
					}
				}
				if code, out := p.run(t, "verify"); code != 0 || !strings.Contains(out, "is sound: 4 contacts, ") && !strings.Contains(out, "is sound: 3 contacts, ") {
					t.Errorf("verify ends with %d: %s", code, out)
				}
				code, out := p.run(t, "inspect", "runs", "--output", "json")
				var before []runs.Report
				err := json.Unmarshal([]byte(out), &before)
				if restored && len(before) > 0 && before[0].Command == "restore" { // which is a row of its own
					before = before[1:]
				}
				if code != 0 || err != nil || len(before) != 2 || before[1].Contacts.Parked != 1 {
					t.Errorf("%d, %v: %+v", code, err, before)
				}
				if code, out = p.run(t, "sync"); code != 3 {
					t.Errorf("sync ends with %d, want 3, since a contact is parked: %s", code, out)
				}
				u := upgrade{*p, gleap}
				want := `map[u1:{"vip":false} u3:{"total_orders":8} u6:{"vip":true}]`
				if version >= 2 {
					want = `map[u1:{"vip":false} u3:{"total_orders":8} u5:{"subscribed":false} u6:{"vip":true}]`
				}
				if got := fmt.Sprint(u.told(t)); got != want {
					t.Errorf("Gleap was told %s, want %s", got, want)
				}
				if code, out = p.run(t, "sync"); code != 3 || !strings.Contains(out, "Nothing to send") {
					t.Errorf("a second sync ends with %d: %s", code, out)
				}
			})
		}
	}
}

// TestLaterFormat: a state of a version that is not known yet is refused, and stays as it is.
func TestLaterFormat(t *testing.T) {
	gleap := newGleap(0, 0)
	defer gleap.Close()
	p := unpackFormat(t, formats, gleap.URL, "state.db")
	u := upgrade{*p, gleap}
	if now := u.format(t); now != formats {
		t.Fatalf("the last fixture has version %d, want %d: make one of each version", now, formats)
	}
	text, err := os.ReadFile(p.path("state.db"))
	if err != nil {
		t.Fatal(err)
	}
	later := strings.ReplaceAll(string(text), "format\x04", "format\x05")
	p.write(t, "state.db", later)
	for _, args := range [][]string{{"sync"}, {"plan"}, {"inspect"}, {"verify"}, {"compact"}} {
		code, out := p.run(t, args...)
		if code != 1 || !strings.Contains(out, "has format version 5, this gleapsync reads versions up to 4: use the version of gleapsync that wrote it") {
			t.Errorf("%v ends with %d: %s", args, code, out)
		}
	}
	if now, err := os.ReadFile(p.path("state.db")); err != nil || string(now) != later {
		t.Errorf("it was changed, %v", err)
	}
}
