package sync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"gleapsync/gleap"
	"gleapsync/internal/guard"
	"gleapsync/internal/inputs"
	"gleapsync/internal/rounds"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

var errKilled = errors.New("killed")

// killedLedger is a state to which nothing is written once a call was acknowledged, as when
// the program is killed before the next commit.
type killedLedger struct {
	ledger
	killed bool
}

func (l *killedLedger) Commit(d state.Delivery) ([]state.Event, error) {
	if l.killed = l.killed || len(d.Acks) > 0; l.killed {
		return nil, errKilled
	}
	return l.ledger.Commit(d)
}

func (l *killedLedger) Finish(r state.Result) error {
	if l.killed {
		return errKilled
	}
	return l.ledger.Finish(r)
}

// cutClient has its connection cut with the n-th call, before Gleap has it or behind that.
type cutClient struct {
	client
	left   atomic.Int64
	behind bool
}

func (c *cutClient) Identify(ctx context.Context, contact *gleap.Contact) error {
	if c.left.Add(-1) >= 0 {
		return c.client.Identify(ctx, contact)
	}
	if c.behind {
		if err := c.client.Identify(ctx, contact); err != nil {
			return err
		}
	}
	return &gleap.UnreachableError{}
}

// TestUnanswered kills a run behind its calls. What the exports say next is what was
// acknowledged before it, so that only what Gleap may have makes the difference.
func TestUnanswered(t *testing.T) {
	cleared := trait("c.csv", "c")
	cleared.ClearMissing = true
	kept := audience("k.csv", "k")
	kept.KeepAbsent = true
	w := newWorld(t, audience("a.csv", "a"), kept, trait("t.csv", "t"), cleared)
	w.options.Fields = []inputs.Field{{Field: gleap.Email, Columns: []string{"email"}}}
	for i := range w.options.Exports {
		w.options.Exports[i].AllowEmpty = true
	}
	text := func(value string, userIDs ...string) string {
		return "user_id,value\n" + strings.Join(userIDs, ","+value+"\n") + "," + value + "\n"
	}
	before := func() {
		w.write(t, "a.csv", "user_id,email\nleaves,one@example.com\nstays,stays@example.com\n")
		w.write(t, "k.csv", list("stays"))
		w.write(t, "t.csv", text("silver", "changes", "stays"))
		w.write(t, "c.csv", text("1", "changes", "stays"))
	}
	before()
	w.sync(t, inputs.Request{})
	w.write(t, "a.csv", "user_id,email\ncomes,two@example.com\nstays,other@example.com\n")
	w.write(t, "k.csv", list("comes", "stays"))
	w.write(t, "t.csv", text("gold", "changes", "comes"))
	w.write(t, "c.csv", text("2", "changes", "comes"))
	w.syncKilled(t)
	before()

	planned, err := w.runner(t).Plan(t.Context(), inputs.Request{})
	if err != nil {
		t.Fatal(err)
	}
	report := w.sync(t, inputs.Request{})
	if report.Contacts.Sent != 4 || planned.Contacts.Planned != 4 {
		t.Errorf("sent %d, planned %d", report.Contacts.Sent, planned.Contacts.Planned)
	}
	want := map[string]string{
		"leaves":  `{"a":true,"email":"one@example.com"}`,
		"stays":   `{"a":true,"c":1,"email":"stays@example.com","k":true,"t":"silver"}`,
		"changes": `{"c":1,"t":"silver"}`,
		"comes":   `{"a":false,"email":"two@example.com","k":true,"t":"gold"}`,
	}
	if got := w.contacts(); !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	if _, err := state.Verify(w.runner(t).store); err != nil {
		t.Error(err)
	}
	if report := w.sync(t, inputs.Request{}); report.Calls.All() != 0 {
		t.Errorf("%d calls after it", report.Calls.All())
	}
}

// syncKilled is a sync whose calls come to Gleap, and of which the state hears nothing.
func (w *world) syncKilled(t *testing.T) {
	t.Helper()
	r := w.runner(t)
	r.ledger = &killedLedger{ledger: r.store}
	if _, err := r.Sync(t.Context(), inputs.Request{}); !errors.Is(err, errKilled) {
		t.Fatal("not killed", err)
	}
}

// TestUnansweredGuard: those that Gleap may have as members are members for the guard.
func TestUnansweredGuard(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"))
	w.options.Guard.MaxExits, _ = guard.ParseLimit("50%")
	w.write(t, "a.csv", list("u1", "u2", "u3", "u4"))
	w.syncKilled(t)
	w.write(t, "a.csv", list("u1"))
	if report := w.sync(t, inputs.Request{}); report.Outcome != runs.Held || report.Calls.Identify != 0 {
		t.Errorf("%s, %+v", report.Outcome, report.Calls)
	}
	w.write(t, "a.csv", list("u1", "u2", "u5"))
	report := w.sync(t, inputs.Request{})
	if e := report.Exports[0]; report.Outcome != runs.Complete || report.Contacts.Sent != 5 || e.Entered != 1 || e.Exited != 2 {
		t.Errorf("%s, %+v, %+v", report.Outcome, report.Contacts, e)
	}
}

// TestUnansweredLeftOut: a run that does not look at an attribute, or holds it, does not tell
// what the record says of it where Gleap may have another value, though it sends all again.
func TestUnansweredLeftOut(t *testing.T) {
	for name, run := range map[string]func(w *world){
		"not chosen": func(w *world) { w.sync(t, inputs.Request{Only: []string{"b"}}) },
		"held": func(w *world) {
			os.Remove(filepath.Join(w.dir, "a.csv"))
			w.sync(t, inputs.Request{})
		},
		"in no export": func(w *world) {
			before := w.options.Exports
			w.options.Exports = before[1:]
			w.sync(t, inputs.Request{})
			w.options.Exports = before
		},
	} {
		w := newWorld(t, audience("a.csv", "a"), audience("b.csv", "b"))
		w.write(t, "a.csv", list("u1", "u2"))
		w.write(t, "b.csv", list("u1", "u2"))
		w.sync(t, inputs.Request{})
		r := w.with(t, &fakeGleap{after: func(int) error { return &gleap.UnreachableError{} }})
		if _, err := r.Sync(t.Context(), inputs.Request{Full: true}); err == nil {
			t.Fatal("the resync is complete")
		}
		w.write(t, "a.csv", list("u2"))
		w.syncKilled(t)
		run(w)
		if got := w.contacts()["u1"]; got != `{"a":false,"b":true}` {
			t.Errorf("%s: Gleap has %s", name, got)
		}
		w.write(t, "a.csv", list("u2"))
		w.sync(t, inputs.Request{})
		if got := w.contacts()["u1"]; got != `{"a":false,"b":true}` {
			t.Errorf("%s: in the end Gleap has %s", name, got)
		}
	}
}

// TestUnansweredRetired: an attribute is not gone as long as Gleap may have it of somebody.
func TestUnansweredRetired(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"), audience("b.csv", "b"))
	w.write(t, "a.csv", list("u1"))
	w.write(t, "b.csv", list("u9"))
	w.sync(t, inputs.Request{})
	w.write(t, "a.csv", list("u1", "u2", "u3"))
	w.syncKilled(t)
	w.options.Exports = w.options.Exports[1:]
	r := w.runner(t)
	cut := &cutClient{client: r.client}
	cut.left.Store(1)
	r.client, r.o.Concurrency = cut, 1
	if _, err := r.Retire(t.Context(), "a"); err == nil {
		t.Fatal("not cut off")
	}
	w.sync(t, inputs.Request{})
	if _, err := w.runner(t).Retire(t.Context(), "a"); err != nil && !strings.Contains(err.Error(), "there is no audience") {
		t.Fatal(err)
	}
	want := map[string]string{"u1": `{"a":false}`, "u2": `{"a":false}`, "u3": `{"a":false}`, "u9": `{"b":true}`}
	if got := w.contacts(); !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	if report := w.sync(t, inputs.Request{}); report.Calls.All() != 0 {
		t.Errorf("%d calls after it", report.Calls.All())
	}
}

// refusing refuses one contact.
type refusing struct {
	client
	userID string
}

func (c refusing) Identify(ctx context.Context, contact *gleap.Contact) error {
	if string(contact.UserID) == c.userID {
		return &gleap.RefusedError{Status: 422}
	}
	return c.client.Identify(ctx, contact)
}

// TestUnansweredParked: once Gleap may have taken another value of a parked contact, the
// value that it refused is tried again.
func TestUnansweredParked(t *testing.T) {
	w := newWorld(t, trait("t.csv", "t"))
	refused := "user_id,value\nu1,1\nu2,1\n"
	w.write(t, "t.csv", refused)
	r := w.runner(t)
	r.client = refusing{r.client, "u1"}
	if report, err := r.Sync(t.Context(), inputs.Request{}); err != nil || report.Contacts.Parked != 1 {
		t.Fatalf("%+v, %v", report.Contacts, err)
	}
	w.write(t, "t.csv", "user_id,value\nu1,2\nu2,1\n")
	w.syncKilled(t)
	w.write(t, "t.csv", refused)
	w.sync(t, inputs.Request{})
	if got := w.contacts()["u1"]; got != `{"t":1}` {
		t.Errorf("got %s", got)
	}
}

// TestUnansweredBaseline: a baseline sends nothing, so it answers nothing.
func TestUnansweredBaseline(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"))
	w.write(t, "a.csv", list("u1", "u2"))
	w.syncKilled(t)
	w.write(t, "a.csv", list("u3"))
	if _, err := w.runner(t).Baseline(t.Context(), inputs.Request{}); err != nil {
		t.Fatal(err)
	}
	w.sync(t, inputs.Request{})
	if got, want := w.contacts(), map[string]string{"u1": `{"a":false}`, "u2": `{"a":false}`}; !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

// TestUnansweredBackfill: a full resync with events tells of all members.
func TestUnansweredBackfill(t *testing.T) {
	e := audience("a.csv", "a")
	e.Membership = true
	w := newWorld(t, e)
	w.options.Events.Backfill, w.options.Events.Entered, w.options.Events.Exited = true, "In", "Out"
	w.write(t, "a.csv", list("u1", "u2", "u3"))
	w.sync(t, inputs.Request{})
	w.write(t, "a.csv", list("u1", "u3"))
	w.syncKilled(t)
	w.write(t, "a.csv", list("u1", "u2", "u3"))
	if report := w.sync(t, inputs.Request{Full: true}); report.Events.Sent != 3 {
		t.Errorf("%+v", report.Events)
	}
}

// TestUnansweredModel lets days of random exports pass. On some of them the program is
// killed, or the connection cut, at any call. After each run that comes to its end Gleap
// must have what the state says that it has, and the members that the export says.
func TestUnansweredModel(t *testing.T) {
	t.Parallel() // it waits for the disk
	rounds.Check(t, func(r *rapid.T) {
		cleared := trait("c.csv", "c")
		cleared.ClearMissing = true
		kept := audience("k.csv", "k")
		kept.KeepAbsent = true
		w := newWorld(t, audience("a.csv", "a"), kept, trait("t.csv", "t"), cleared)
		defer w.server.Close()
		for i := range w.options.Exports {
			w.options.Exports[i].AllowEmpty = true
		}
		w.options.Fields = []inputs.Field{{Field: gleap.Email, Columns: []string{"email"}}}
		w.options.Memory = 1
		rows := func(name, header string, cells ...string) (ids []string) {
			text := header + "\n"
			for _, id := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"u1", "u2", "u3", "u4", "u5"}), rapid.ID).Draw(r, name) {
				text += id + rapid.SampledFrom(cells).Draw(r, "cells") + "\n"
				ids = append(ids, id)
			}
			w.write(r, name, text)
			return ids
		}
		for range rapid.IntRange(2, 6).Draw(r, "days") {
			members := rows("a.csv", "user_id,email", ",x@x.io", ",y@x.io", ",")
			rows("k.csv", "user_id", "")
			rows("t.csv", "user_id,value", ",1", ",2", ",")
			rows("c.csv", "user_id,value", ",1", ",2", ",")
			request := inputs.Request{Full: rapid.IntRange(0, 9).Draw(r, "full") == 0}
			runner := w.runner(r)
			switch rapid.SampledFrom([]string{"", "kill", "cut", "cut and kill"}).Draw(r, "end") {
			case "kill":
				runner.ledger = &killedLedger{ledger: runner.store}
			case "cut":
				runner.client = w.cut(r, runner.client)
			case "cut and kill":
				runner.ledger, runner.client = &killedLedger{ledger: runner.store}, w.cut(r, runner.client)
			}
			if _, err := runner.Sync(t.Context(), request); err != nil {
				continue
			}
			for id, known := range w.known(r) {
				if known["a"] != slices.Contains(members, id) && known["a"] != nil {
					r.Fatalf("%s: %v, members %v", id, known, members)
				}
			}
			w.mustMatch(r)
		}
		w.sync(r, inputs.Request{})
		w.mustMatch(r)
		if report := w.sync(r, inputs.Request{}); report.Calls.Identify != 0 {
			r.Fatalf("%d calls without a change", report.Calls.Identify)
		}
	})
}

func (w *world) cut(r *rapid.T, of client) *cutClient {
	c := &cutClient{client: of, behind: rapid.Bool().Draw(r, "behind")}
	c.left.Store(int64(rapid.IntRange(0, 6).Draw(r, "cut at")))
	return c
}

// known returns what the state says of the contacts' attributes.
func (w *world) known(r *rapid.T) map[string]map[string]any {
	store := w.runner(r).store
	overview, err := store.Overview()
	if err != nil {
		r.Fatal(err)
	}
	all := map[string]map[string]any{}
	for records := store.Records(); records.Next(); {
		var record state.Record
		if err := record.Decode(records.Record()); err != nil {
			r.Fatal(err)
		}
		known := map[string]any{}
		for _, k := range record.Attributes {
			var v any
			if err := json.Unmarshal(k.Value.AppendJSON(nil), &v); err != nil {
				r.Fatal(err)
			}
			known[overview.Attributes[k.ID].Key] = v
		}
		all[string(records.UserID())] = known
	}
	return all
}

// mustMatch compares what the state says with what Gleap has.
func (w *world) mustMatch(r *rapid.T) {
	store, known := w.runner(r).store, w.known(r)
	overview, err := store.Overview()
	if err != nil {
		r.Fatal(err)
	}
	if len(overview.Unanswered) > 0 {
		r.Fatalf("unanswered after all: %+v", overview.Unanswered)
	}
	for c := range w.gleap.Contacts() {
		for key, v := range known[c.UserID] {
			if has := c.Attributes[key]; asJSON(map[string]any{"": v}) != asJSON(map[string]any{"": has}) {
				r.Fatalf("%s: the state says %s %v, Gleap has %v", c.UserID, key, v, has)
			}
		}
		for key, v := range c.Attributes {
			if _, ok := known[c.UserID][key]; !ok && v != nil {
				r.Fatalf("%s: the state does not know of %s %v", c.UserID, key, v)
			}
		}
		stored, err := store.Contact(c.UserID)
		if err != nil || stored.Record.Acknowledged == 0 {
			r.Fatalf("%s: %+v, %v", c.UserID, stored, err)
		}
		// The hash of an e-mail that may be another one is gone, until an export says what it is.
		for _, f := range stored.Record.Fields {
			if email, _ := c.Fields["email"].(string); f != store.FieldHash(byte(gleap.Email), []byte(email)) {
				r.Fatalf("%s: the state knows of another e-mail than %s", c.UserID, email)
			}
		}
	}
}

// TestNotBegun: of contacts whose calls were not begun Gleap has nothing, nor of those that
// it refused, and nothing is kept of them.
func TestNotBegun(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"))
	w.write(t, "a.csv", list("u1", "u2", "u3", "u4", "u5", "u6"))
	r := w.with(t, &fakeGleap{after: func(n int) error {
		switch n {
		case 2:
			return &gleap.RefusedError{Status: 422}
		case 4:
			return &gleap.UnreachableError{}
		}
		return nil
	}})
	if report, err := r.Sync(t.Context(), inputs.Request{}); err == nil || report.Contacts.Sent != 2 || report.Contacts.Parked != 1 {
		t.Fatalf("%+v, %v", report.Contacts, err)
	}
	if o, err := r.store.Overview(); err != nil || len(o.Unanswered) != 1 || string(o.Unanswered[0].UserID) != "u4" {
		t.Errorf("%+v, %v", o.Unanswered, err)
	}
	// What is begun by then and refused may be there from the run before.
	r = w.with(t, &fakeGleap{after: func(n int) error {
		if n == 1 {
			return &gleap.RefusedError{Status: 422}
		}
		return nil
	}})
	if report, err := r.Sync(t.Context(), inputs.Request{}); err != nil || report.Contacts.Sent != 2 || report.Contacts.Parked != 2 {
		t.Fatalf("%+v, %v", report.Contacts, err)
	}
	if o, err := r.store.Overview(); err != nil || len(o.Unanswered) != 1 || string(o.Unanswered[0].UserID) != "u4" {
		t.Errorf("%+v, %v", o.Unanswered, err)
	}
}

// TestRefusedThenCut: a refusal is an answer, also where nothing proves yet that it is for the
// contact; and so is one of the token.
func TestRefusedThenCut(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"))
	w.write(t, "a.csv", list("u1", "u2"))
	for name, answers := range map[string][]error{
		"refused and cut":           {&gleap.RefusedError{Status: 422}, &gleap.UnreachableError{}},
		"surely not taken, and cut": {fmt.Errorf("%w: the token is wrong", gleap.ErrNotTaken), &gleap.UnreachableError{}},
	} {
		r := w.with(t, &fakeGleap{after: func(n int) error { return answers[n-1] }})
		if report, err := r.Sync(t.Context(), inputs.Request{}); err == nil || report.Contacts.Sent != 0 {
			t.Fatalf("%s: %+v, %v", name, report.Contacts, err)
		}
		o, err := r.store.Overview()
		if err != nil || slices.ContainsFunc(o.Unanswered, func(u state.Unanswered) bool { return string(u.UserID) == "u1" }) {
			t.Errorf("%s: %+v, %v", name, o.Unanswered, err)
		}
	}
}

// TestNoMoreIsBegun: a run that is cut off while it takes more of its plan leaves one contact
// without an answer, wherever that happens.
func TestNoMoreIsBegun(t *testing.T) {
	var ids []string
	for i := range 200 { // more than is begun at a time
		ids = append(ids, fmt.Sprintf("%0200d", i))
	}
	for cut := 20; cut < 120; cut += 5 {
		w := newWorld(t, audience("a.csv", "a"))
		w.write(t, "a.csv", list(ids...))
		r := w.with(t, &fakeGleap{after: func(n int) error {
			if n == cut {
				return &gleap.UnreachableError{}
			}
			return nil
		}})
		if report, err := r.Sync(t.Context(), inputs.Request{}); err == nil || report.Contacts.Sent != cut-1 {
			t.Fatalf("%+v, %v", report.Contacts, err)
		}
		if o, err := r.store.Overview(); err != nil || len(o.Unanswered) != 1 || string(o.Unanswered[0].UserID) != ids[cut-1] {
			t.Errorf("cut at %d: %d contacts, %v", cut, len(o.Unanswered), err)
		}
	}
}

// stoppingClient ends the run behind its first call.
type stoppingClient struct {
	client
	stop context.CancelCauseFunc
}

func (c stoppingClient) Identify(ctx context.Context, contact *gleap.Contact) error {
	err := c.client.Identify(ctx, contact)
	c.stop(ErrInterrupted)
	return err
}

// TestStopLeavesNothingUnanswered: when a run is stopped, the calls that wait for the rate
// limit are not sent, and the state knows that.
func TestStopLeavesNothingUnanswered(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"))
	w.options.Rate = 2
	w.write(t, "a.csv", list("u1", "u2", "u3", "u4", "u5", "u6"))
	r := w.runner(t)
	ctx, stop := context.WithCancelCause(t.Context())
	r.client = stoppingClient{r.client, stop}
	if report, err := r.Sync(ctx, inputs.Request{}); !errors.Is(err, ErrInterrupted) || report.Contacts.Sent != 1 {
		t.Fatalf("%+v, %v", report.Contacts, err)
	}
	if o, err := r.store.Overview(); err != nil || len(o.Unanswered) != 0 {
		t.Errorf("%+v, %v", o.Unanswered, err)
	}
}

// TestUnansweredWithheld: an exit of which nobody knows whether Gleap has it is withheld as any
// other while a row cannot be read. Gleap may have it all the same, so who is in is told.
func TestUnansweredWithheld(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"))
	w.options.Guard.MaxInvalid, _ = guard.ParseLimit("90%")
	members := func(userIDs ...string) { w.write(t, "a.csv", "user_id,x\n"+strings.Join(userIDs, ",1\n")+",1\n") }
	members("u1", "u2", "u3")
	w.sync(t, inputs.Request{})
	members("u1")
	w.syncKilled(t)
	calls := w.gleap.Counts().Identify
	w.write(t, "a.csv", "user_id,x\nu1,1\nu2,1\nu9\"\n")
	for range 2 {
		report := w.sync(t, inputs.Request{})
		if e := report.Exports[0]; report.Outcome != runs.Held || e.Exited != 0 || e.Withheld != 1 || e.Members != 3 {
			t.Errorf("%s %+v", report.Outcome, e)
		}
	}
	if sent := w.gleap.Counts().Identify - calls; sent != 1 || w.contacts()["u2"] != `{"a":true}` {
		t.Errorf("%d calls, %s", sent, w.contacts())
	}
	members("u1", "u2")
	if report := w.sync(t, inputs.Request{}); report.Outcome != runs.Complete || report.Exports[0].Exited != 1 || w.contacts()["u3"] != `{"a":false}` {
		t.Errorf("%s %+v %s", report.Outcome, report.Exports[0], w.contacts())
	}
	if report := w.sync(t, inputs.Request{}); report.Calls.All() != 0 || report.Exports[0].Status != runs.StatusUnchanged {
		t.Errorf("%+v %+v", report.Calls, report.Exports[0])
	}
}
