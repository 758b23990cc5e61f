package inspect

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/attr"
	"gleapsync/internal/guard"
	"gleapsync/internal/inputs"
	"gleapsync/internal/runs"
	"gleapsync/state"
	"gleapsync/sync"
)

// world is a folder of exports and a state, with a Gleap that takes all but the first refuse
// calls of each runner.
type world struct {
	t       *testing.T
	options sync.Options
	refuse  int
	day     int
}

func newWorld(t *testing.T, exports ...inputs.Export) *world {
	dir := t.TempDir()
	for i := range exports {
		exports[i].Dir = dir
	}
	return &world{t: t, options: sync.Options{
		Project: "acme", Exports: exports, TempDir: dir, Memory: 16 << 20, Window: time.Minute, Concurrency: 1,
		Guard: guard.Limits{MaxExits: limit(t, "50%"), MaxInvalid: limit(t, "1%")},
	}}
}

func limit(t *testing.T, text string) guard.Limit {
	l, err := guard.ParseLimit(text)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func audience(source, key string) inputs.Export {
	return inputs.Export{Export: engage.Export{Source: source, Attributes: []engage.Attribute{{Kind: engage.Audience, Key: key, Name: key}}}}
}

func list(ids ...string) string { return "user_id\n" + strings.Join(ids, "\n") + "\n" }

// write puts an export into the folder, younger than all before.
func (w *world) write(name, text string) {
	w.t.Helper()
	path := filepath.Join(w.options.TempDir, name)
	w.day++
	when := time.Date(2026, 1, 1, 0, 0, w.day, 0, time.UTC)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Chtimes(path, when, when); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) store() *state.Store {
	w.t.Helper()
	store, err := state.Open(state.Options{Path: filepath.Join(w.options.TempDir, "state.db"), Project: "acme"})
	if err != nil {
		w.t.Fatal(err)
	}
	return store
}

func (w *world) view() *View { return New(w.options, w.store()) }

func (w *world) runner() *sync.Runner {
	return sync.New(w.options, w.store(), &refusing{w.refuse}, slog.New(slog.DiscardHandler), nil)
}

// sync runs a sync that must not fail.
func (w *world) sync(only ...string) runs.Report {
	w.t.Helper()
	report, err := w.runner().Sync(w.t.Context(), inputs.Request{Only: only})
	if err != nil {
		w.t.Fatal(err)
	}
	return report
}

// refusing refuses the first calls.
type refusing struct{ calls int }

func (r *refusing) Identify(context.Context, *gleap.Contact) error {
	if r.calls--; r.calls >= 0 {
		return &gleap.RefusedError{Status: 422}
	}
	return nil
}

func (*refusing) Track(context.Context, [][]byte) error        { return nil }
func (*refusing) Delete(context.Context, string) (bool, error) { return true, nil }
func (*refusing) Counts() gleap.Counts                         { return gleap.Counts{} }
func (*refusing) Seen() gleap.History                          { return gleap.History{} }
func (*refusing) Resume(gleap.History)                         {}

// TestChanges: a view knows what change exports said, and what new files say.
func TestChanges(t *testing.T) {
	w := newWorld(t, inputs.Export{Export: engage.Export{Source: "events", Pick: engage.PickAll, Changes: true, Discover: true, AllowEmpty: true}, KeepAbsent: true})
	change := func(user, audience string, enters bool, at int) string {
		return fmt.Sprintf(`{"type":"identify","userId":%q,"traits":{%q:"%t"},"context":{"personas":{"computation_class":"audience","computation_key":%[2]q,"computation_id":%[2]q}},"timestamp":%[4]q,"messageId":"m%[1]s%[5]d"}`,
			user, audience, enters, time.Unix(1_700_000_000+int64(at), 0).UTC().Format(time.RFC3339), at) + "\n"
	}
	w.write("events/1", change("u1", "vip", true, 1)+change("u2", "churn", true, 1))
	w.sync()
	w.write("events/2", change("u1", "vip", false, 2))
	v := w.view()
	c, err := v.Contact(t.Context(), "u1")
	if err != nil || !c.Attributes["vip"].Equal(attr.OfBool(true)) || !c.Exports["vip"].Value.Equal(attr.OfBool(false)) || !c.Exports["churn"].Absent {
		t.Errorf("%+v, %v", c, err)
	}
	c, err = v.Stored("u1") // it does not know the new file
	if err != nil || !c.Attributes["vip"].Equal(attr.OfBool(true)) || len(c.Exports) != 1 || !c.Exports["vip"].Value.Equal(attr.OfBool(true)) {
		t.Errorf("stored: %+v, %v", c, err)
	}
}

// TestHistory: the history adds up all runs, and what is made of the reports of a file
// that has none is the same.
func TestHistory(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"))
	w.write("a.csv", list("u1", "u2", "u3", "u4"))
	success := w.sync()
	w.write("a.csv", list("u1"))
	held := w.sync()
	w.write("a.csv", list("u1", "u2", "u3", "u4", "u5", "u6"))
	w.refuse = 1
	if _, err := w.runner().Baseline(t.Context(), inputs.Request{Only: []string{"a"}}); err != nil {
		t.Fatal(err)
	}
	if o, err := w.view().Overview(); err != nil || o.History.LastSuccess.Run != success.Run {
		t.Errorf("a baseline delivers nothing: %+v, %v", o.History.LastSuccess, err)
	}
	w.write("a.csv", list("u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8"))
	last := w.sync()
	if held.Outcome != runs.Held || last.Contacts.Parked != 1 {
		t.Fatal(held.Outcome, last)
	}
	status, err := w.view().Overview()
	if err != nil {
		t.Fatal(err)
	}
	want := runs.History{
		Runs:        map[runs.Outcome]int{runs.Complete: 3, runs.Held: 1},
		Calls:       runs.CallCounts{Identify: success.Calls.Identify + last.Calls.Identify, Refused: 1},
		LastSuccess: status.LastRun,
	}
	if !reflect.DeepEqual(status.History, want) || status.LastRun.Run != last.Run || want.Calls.Identify != 5 {
		t.Errorf("%+v\nwant %+v", status.History, want)
	}
	store := w.store()
	overview, err := store.Overview()
	if err != nil {
		t.Fatal(err)
	}
	overview.History = nil
	if fromReports, err := runs.HistoryOf(store, overview); err != nil || !reflect.DeepEqual(fromReports, want) {
		t.Errorf("of the reports: %+v, %v", fromReports, err)
	}
}

// TestLastSync: what the last sync did not look at is as the sync before left it, however
// long ago that was.
func TestLastSync(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"), audience("b.csv", "b"))
	if last, err := w.view().LastSync(); last != nil || err != nil {
		t.Errorf("before the first one: %+v, %v", last, err)
	}
	w.write("a.csv", list("u1"))
	w.sync() // b is not there
	for i := range 20 {
		w.write("a.csv", list("u1", fmt.Sprint("v", i)))
		only := w.sync("a")
		last, err := w.view().LastSync()
		if err != nil {
			t.Fatal(err)
		}
		if last.Run != only.Run || len(last.Exports) != 2 || last.Exports[0].Entered != 1 || last.Exports[1].Key != "b" || last.Exports[1].Status != runs.StatusHeld {
			t.Fatalf("after %d runs: %+v", i+1, last)
		}
	}
}

// TestOnly: a sync of some exports is marked, is no success of all, and is not what a whole
// sync is compared with.
func TestOnly(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"), audience("b.csv", "b"))
	w.write("a.csv", list("u1"))
	whole := w.sync() // b is not there
	w.write("a.csv", list("u1", "u2"))
	only := w.sync("a")
	v := w.view()
	o, err := v.Overview()
	if err != nil || only.Outcome != runs.Complete || o.History.LastSuccess != nil || o.LastRun.Run != only.Run || len(o.LastRun.Only) != 1 {
		t.Errorf("%+v, %v", o, err)
	}
	if last, err := v.LastWholeSync(); err != nil || last.Run != whole.Run || !last.Held() {
		t.Errorf("%+v, %v", last, err)
	}
}
