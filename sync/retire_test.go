package sync

import (
	"context"
	"maps"
	"slices"
	"testing"

	"gleapsync/gleap"
	"gleapsync/internal/inputs"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// TestRetireGoesOn: what a retirement leaves over is sent by the next sync, and a full
// resync is neither disturbed nor ended by it.
func TestRetireGoesOn(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"), audience("b.csv", "b"))
	w.write(t, "a.csv", list("u1", "u2", "u3", "u4"))
	w.write(t, "b.csv", list("u1"))
	w.sync(t, inputs.Request{})
	all := w.options.Exports
	w.options.Exports = all[1:]

	// A full resync that was begun, and did not come to u2, u3 and u4.
	interrupted := &fakeGleap{after: func(n int) error {
		if n > 1 {
			return ErrInterrupted
		}
		return nil
	}}
	if _, err := w.with(t, interrupted).Sync(t.Context(), inputs.Request{Full: true}); err == nil {
		t.Fatal("not interrupted")
	}
	f := &fakeGleap{keep: true, after: func(n int) error {
		switch n {
		case 2:
			return &gleap.RefusedError{Status: 422}
		case 3:
			return ErrInterrupted
		}
		return nil
	}}
	r := w.with(t, f)
	report, err := r.Retire(t.Context(), "a")
	if err != ErrInterrupted || report.Contacts.Sent != 1 || !slices.Equal(f.calls, []string{"u1", "u2", "u3"}) {
		t.Errorf("%v, %+v, %v", err, report.Contacts, f.calls)
	}
	f = &fakeGleap{keep: true}
	report, err = w.with(t, f).Sync(t.Context(), inputs.Request{})
	if err != nil || report.Mode != runs.Full || len(report.Orphans) != 0 || !slices.Equal(f.calls, []string{"u3", "u4"}) || report.Contacts.Parked != 1 {
		t.Errorf("%v, %s %+v, %v", err, report.Mode, report, f.calls)
	}
	if _, _, err := state.Unpark(r.store, "u2"); err != nil {
		t.Fatal(err)
	}
	f = &fakeGleap{keep: true}
	if report, err = w.with(t, f).Sync(t.Context(), inputs.Request{}); err != nil || !slices.Equal(f.calls, []string{"u2"}) || report.Contacts.Parked != 0 {
		t.Errorf("%v, %+v, %v", err, report, f.calls)
	}
	o, err := r.store.Overview()
	if attributes := o.Present(); err != nil || len(attributes) != 1 || attributes[0].Key != "b" {
		t.Errorf("%+v, %v", attributes, err)
	}
	f = &fakeGleap{keep: true}
	if report, err = w.with(t, f).Sync(t.Context(), inputs.Request{}); err != nil || len(f.calls) != 0 || report.Mode != runs.Incremental {
		t.Errorf("%v, %+v, %v", err, report, f.calls)
	}

	// It may come back as something else.
	trait := trait("a.csv", "a")
	trait.Dir = w.dir
	w.options.Exports = []inputs.Export{all[1], trait}
	w.write(t, "a.csv", "user_id,value\nu1,7\n")
	w.sync(t, inputs.Request{})
	if v, err := state.Verify(r.store); err != nil || v.Attributes != 2 {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestBaselineDoesNotRetire: a baseline must not take a removal as delivered.
func TestBaselineDoesNotRetire(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"), audience("b.csv", "b"))
	w.write(t, "a.csv", list("u1", "u2"))
	w.write(t, "b.csv", list("u1"))
	w.sync(t, inputs.Request{})
	w.options.Exports = w.options.Exports[1:]
	f := &fakeGleap{after: func(int) error { return ErrInterrupted }}
	if _, err := w.with(t, f).Retire(t.Context(), "a"); err != ErrInterrupted {
		t.Fatal(err)
	}
	if _, err := w.with(t, f).Baseline(t.Context(), inputs.Request{}); err != nil {
		t.Fatal(err)
	}
	w.sync(t, inputs.Request{})
	want := map[string]string{"u1": `{"a":false,"b":true}`, "u2": `{"a":false}`}
	if got := w.contacts(); !maps.Equal(got, want) {
		t.Errorf("Gleap has %v, want %v", got, want)
	}
}

// TestForgetIsInterrupted: what was to be forgotten is, also if Gleap is not reached.
func TestForgetIsInterrupted(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"))
	w.write(t, "a.csv", list("u1", "u2"))
	w.sync(t, inputs.Request{})
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(ErrInterrupted)
	if f, err := w.runner(t).Forget(ctx, []string{"u1"}); err == nil || f.Forgotten != 1 || f.Deleted != 0 {
		t.Errorf("%+v, %v", f, err)
	}
	w.write(t, "a.csv", list("u1", "u2", "u3"))
	report := w.sync(t, inputs.Request{})
	if report.Contacts.Planned != 1 || report.Contacts.Forgotten != 1 || *report.Deletions != (runs.Deletions{Deleted: 1}) {
		t.Errorf("%+v, %+v", report.Contacts, report.Deletions)
	}
	if f, err := w.runner(t).Forget(t.Context(), []string{"u1"}); err != nil || f.Absent != 1 {
		t.Errorf("%+v, %v", f, err)
	}
	if _, there := w.gleap.Contact("u1"); there {
		t.Error("Gleap still has the contact")
	}
}
