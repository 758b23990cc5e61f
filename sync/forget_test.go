package sync

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"gleapsync/gleap"
	"gleapsync/internal/inputs"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// noting calls note with each request.
func noting(next http.Handler, note func()) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		note()
		next.ServeHTTP(w, r)
	})
}

// deleting answers the n-th deletion, from 1, with an error.
type deleting struct {
	client
	n      int
	answer func(n int, userID string) error
}

func (c *deleting) Delete(ctx context.Context, userID string) (bool, error) {
	if c.n++; c.answer != nil {
		if err := c.answer(c.n, userID); err != nil {
			return false, err
		}
	}
	return c.client.Delete(ctx, userID)
}

// TestDeletionsAreOwed: forget ends at any call, and is said to be incomplete until a later
// run has done the rest, whatever that run is for.
func TestDeletionsAreOwed(t *testing.T) {
	goesOn := map[string]func(w *world) error{
		"sync": func(w *world) error { _, err := w.runner(t).Sync(t.Context(), inputs.Request{}); return err },
		"sync --only": func(w *world) error {
			_, err := w.runner(t).Sync(t.Context(), inputs.Request{Only: []string{"a"}})
			return err
		},
		"sync --full": func(w *world) error { _, err := w.runner(t).Sync(t.Context(), inputs.Request{Full: true}); return err },
		"forget":      func(w *world) error { _, err := w.runner(t).Forget(t.Context(), []string{"nobody"}); return err },
	}
	for name, next := range goesOn {
		for _, killed := range []bool{false, true} {
			w := newWorld(t, audience("a.csv", "a"))
			var ids []string
			for i := range 10 {
				ids = append(ids, fmt.Sprintf("u%d", i))
			}
			w.write(t, "a.csv", list(ids...))
			w.sync(t, inputs.Request{})
			r := w.runner(t)
			cut := &deleting{client: r.client, answer: func(n int, _ string) error {
				if n > 3 {
					return &gleap.UnreachableError{}
				}
				return nil
			}}
			r.client = cut
			if killed {
				r.ledger = &deadLedger{ledger: r.store, commits: 1}
			}
			if f, err := r.Forget(t.Context(), ids[:8]); err == nil || f.Forgotten != 8 || f.Owed < 5 {
				t.Fatalf("%s: %+v, %v", name, f, err)
			}
			want := 5
			if killed { // what was deleted is deleted again
				want = 8
			}
			if v, err := state.Verify(w.runner(t).store); err != nil || v.Deletions != want || v.Forgotten != 8 || v.Contacts != 2 {
				t.Errorf("%s: %+v, %v", name, v, err)
			}
			planned, err := w.runner(t).Plan(t.Context(), inputs.Request{})
			if err != nil || planned.Deletions == nil || planned.Deletions.Owed != want {
				t.Errorf("%s: %+v, %v", name, planned.Deletions, err)
			}
			if err := next(w); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if n := len(w.contacts()); n != 2 {
				t.Errorf("%s: Gleap has %d contacts", name, n)
			}
			store := w.runner(t).store
			if o, err := store.Overview(); err != nil || o.Deletions != 0 || o.Erased {
				t.Errorf("%s: %+v, %v", name, o, err)
			}
			if report := w.sync(t, inputs.Request{}); report.Deletions != nil || report.Calls.All() != 0 {
				t.Errorf("%s: it does not end: %+v", name, report)
			}
		}
	}
}

// deadLedger is a state to which nothing is written after some commits.
type deadLedger struct {
	ledger
	commits int
}

func (l *deadLedger) Commit(d state.Delivery) ([]state.Event, error) {
	if l.commits--; l.commits < 0 {
		return nil, errKilled
	}
	return l.ledger.Commit(d)
}

// TestRefusedDeletions: one that Gleap refuses keeps neither the others nor a sync from going
// on, is tried with each run, and is said.
func TestRefusedDeletions(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"))
	w.write(t, "a.csv", list("u1", "u2", "u3"))
	w.sync(t, inputs.Request{})
	refuse := func(_ int, userID string) error {
		if userID == "u1" {
			return &gleap.RefusedError{Status: 400}
		}
		return nil
	}
	r := w.runner(t)
	r.client = &deleting{client: r.client, answer: refuse}
	f, err := r.Forget(t.Context(), []string{"u1", "u2"})
	if !errors.As(err, new(*gleap.RefusedError)) || f.Deletions != (runs.Deletions{Deleted: 1, Owed: 1}) {
		t.Errorf("%+v, %v", f, err)
	}
	w.write(t, "a.csv", list("u1", "u2", "u4"))
	r = w.runner(t)
	r.client = &deleting{client: r.client, answer: refuse}
	report, err := r.Sync(t.Context(), inputs.Request{})
	if err != nil || report.Contacts.Sent != 2 || report.Contacts.Forgotten != 2 || report.Deletions.Owed != 1 {
		t.Errorf("%+v %+v, %v", report.Contacts, report.Deletions, err)
	}
	if report := w.sync(t, inputs.Request{}); *report.Deletions != (runs.Deletions{Deleted: 1}) {
		t.Errorf("%+v", report.Deletions)
	}
}

// TestDeletionsArePaced: they are requests of the window like all others.
func TestDeletionsArePaced(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"))
	w.options.Rate = 1000
	w.write(t, "a.csv", list("u1", "u2"))
	w.sync(t, inputs.Request{})
	r := w.runner(t)
	r.client = &deleting{client: r.client, answer: func(int, string) error { return &gleap.UnreachableError{} }}
	if _, err := r.Forget(t.Context(), []string{"u1", "u2"}); err == nil {
		t.Fatal("not cut off")
	}
	w.write(t, "a.csv", list("u1", "u2", "u3"))
	w.sync(t, inputs.Request{})
	next := w.runner(t)
	o, err := next.store.Overview()
	if err != nil {
		t.Fatal(err)
	}
	if err := next.resume(o.Pace); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, seen := range next.client.Seen().Seen {
		n += seen.Count
	}
	if n != 2+2+1 {
		t.Errorf("%d requests are known, of two calls, two deletions and one call", n)
	}
}
