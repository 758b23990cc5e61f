package sync

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"gleapsync/engage"
	"gleapsync/internal/inputs"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// rewrite changes a file and leaves its time as it is.
func (w *world) rewrite(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(w.dir, name)
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(text)) != before.Size() {
		t.Fatalf("%s gets another size", name)
	}
	for first := time.Now(); time.Since(first) < 20*time.Millisecond; { // the clock of files is slow
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(path, before.ModTime(), before.ModTime()); err != nil {
		t.Fatal(err)
	}
}

// TestRewrittenFile: what changed is read although size and time are as they were, and not
// read after an upgrade for what an earlier version did not know of files.
func TestRewrittenFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("this system has nothing that tells such files apart")
	}
	w := newWorld(t, audience("a.csv", "vip"))
	w.write(t, "a.csv", list("u1", "u2"))
	run := func(what string, want runs.Status, contacts string) {
		t.Helper()
		report, err := w.runner(t).Sync(t.Context(), inputs.Request{})
		if err != nil || len(report.Exports) != 1 || report.Exports[0].Status != want || fmt.Sprint(w.contacts()) != contacts {
			t.Errorf("%s: %v, %+v, %v, want %s and %s", what, err, report.Exports, w.contacts(), want, contacts)
		}
	}
	run("the first day", runs.StatusApplied, `map[u1:{"vip":true} u2:{"vip":true}]`)
	run("again", runs.StatusUnchanged, `map[u1:{"vip":true} u2:{"vip":true}]`)
	w.rewrite(t, "a.csv", list("u1", "u3"))
	run("rewritten", runs.StatusApplied, `map[u1:{"vip":true} u2:{"vip":false} u3:{"vip":true}]`)

	r := w.runner(t)
	source, err := w.options.Exports[0].Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, content := source.Fingerprint(w.options.Exports[0].Attributes)
	sum := sha256.Sum256(fmt.Appendf(nil, "%s false false %v", content, r.o.Fields))
	former := hex.EncodeToString(sum[:16])
	o, err := r.store.Overview()
	if err != nil {
		t.Fatal(err)
	}
	applied := o.Attributes[0].Applied
	applied.Fingerprint = former
	release, err := r.store.Lock()
	if err != nil {
		t.Fatal(err)
	}
	err = r.store.Finish(state.Result{Run: runs.NewID(""), Report: []byte("{}"), Applied: map[uint32]state.Applied{o.Attributes[0].ID: applied}})
	release()
	if err != nil {
		t.Fatal(err)
	}
	run("with the state of an earlier version", runs.StatusUnchanged, `map[u1:{"vip":true} u2:{"vip":false} u3:{"vip":true}]`)
}

// TestRewrittenChanges: files that are done are known by their size and time alone.
func TestRewrittenChanges(t *testing.T) {
	e := inputs.Export{Export: engage.Export{Source: "c.csv", Changes: true, Discover: true}}
	w := newWorld(t, e)
	row := "audience_name,audience_id,audience_action,user_id,timestamp\nvip,aud_1,true,%s,2026-01-01T00:00:00Z\n"
	w.write(t, "c.csv", fmt.Sprintf(row, "u1"))
	for _, id := range []string{"u1", "u2", "u2"} {
		w.rewrite(t, "c.csv", fmt.Sprintf(row, id))
		report, err := w.runner(t).Sync(t.Context(), inputs.Request{})
		if got := fmt.Sprint(w.contacts()); err != nil || report.Held() || got != `map[u1:{"vip":true}]` {
			t.Errorf("%v, %+v, %s", err, report.Exports, got)
		}
		if want := map[bool]runs.Status{true: runs.StatusApplied, false: runs.StatusUnchanged}[id == "u1"]; report.Exports[0].Status != want {
			t.Errorf("with %s: %s, want %s", id, report.Exports[0].Status, want)
		}
	}
}
