package main

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gleapsync/internal/runs"

	"go.etcd.io/bbolt"
)

// upgradeDir is a project's folder whose name is the same wherever it is: the fingerprints
// in a state have the absolute path of the configuration's folder.
const upgradeDir = "/proc/self/cwd"

// upgradeTime is what all files of the fixture say of their time: that is in the
// fingerprints too.
var upgradeTime = time.Date(2024, 3, 2, 6, 0, 0, 0, time.UTC)

// upgrade is a project as an earlier version left it.
//
// The states of testdata/upgrade/round-1 were written by the last version that gave each
// value a type of its own and put underscores of names together: its sync was run twice, and
// then its compact, in that folder, with --config /proc/self/cwd/c.toml, against the sandbox
// of these tests. For parked.db the row "refused1,12.50" was added to exports/revenue.csv
// before.
type upgrade struct {
	project
	gleap *httptest.Server
}

// unpack returns what a packed file holds.
func unpack(t *testing.T, path string) string {
	t.Helper()
	packed, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	unpacked, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func newUpgrade(t *testing.T, state string) *upgrade {
	t.Helper()
	u := &upgrade{project{dir: t.TempDir()}, newGleap(0, 0)}
	t.Cleanup(u.gleap.Close)
	if _, err := os.Stat(upgradeDir); err != nil {
		t.Skip("there is no " + upgradeDir)
	}
	u.env = append(os.Environ(), "GLEAP="+u.gleap.URL, "GLEAP_API_TOKEN=secret-token")
	if err := os.CopyFS(u.dir, os.DirFS("testdata/upgrade/round-1")); err != nil {
		t.Fatal(err)
	}
	u.write(t, "state.db", unpack(t, u.path(state+".gz")))
	u.age(t)
	return u
}

// age gives all exports the time of the fixture.
func (u *upgrade) age(t *testing.T) {
	t.Helper()
	for _, folder := range []string{"exports", "events", "calls"} {
		if err := filepath.WalkDir(u.path(folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			return os.Chtimes(path, upgradeTime, upgradeTime)
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// add writes something behind what a file has.
func (u *upgrade) add(t *testing.T, name, more string) {
	t.Helper()
	text, err := os.ReadFile(u.path(name))
	if err != nil {
		t.Fatal(err)
	}
	u.write(t, name, string(text)+more)
}

// sync runs one, which must end with a code, and returns its report.
func (u *upgrade) sync(t *testing.T, code int) (r runs.Report) {
	t.Helper()
	cmd := exec.Command("gleapsync", "sync", "--output", "json", "--config", upgradeDir+"/c.toml")
	cmd.Dir, cmd.Env = u.dir, u.env
	out, err := cmd.Output()
	if got := cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("exit code %d, want %d: %v\n%s", got, code, err, out)
	}
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// told returns what Gleap was told of each contact since the fixture was made.
func (u *upgrade) told(t *testing.T) map[string]string {
	t.Helper()
	answer, err := http.Get(u.gleap.URL + "/sandbox/contacts")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	told := map[string]string{}
	for lines := json.NewDecoder(answer.Body); lines.More(); {
		var c struct {
			UserID     string `json:"user_id"`
			Attributes json.RawMessage
		}
		if err := lines.Decode(&c); err != nil {
			t.Fatal(err)
		}
		told[c.UserID] = string(c.Attributes)
	}
	return told
}

// unchanged checks that a run had nothing to do and kept the keys that Gleap has.
func (u *upgrade) unchanged(t *testing.T, r runs.Report) {
	t.Helper()
	var keys, kept []string
	for _, e := range r.Exports {
		keys = append(keys, e.Key)
		if e.Status != runs.StatusUnchanged || e.Rows > 0 {
			t.Errorf("%s: %s %s, %d rows", e.Key, e.Status, e.Reason, e.Rows)
		}
		if e.Note != "" {
			kept = append(kept, e.Note)
		}
	}
	if got, want := strings.Join(keys, " "), "first_time_shopper j_o_first_order_opened total_revenue total_orders subscribed note vip_eu a_b zip c_d score track calls/"; got != want {
		t.Errorf("the keys are %s, want %s", got, want)
	}
	for i, pair := range []string{"j_o_first_order__opened keeps the key j_o_first_order_opened ", "a__b keeps the key a_b ", "c__d keeps the key c_d "} {
		if len(kept) != 3 || !strings.HasPrefix(kept[i], pair) {
			t.Errorf("the notes are %q", kept)
		}
	}
	if told := u.told(t); r.Calls.Identify+r.Calls.Track > 0 || len(told) > 0 || len(r.Orphans) > 0 {
		t.Errorf("%+v, Gleap was told %v, orphans %v", r.Calls, told, r.Orphans)
	}
}

// format returns the format version of the state.
func (u *upgrade) format(t *testing.T) (version byte) {
	t.Helper()
	db, err := bbolt.Open(u.path("state.db"), 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.View(func(tx *bbolt.Tx) error {
		version = tx.Bucket([]byte("meta")).Get([]byte("format"))[0]
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return version
}

// TestUpgrade: a state of an earlier version goes on: no call for exports that did not
// change, the keys that Gleap has, and at the next reading one type for each attribute.
func TestUpgrade(t *testing.T) {
	u := newUpgrade(t, "state.db")
	before := u.format(t)
	// Nothing is read: what is there is not what was there, and only the fingerprint says that it is.
	kept := map[string]string{}
	for _, name := range []string{"shopper.csv", "opened.csv", "revenue.csv", "users.csv"} {
		text, err := os.ReadFile(u.path("exports/" + name))
		if err != nil {
			t.Fatal(err)
		}
		kept["exports/"+name] = string(text)
		u.write(t, "exports/"+name, strings.Repeat("?", len(text)))
	}
	u.age(t)
	u.unchanged(t, u.sync(t, 0))
	for name, text := range kept {
		u.write(t, name, text)
	}
	u.age(t)

	retyped := func(r runs.Report) string {
		t.Helper()
		var all []string
		for _, e := range r.Exports {
			if e.Status != runs.StatusUnchanged {
				all = append(all, fmt.Sprintf("%s %s %s %d", e.Key, e.Status, e.Type, e.Retyped))
			}
		}
		return strings.Join(all, ", ")
	}
	classes := func(r runs.Report) string {
		var all []string
		for _, c := range r.Classes {
			if c.Planned > 0 {
				all = append(all, fmt.Sprintf("%s %d", c.Class, c.Planned))
			}
		}
		return strings.Join(all, ", ")
	}
	expect := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s:\n%s\nwant\n%s", what, got, want)
		}
	}

	// One export has one row more: its type is decided, and who has a value of another one in
	// Gleap is told again. So with the table, which is read for the contact fields in it.
	u.add(t, "exports/revenue.csv", "u5,12.50\n")
	r := u.sync(t, 0)
	expect("applied", retyped(r), "total_revenue applied number 2, subscribed applied boolean 2, note applied string 1, zip applied string 2")
	expect("classes", classes(r), "change 1, first 3")
	expect("told", fmt.Sprint(u.told(t)), `map[u1:{"subscribed":true,"total_revenue":829.1} u2:{"note":"5","subscribed":true,"zip":"12345"} u3:{"total_revenue":450,"zip":"20095"} u5:{"total_revenue":12.5}]`)

	// What came later is of the same types, and changes go on where they were.
	u.add(t, "exports/users.csv", "u5,,,,,4,10115,,\n")
	u.write(t, "events/2.json", `{"type":"identify","userId":"u2","traits":{"score":9.5},"context":{"personas":{"computation_class":"trait","computation_key":"score","computation_id":"tra_1"}},"timestamp":"2024-03-01T09:00:00Z","messageId":"m7"}`+"\n")
	u.write(t, "calls/2.json", `{"type":"track","userId":"u3","event":"Order Completed","properties":{"total":"7.10"},"timestamp":"2024-03-01T10:00:00Z","messageId":"m8"}`+"\n")
	r = u.sync(t, 0)
	expect("applied", retyped(r), "total_orders applied number 0, subscribed applied boolean 0, note applied string 0, vip_eu applied boolean 0, a_b applied boolean 0, zip applied string 0, c_d applied boolean 0, score applied number 1, track calls/ applied  0")
	expect("classes", classes(r), "change 2, first 1")
	expect("told", fmt.Sprint(u.told(t)), `map[u1:{"score":12.5,"subscribed":true,"total_revenue":829.1} u2:{"note":"5","score":9.5,"subscribed":true,"zip":"12345"} u3:{"total_revenue":450,"zip":"20095"} u5:{"total_orders":4,"total_revenue":12.5,"zip":"10115"}]`)
	if r.Events.Sent != 1 || r.Calls.Track != 1 {
		t.Errorf("%+v %+v", r.Events, r.Calls)
	}
	r = u.sync(t, 0)
	expect("without a change", retyped(r)+classes(r), "")
	if after := u.format(t); after != before {
		t.Errorf("the format version was %d and is %d", before, after)
	}
}

// TestUpgradeParked: a contact that an earlier version parked stays parked.
func TestUpgradeParked(t *testing.T) {
	u := newUpgrade(t, "parked.db")
	u.add(t, "exports/revenue.csv", "refused1,12.50\n")
	u.age(t)
	r := u.sync(t, 3)
	u.unchanged(t, r)
	if r.Contacts.Parked != 1 {
		t.Errorf("%+v", r.Contacts)
	}
}
