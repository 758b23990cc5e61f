package sync

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gleapsync/gleap"
	"gleapsync/internal/inputs"
	"gleapsync/internal/rounds"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// stolen is a state that is replaced by an older one before one of the commits.
type stolen struct {
	ledger
	left  int
	steal func()
}

func (l *stolen) Commit(d state.Delivery) ([]state.Event, error) {
	if l.left--; l.left == 0 {
		l.steal()
	}
	return l.ledger.Commit(d)
}

// attacked is a world in which the model below does its worst.
type attacked struct {
	*world
	r         *rapid.T
	path      string
	forgotten map[string]bool
	clock     time.Duration // how far it is ahead in the present run
}

// TestAttackedModel lets days of random exports pass, with runs that are killed or cut off,
// of the kinds sync, sync --only, sync --full, retry and forget; with clocks and files from
// the future and the past; with states that vanish or are swapped for older ones between runs
// and within them, and are put back. No run may go on with a state that is not the newest; what
// is not said to be unanswered Gleap has as the state says; what a run does not look at stays as
// it is; who is forgotten does not come back.
func TestAttackedModel(t *testing.T) {
	t.Parallel() // it waits for the disk
	rounds.Check(t, func(r *rapid.T) {
		kept := audience("k.csv", "k")
		kept.KeepAbsent = true
		w := &attacked{world: newWorld(t, audience("a.csv", "a"), kept, trait("t.csv", "t")), r: r, forgotten: map[string]bool{}}
		defer w.server.Close()
		w.path = filepath.Join(w.dir, "state.db")
		for i := range w.options.Exports {
			w.options.Exports[i].AllowEmpty = true
		}
		for range rapid.IntRange(3, 8).Draw(r, "days") {
			w.clock = rapid.SampledFrom([]time.Duration{0, 0, 0, 30 * time.Minute, 10 * 365 * 24 * time.Hour, -10 * 365 * 24 * time.Hour}).Draw(r, "clock")
			w.export("a.csv", "user_id", "")
			w.export("k.csv", "user_id", "")
			w.export("t.csv", "user_id,value", ",1", ",2")
			w.swapBetween()
			switch rapid.SampledFrom([]string{"sync", "sync", "sync", "full", "only", "only", "only full", "retry", "forget"}).Draw(r, "command") {
			case "sync":
				w.run(inputs.Request{})
			case "full":
				w.run(inputs.Request{Full: true})
			case "only":
				w.run(inputs.Request{Only: []string{rapid.SampledFrom([]string{"a", "k", "t"}).Draw(r, "key")}})
			case "only full":
				w.run(inputs.Request{Full: true, Only: []string{rapid.SampledFrom([]string{"a", "k", "t"}).Draw(r, "key")}})
			case "retry":
				w.retry()
			case "forget":
				w.forget()
			}
		}
		w.clock = 0
		for _, name := range []string{"a.csv", "k.csv", "t.csv"} { // they may be of a clock that was behind
			at := time.Now()
			if err := os.Chtimes(filepath.Join(w.dir, name), at, at); err != nil {
				r.Fatal(err)
			}
		}
		w.retry()
		w.sync(r, inputs.Request{})
		w.mustMatch(r)
		w.mustBeForgotten()
		if report := w.sync(r, inputs.Request{}); report.Calls.Identify != 0 || report.Deletions != nil {
			r.Fatalf("%d calls without a change, %+v", report.Calls.Identify, report.Deletions)
		}
	})
}

var attackedIDs = []string{"u1", "u2", "u3", "u4", "u5"}

// export writes random rows, dated by the clock of today.
func (w *attacked) export(name, header string, cells ...string) {
	text := header + "\n"
	for _, id := range rapid.SliceOfDistinct(rapid.SampledFrom(attackedIDs), rapid.ID).Draw(w.r, name) {
		text += id + rapid.SampledFrom(cells).Draw(w.r, "cells") + "\n"
	}
	w.write(w.r, name, text)
	at := time.Now().Add(w.clock)
	if rapid.IntRange(0, 4).Draw(w.r, "future file") == 0 {
		at = at.AddDate(10, 0, 0)
	}
	if err := os.Chtimes(filepath.Join(w.dir, name), at, at); err != nil {
		w.r.Fatal(err)
	}
}

// save copies the state, false if there is none yet.
func (w *attacked) save(to string) bool {
	text, err := os.ReadFile(w.path)
	if errors.Is(err, os.ErrNotExist) {
		return false
	}
	if err = errors.Join(err, os.WriteFile(to, text, 0o600)); err != nil {
		w.r.Fatal(err)
	}
	return true
}

func (w *attacked) putBack(from string) {
	if err := os.Rename(from, w.path); err != nil {
		w.r.Fatal(err)
	}
}

// swapBetween takes the state away between two runs, sees that no command goes on without it,
// and puts it back.
func (w *attacked) swapBetween() {
	older, right := filepath.Join(w.dir, "older.db"), filepath.Join(w.dir, "right.db")
	_, err := os.Stat(older)
	hasOlder := err == nil
	how := rapid.SampledFrom([]string{"", "", "gone", "older"}).Draw(w.r, "swap")
	if how == "" || how == "older" && !hasOlder || !w.save(right) {
		w.save(older) // for another day
		return
	}
	was, err := state.Open(state.Options{Path: older, Project: "acme"})
	if how == "older" && (err != nil || was.Mark().Commits == w.runner(w.r).store.Mark().Commits) {
		return // it is the newest
	}
	whole := w.runner(w.r)
	os.Remove(w.path)
	if how == "older" {
		text, _ := os.ReadFile(older)
		if err := os.WriteFile(w.path, text, 0o600); err != nil {
			w.r.Fatal(err)
		}
	}
	before := w.gleap.Counts()
	store, err := state.Open(state.Options{Path: w.path, Project: "acme"})
	if err == nil {
		runner := New(w.options, store, whole.client, whole.log, nil)
		_, err = runner.Sync(w.r.Context(), inputs.Request{})
		_, forgetErr := runner.Forget(w.r.Context(), []string{"u1"})
		if err == nil || forgetErr == nil {
			w.r.Fatalf("%s: a run went on: %v, %v", how, err, forgetErr)
		}
	}
	if err == nil || w.gleap.Counts() != before {
		w.r.Fatalf("%s: a run went on: %v", how, err)
	}
	w.putBack(right)
}

// run carries out a sync that may be killed, cut off, or have its state stolen.
func (w *attacked) run(request inputs.Request) {
	runner := w.runner(w.r)
	runner.now = func() time.Time { return now().Add(w.clock) }
	unanswered := w.unansweredBut(request.Only)
	right := filepath.Join(w.dir, "right.db")
	os.Remove(right)
	switch rapid.SampledFrom([]string{"", "", "kill", "cut", "steal", "refuse"}).Draw(w.r, "end") {
	case "kill":
		runner.ledger = &killedLedger{ledger: runner.store}
	case "cut":
		runner.client = w.cut(w.r, runner.client)
	case "refuse":
		runner.client = refusing{runner.client, "u5"}
	case "steal":
		steal := func() {
			if _, err := os.Stat(filepath.Join(w.dir, "older.db")); err == nil && w.save(right) {
				text, _ := os.ReadFile(filepath.Join(w.dir, "older.db"))
				if err := os.WriteFile(w.path, text, 0o600); err != nil {
					w.r.Fatal(err)
				}
			}
		}
		runner.ledger = &stolen{runner.store, rapid.IntRange(1, 3).Draw(w.r, "steal at"), steal}
	}
	report, err := runner.Sync(w.r.Context(), request)
	if _, statErr := os.Stat(right); statErr == nil {
		same := w.commits(right) == w.commits(filepath.Join(w.dir, "older.db"))
		if !same && !errors.Is(err, state.ErrTakenAway) {
			w.r.Fatalf("a run with a stolen state ended with %v", err)
		}
		if !same {
			w.putBack(right)
		}
	}
	w.mustHave(unanswered)
	w.mustKnow()
	if err != nil {
		return
	}
	if report.Outcome != runs.Complete {
		w.r.Fatalf("%s: %+v", report.Outcome, report.Exports)
	}
	if len(request.Only) == 0 && report.Contacts.Parked == 0 {
		w.mustMatch(w.r)
	}
	w.mustBeForgotten()
}

func (w *attacked) commits(path string) uint64 {
	s, err := state.Open(state.Options{Path: path, Project: "acme"})
	if err != nil {
		w.r.Fatal(err)
	}
	return s.Mark().Commits
}

// has is what Gleap has of a contact's attribute.
type has struct{ userID, key, value string }

func (w *attacked) ask(userID, key string) has {
	c, _ := w.gleap.Contact(userID)
	return has{userID, key, asJSON(map[string]any{"": c.Attributes[key]})}
}

// unansweredBut returns what Gleap has of all that is unanswered and not chosen.
func (w *attacked) unansweredBut(only []string) (all []has) {
	if len(only) == 0 {
		return nil
	}
	store := w.runner(w.r).store
	overview, err := store.Overview()
	if err != nil {
		w.r.Fatal(err)
	}
	for _, u := range overview.Unanswered {
		for _, c := range u.Attributes {
			if key := overview.Attributes[c.ID].Key; !slices.Contains(only, key) {
				all = append(all, w.ask(string(u.UserID), key))
			}
		}
	}
	return all
}

func (w *attacked) mustHave(all []has) {
	for _, before := range all {
		if after := w.ask(before.userID, before.key); after != before && !w.forgotten[before.userID] {
			w.r.Fatalf("%+v was not looked at, and is %+v now", before, after)
		}
	}
}

// mustKnow compares what the state is sure of with what Gleap has.
func (w *attacked) mustKnow() {
	store := w.runner(w.r).store
	overview, err := store.Overview()
	if err != nil {
		w.r.Fatal(err)
	}
	maybe := map[has]bool{}
	for _, u := range overview.Unanswered {
		for _, c := range u.Attributes {
			maybe[has{string(u.UserID), overview.Attributes[c.ID].Key, ""}] = true
		}
	}
	for userID, known := range w.known(w.r) {
		for key, v := range known {
			if got, want := w.ask(userID, key), asJSON(map[string]any{"": v}); !maybe[has{userID, key, ""}] && got.value != want {
				w.r.Fatalf("the state is sure of %s for %s %s, Gleap has %s", want, userID, key, got.value)
			}
		}
	}
}

func (w *attacked) retry() {
	store := w.runner(w.r).store
	release, err := store.Lock()
	if err != nil {
		w.r.Fatal(err)
	}
	defer release()
	if store.Exists() {
		if _, _, err := state.Unpark(store); err != nil {
			w.r.Fatal(err)
		}
	}
}

// forget forgets somebody, and may be killed.
func (w *attacked) forget() {
	runner := w.runner(w.r)
	ids := rapid.SliceOfNDistinct(rapid.SampledFrom(attackedIDs[:4]), 1, 2, rapid.ID).Draw(w.r, "forget")
	if rapid.Bool().Draw(w.r, "cut") {
		left := rapid.IntRange(0, 2).Draw(w.r, "cut at")
		runner.client = &deleting{client: runner.client, answer: func(n int, _ string) error {
			if n > left {
				return &gleap.UnreachableError{}
			}
			return nil
		}}
	}
	if rapid.Bool().Draw(w.r, "kill") {
		runner.ledger = &deadLedger{ledger: runner.store, commits: rapid.IntRange(0, 2).Draw(w.r, "commits")}
	}
	_, err := runner.Forget(w.r.Context(), ids)
	for _, id := range ids {
		w.forgotten[id] = true
	}
	if err == nil {
		w.mustBeForgotten()
	}
}

func (w *attacked) mustBeForgotten() {
	store := w.runner(w.r).store
	f, err := store.Forgotten()
	if err != nil {
		w.r.Fatal(err)
	}
	for id := range w.forgotten {
		if _, there := w.gleap.Contact(id); there || !f.Has([]byte(id)) {
			w.r.Fatalf("%s is not forgotten", id)
		}
	}
}
