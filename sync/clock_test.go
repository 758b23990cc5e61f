package sync

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gleapsync/internal/attr"
	"gleapsync/internal/damping"
	"gleapsync/internal/inputs"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// TestFileFromTheFuture: it is reported and counts as now, so that the next one is newer.
func TestFileFromTheFuture(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"))
	path := filepath.Join(w.dir, "a.csv")
	write := func(at time.Time, ids ...string) {
		w.write(t, "a.csv", list(ids...))
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	write(time.Now().AddDate(10, 0, 0), "u1", "u2")
	report := w.sync(t, inputs.Request{})
	if len(report.Notes) != 1 || !strings.Contains(report.Notes[0], "a.csv is dated ") || report.Exports[0].AsOf.After(time.Now()) {
		t.Errorf("%q, %v", report.Notes, report.Exports[0].AsOf)
	}
	write(time.Now().Add(-time.Hour), "u3") // from before the run
	if report = w.sync(t, inputs.Request{}); report.Outcome != runs.Held || !strings.Contains(report.Exports[0].Reason, "give the file a new time") {
		t.Errorf("%s: %s", report.Outcome, report.Exports[0].Reason)
	}
	write(time.Now(), "u1", "u4")
	if report = w.sync(t, inputs.Request{}); report.Outcome != runs.Complete || len(report.Notes) > 0 {
		t.Errorf("%s: %s, %q", report.Outcome, report.Exports[0].Reason, report.Notes)
	}
	write(time.Now().Add(time.Minute), "u1", "u5") // clocks are never quite the same
	if report = w.sync(t, inputs.Request{}); report.Outcome != runs.Complete || len(report.Notes) > 0 {
		t.Errorf("%s: %s, %q", report.Outcome, report.Exports[0].Reason, report.Notes)
	}
	want := map[string]string{"u1": `{"a":true}`, "u2": `{"a":false}`, "u4": `{"a":false}`, "u5": `{"a":true}`}
	if got := w.contacts(); !maps.Equal(got, want) {
		t.Errorf("Gleap has %v", got)
	}
}

// TestJumpingClock: after runs with clocks that were years ahead or behind, a run with a right
// one does what it always does, values that are held back for a time included.
func TestJumpingClock(t *testing.T) {
	value := trait("t.csv", "t")
	value.Damping = map[string]damping.Rule{"": {MinInterval: 24 * time.Hour}}
	w := newWorld(t, audience("a.csv", "a"), value)
	days := 0
	run := func(clock time.Duration) runs.Report {
		t.Helper()
		days++
		w.write(t, "a.csv", list("u1", "u"+string(rune('1'+days))))
		w.write(t, "t.csv", "user_id,value\nu1,"+string(rune('0'+days))+"\n")
		for _, name := range []string{"a.csv", "t.csv"} {
			at := time.Now().Add(clock)
			if err := os.Chtimes(filepath.Join(w.dir, name), at, at); err != nil {
				t.Fatal(err)
			}
		}
		r := w.runner(t)
		r.now = func() time.Time { return now().Add(clock) }
		report, err := r.Sync(t.Context(), inputs.Request{})
		if err != nil || report.Outcome != runs.Complete {
			t.Errorf("a clock that is %s ahead: %s, %+v, %v", clock, report.Outcome, report.Exports, err)
		}
		return report
	}
	const years = 10 * 365 * 24 * time.Hour
	run(0)
	run(years)
	report := run(0)
	if c, _ := w.gleap.Contact("u1"); asJSON(c.Attributes) != `{"a":true,"t":3}` {
		t.Errorf("after a clock that was ahead u1 is %s: %+v", asJSON(c.Attributes), report.Exports)
	}
	store := w.runner(t).store
	c, err := store.Contact("u1")
	record := c.Record
	if err != nil || record.Acknowledged > time.Now().Unix() || record.Find(1).At > time.Now().Unix() {
		t.Errorf("%+v, %v", record, err)
	}
	lastSuccess := func() *runs.Summary {
		o, err := store.Overview()
		if err != nil {
			t.Fatal(err)
		}
		h, err := runs.HistoryOf(store, o)
		if err != nil {
			t.Fatal(err)
		}
		return h.LastSuccess
	}
	if s := lastSuccess(); s == nil || s.Finished.After(time.Now()) {
		t.Errorf("the last success is %+v", s)
	}
	run(-years)
	run(0)
	run(24*time.Hour + time.Minute)
	if s := lastSuccess(); s != nil {
		t.Errorf("a success that is yet to come: %+v", s)
	}
}

// TestChangeFromTheFuture: one that an earlier version stored does not win for ever.
func TestChangeFromTheFuture(t *testing.T) {
	w := newWorld(t, changeExport())
	w.writeEvents(t, "1", in("u1", "vip", 1))
	w.sync(t, inputs.Request{})
	store := w.runner(t).store
	said := state.Said{Attributes: []state.Newest{{ID: 0, At: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano(), Value: attr.OfBool(true)}}}
	if err := store.AbsorbChanges([]state.Absorbed{{UserID: []byte("u1"), Said: said.Append(nil)}}); err != nil {
		t.Fatal(err)
	}
	w.writeEvents(t, "2", out("u1", "vip", 2))
	w.sync(t, inputs.Request{})
	if c, _ := w.gleap.Contact("u1"); asJSON(c.Attributes) != `{"vip":false}` {
		t.Errorf("u1 is %s", asJSON(c.Attributes))
	}
}
