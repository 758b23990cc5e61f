package sync

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"gleapsync/internal/inputs"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// TestRunningIsSeen: while a run sends, others see which one it is and how far, and nobody does
// afterwards.
func TestRunningIsSeen(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"))
	w.write(t, "a.csv", list("u1", "u2", "u3"))
	var seen []state.Holder
	path := ""
	f := &fakeGleap{after: func(int) error {
		if h := state.HolderOf(path); h != nil {
			seen = append(seen, *h)
		}
		return nil
	}}
	r := w.with(t, f)
	path = r.store.Path()
	report, err := r.Sync(t.Context(), inputs.Request{})
	if err != nil || len(seen) != 3 {
		t.Fatalf("%v, seen %+v, want three times", err, seen)
	}
	if s := seen[0].Running; s.Run != report.Run || s.Command != "sync" || s.Phase != "sending" || s.Total != 3 {
		t.Errorf("got %+v, want run %s, sending 3", s, report.Run)
	}
	if h := state.HolderOf(path); h != nil {
		t.Errorf("after the run: %+v", h)
	}
}

// TestLostRun: a run that was killed is in the list of runs, once, with what Gleap had
// acknowledged by then, and counts in the history.
func TestLostRun(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"))
	w.write(t, "a.csv", list("u1"))
	w.sync(t, inputs.Request{})
	w.write(t, "a.csv", list("u1", "u2", "u3", "u4"))
	r := w.runner(t)
	r.ledger = endless{r.ledger}
	killed, err := r.Sync(t.Context(), inputs.Request{})
	if err == nil {
		t.Fatal("the run came to its end")
	}
	lock := filepath.Join(w.dir, "state.db.lock")
	var file map[string]any
	text, err := os.ReadFile(lock)
	if err != nil || json.Unmarshal(text, &file) != nil {
		t.Fatalf("%s, %v", text, err)
	}
	file["running"] = state.Running{Run: killed.Run, Command: "sync", Started: killed.Started, Phase: "sending", At: killed.Started}
	if text, err = json.Marshal(file); err != nil || os.WriteFile(lock, text, 0o600) != nil {
		t.Fatal(err)
	}

	for range 2 {
		w.sync(t, inputs.Request{})
	}
	all, err := runs.Summaries(w.runner(t).store, 10)
	if err != nil || len(all) != 4 {
		t.Fatalf("%+v, %v, want four runs", all, err)
	}
	if l := all[2]; l.Run != killed.Run || l.IsWhole() || l.Outcome != runs.Lost || l.Command != "sync" || l.Contacts.Sent != 3 || l.Calls.Identify != 3 || l.Started.IsZero() {
		t.Errorf("got %+v", l)
	}
	o, err := w.runner(t).store.Overview()
	if err != nil {
		t.Fatal(err)
	}
	if h, err := runs.HistoryOf(w.runner(t).store, o); err != nil || h.Runs[runs.Lost] != 1 || h.Calls.Identify != 4 {
		t.Errorf("%+v, %v", h, err)
	}
}

// endless is a state to which the end of a run is not written.
type endless struct{ ledger }

func (endless) Finish(state.Result) error { return errors.New("killed") }
