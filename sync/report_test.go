package sync

import (
	"os"
	"path/filepath"
	"testing"

	"gleapsync/internal/guard"
	"gleapsync/internal/inputs"
	"gleapsync/internal/runs"
)

// TestResolve: the command that a report gives for a held export does what it says, as
// often as the report is read.
func TestResolve(t *testing.T) {
	w := newWorld(t, audience("a.csv", "shrunk"), audience("b.csv", "gone"), audience("c.csv", "sound"))
	w.options.Guard.MaxExits, _ = guard.ParseLimit("50%")
	for _, file := range []string{"a.csv", "b.csv", "c.csv"} {
		w.write(t, file, list("u1", "u2", "u3"))
	}
	w.sync(t, inputs.Request{})
	w.write(t, "a.csv", list("u3"))
	w.write(t, "c.csv", list("u2", "u3"))
	os.Remove(filepath.Join(w.dir, "b.csv"))
	for range 2 {
		report := w.sync(t, inputs.Request{})
		for i, want := range []string{"gleapsync sync --max-exits shrunk=2", "gleapsync check", ""} {
			if e := report.Exports[i]; e.Resolve() != want {
				t.Errorf("%s, %s: %q, want %q", e.Key, e.Reason, e.Resolve(), want)
			}
		}
	}
	allowed, _ := guard.ParseLimit("2")
	report := w.sync(t, inputs.Request{MaxExits: map[string]guard.Limit{"shrunk": allowed}})
	if e := report.Exports[0]; e.Status != runs.StatusApplied || e.Exited != 2 {
		t.Errorf("%+v", e)
	}
}
