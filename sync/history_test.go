package sync

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"gleapsync/gleap"
	"gleapsync/internal/runs"
)

// TestHistory: the history adds up all runs, and what is made of the reports of a file
// that has none is the same.
func TestHistory(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"))
	w.options.Guard.MaxExits, _ = ParseLimit("50%")
	w.write(t, "a.csv", list("u1", "u2", "u3", "u4"))
	success := w.sync(t, Request{})
	w.write(t, "a.csv", list("u1"))
	held := w.sync(t, Request{})
	w.write(t, "a.csv", list("u1", "u2", "u3", "u4", "u5", "u6"))
	refused := func(n int) error {
		if n == 1 {
			return &gleap.RefusedError{Status: 422}
		}
		return nil
	}
	if _, err := w.with(t, &fakeGleap{after: refused}).Baseline(t.Context(), Request{Only: []string{"a"}}); err != nil {
		t.Fatal(err)
	}
	if o, err := NewInspector(w.options, w.runner(t).store).Overview(); err != nil || o.History.LastSuccess.Run != success.Run {
		t.Errorf("a baseline delivers nothing: %+v, %v", o.History.LastSuccess, err)
	}
	w.write(t, "a.csv", list("u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8"))
	last, err := w.with(t, &fakeGleap{after: refused}).Sync(t.Context(), Request{})
	if err != nil || held.Outcome != runs.Held || last.Contacts.Parked != 1 {
		t.Fatal(held.Outcome, last, err)
	}
	r := w.runner(t)
	status, err := NewInspector(w.options, r.store).Overview()
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
	overview, err := r.store.Overview()
	if err != nil {
		t.Fatal(err)
	}
	overview.History = nil
	if fromReports, err := readHistory(r.store, overview); err != nil || !reflect.DeepEqual(fromReports, want) {
		t.Errorf("of the reports: %+v, %v", fromReports, err)
	}
}

// TestLastSync: what the last sync did not look at is as the sync before left it, however
// long ago that was.
func TestLastSync(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"), audience("b.csv", "b"))
	inspector := func() *Inspector { return NewInspector(w.options, w.runner(t).store) }
	if last, err := inspector().LastSync(); last != nil || err != nil {
		t.Errorf("before the first one: %+v, %v", last, err)
	}
	w.write(t, "a.csv", list("u1"))
	w.sync(t, Request{}) // b is not there
	for i := range 20 {
		w.write(t, "a.csv", list("u1", fmt.Sprint("v", i)))
		only := w.sync(t, Request{Only: []string{"a"}})
		last, err := inspector().LastSync()
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
	w.write(t, "a.csv", list("u1"))
	whole := w.sync(t, Request{}) // b is not there
	w.write(t, "a.csv", list("u1", "u2"))
	only := w.sync(t, Request{Only: []string{"a"}})
	i := NewInspector(w.options, w.runner(t).store)
	o, err := i.Overview()
	if err != nil || only.Outcome != runs.Complete || o.History.LastSuccess != nil || o.LastRun.Run != only.Run || len(o.LastRun.Only) != 1 {
		t.Errorf("%+v, %v", o, err)
	}
	if last, err := i.LastWholeSync(); err != nil || last.Run != whole.Run || !last.Held() {
		t.Errorf("%+v, %v", last, err)
	}
}

// TestNewRunID: ids sort in the order of the runs, also when the clock was set back.
func TestNewRunID(t *testing.T) {
	former := newRunID("")
	for range 1000 {
		id := newRunID(former)
		if id <= former {
			t.Fatalf("%s after %s", id, former)
		}
		former = id
	}
	if got := newRunID("20990101T000000.000009Z-ffff"); got[:len(runIDTime)] != "20990101T000000.000010Z" {
		t.Errorf("after a clock that was ahead: %s", got)
	}
	for _, rubbish := range []string{"x", "no id at all, but long enough for one", "99999999T999999.999999Z-ffff"} {
		if got := newRunID(rubbish); !strings.HasPrefix(got, "20") {
			t.Errorf("after %q: %s", rubbish, got)
		}
	}
}
