package sync

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	stdsync "sync"
	"testing"
	"time"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/gleap/sandbox"
	"gleapsync/internal/guard"
	"gleapsync/internal/inputs"
	"gleapsync/internal/rounds"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// fakeGleap takes calls without a network.
type fakeGleap struct {
	mu    stdsync.Mutex
	calls []string // user ids, in the order of the calls
	keep  bool     // the calls
	n     int
	after func(n int) error // what the n-th call is answered with
}

func (f *fakeGleap) Identify(ctx context.Context, c *gleap.Contact) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	f.n++
	if f.keep {
		f.calls = append(f.calls, string(c.UserID))
	}
	if f.after != nil {
		return f.after(f.n)
	}
	return nil
}

func (f *fakeGleap) Track(ctx context.Context, _ [][]byte) error  { return ctx.Err() }
func (f *fakeGleap) Delete(context.Context, string) (bool, error) { return true, nil }
func (f *fakeGleap) Counts() gleap.Counts                         { return gleap.Counts{} }
func (f *fakeGleap) Seen() gleap.History                          { return gleap.History{} }
func (f *fakeGleap) Resume(gleap.History)                         {}

// with returns a runner of w's that sends to f, one call at a time.
func (w *world) with(t fataler, f *fakeGleap) *Runner {
	r := w.runner(t)
	r.client = f
	r.o.Concurrency = 1
	return r
}

func list(ids ...string) string { return "user_id\n" + strings.Join(ids, "\n") + "\n" }

func TestCallsAreSplitAbove35Attributes(t *testing.T) {
	header, cells := "user_id", ""
	table := inputs.Export{Export: engage.Export{Source: "t.csv"}}
	for i := range 80 {
		name := fmt.Sprintf("a%02d", i)
		header += "," + name
		cells += ",1"
		table.Attributes = append(table.Attributes, engage.Attribute{Kind: engage.Audience, Key: name, Column: name})
	}
	w := newWorld(t, table)
	w.options.Fields = []inputs.Field{{Field: gleap.Plan, Columns: []string{"plan"}}}
	w.write(t, "t.csv", header+",plan\nu1"+cells+",gold\n")
	report := w.sync(t, inputs.Request{})
	if report.Calls.Identify != 3 || report.Contacts.Sent != 1 || w.gleap.Counts().Refused != 0 {
		t.Errorf("%+v %+v", report.Calls, report.Contacts)
	}
	if c, _ := w.gleap.Contact("u1"); len(c.Attributes) != 80 || c.Fields["plan"] != "gold" {
		t.Errorf("Gleap has %d attributes and %v", len(c.Attributes), c.Fields)
	}
	// A contact whose second call is refused is not complete: the rest is tried again
	// when something changes, and what was acknowledged is not sent twice.
	w.write(t, "t.csv", header+",plan\nu2"+cells+",gold\nu1"+cells+",gold\n")
	f := &fakeGleap{keep: true, after: func(n int) error {
		if n == 2 {
			return &gleap.RefusedError{Status: 422}
		}
		return nil
	}}
	report, err := w.with(t, f).Sync(t.Context(), inputs.Request{})
	if err != nil || report.Contacts.Parked != 1 || report.Contacts.Sent != 0 || report.Calls.Identify != 1 || len(f.calls) != 2 {
		t.Errorf("%+v %+v, %v, %v", report.Contacts, report.Calls, f.calls, err)
	}
	w.write(t, "t.csv", header+",plan\nu2"+cells+",silver\nu1"+cells+",gold\n")
	report = w.sync(t, inputs.Request{})
	if c, _ := w.gleap.Contact("u2"); report.Calls.Identify != 2 || len(c.Attributes) != 45 || c.Fields["plan"] != "silver" {
		t.Errorf("%+v, Gleap was told %d attributes", report.Calls, len(c.Attributes))
	}
}

// TestOrder: exits go first, then those who come to an audience that was delivered before,
// whether Gleap knows them or not, then other changes, then first deliveries.
func TestOrder(t *testing.T) {
	cleared := trait("c.csv", "c")
	cleared.ClearMissing = true
	w := newWorld(t, audience("a.csv", "a"), audience("b.csv", "b"), cleared, audience("d.csv", "d"))
	w.options.Fields = []inputs.Field{{Field: gleap.Email, Columns: []string{"email"}}, {Field: gleap.Phone, Columns: []string{"phone"}}}
	w.write(t, "a.csv", "user_id,email\na_mail,a@x.io\na_phone,\nexit1,\nexit2,\nknown1,\nknown2,\n")
	w.write(t, "b.csv", list())
	w.write(t, "c.csv", "user_id,value\na_clear,1\nb_value,1\nknown2,1\n")
	w.options.Exports = w.options.Exports[:3]
	w.sync(t, inputs.Request{})
	w.options.Exports = append(w.options.Exports, audience("d.csv", "d"))
	w.options.Exports[3].Dir = w.dir
	w.write(t, "a.csv", "user_id,email,phone\na_mail,b@x.io,\na_new,,\na_phone,,1\nknown1,,\nknown2,,\nz_new,,\n")
	w.write(t, "b.csv", list("known1", "known2"))
	w.write(t, "c.csv", "user_id,value\nb_value,2\nknown2,2\n")
	w.write(t, "d.csv", list("a_first", "b_value", "known1"))
	f := &fakeGleap{keep: true}
	report, err := w.with(t, f).Sync(t.Context(), inputs.Request{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"exit1", "exit2", "a_new", "known1", "known2", "z_new", "a_clear", "a_mail", "b_value", "a_first", "a_phone"}
	if !slices.Equal(f.calls, want) {
		t.Errorf("calls in the order %v, want %v", f.calls, want)
	}
	counts := []runs.ClassReport{{Class: runs.ClassExit, Planned: 2}, {Class: runs.ClassEntry, Planned: 4}, {Class: runs.ClassChange, Planned: 3}, {Class: runs.ClassFirst, Planned: 2}}
	if !slices.Equal(report.Classes, counts) || report.Contacts.Delta != 9 || report.Contacts.Backfill != 2 {
		t.Errorf("%+v, %+v", report.Classes, report.Contacts)
	}
	// Without a change all of it is a first delivery.
	planned, err := w.runner(t).Plan(t.Context(), inputs.Request{Full: true})
	if err != nil || planned.Contacts.Delta != 0 || planned.Contacts.Backfill != 11 {
		t.Errorf("%+v, %v", planned.Contacts, err)
	}
}

// TestDeadline: a first sync that is larger than its deadline goes on in the next
// run, behind those that it came to, and stays a first sync.
func TestDeadline(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"))
	w.options.Deadline = time.Hour
	var ids []string
	for i := range 100 {
		ids = append(ids, fmt.Sprintf("u%02d", i))
	}
	w.write(t, "a.csv", list(ids...))
	stop := func(at int) *fakeGleap {
		f := &fakeGleap{keep: true}
		f.after = func(n int) error {
			if n == at {
				return context.DeadlineExceeded
			}
			return nil
		}
		return f
	}
	run := func(f *fakeGleap) runs.Report {
		t.Helper()
		r := w.with(t, f)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Hour, errDeadline)
		defer cancel()
		if f.after != nil {
			inner := f.after
			f.after = func(n int) error {
				err := inner(n)
				if err != nil {
					cancel() // stands for the time that went by
				}
				return err
			}
		}
		report, err := r.Sync(ctx, inputs.Request{})
		if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		return report
	}
	first := run(stop(31))
	if first.Contacts.Sent != 30 || first.Contacts.Remaining != 70 || first.Mode != runs.First {
		t.Errorf("first run: %+v", first.Contacts)
	}
	w.write(t, "a.csv", list(ids[5:]...)) // five of those that were sent leave
	f := stop(16)
	second := run(f)
	if second.Mode != runs.First || second.Contacts.Delta != 0 || second.Contacts.Backfill != 75 || !slices.Equal(f.calls, ids[30:46]) {
		t.Errorf("second run: %+v, calls %v", second.Contacts, f.calls)
	}
	third := run(&fakeGleap{})
	if third.Contacts.Sent != 60 || third.Contacts.Remaining != 0 || third.Outcome != runs.Complete {
		t.Errorf("third run: %s %+v", third.Outcome, third.Contacts)
	}
	if fourth := run(&fakeGleap{}); fourth.Mode != runs.Incremental || fourth.Contacts.Planned != 0 || fourth.Exports[0].Status != runs.StatusUnchanged {
		t.Errorf("fourth run: %+v", fourth)
	}
}

func TestDeadlineIsNoError(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"))
	w.options.Deadline = 200 * time.Millisecond
	w.write(t, "a.csv", list("u1", "u2"))
	r := w.runner(t)
	r.client = waiting{}
	report, err := r.Sync(t.Context(), inputs.Request{})
	if err != nil || report.Outcome != runs.Partial || report.Contacts.Remaining != 2 {
		t.Errorf("%s %+v, %v", report.Outcome, report.Contacts, err)
	}
}

// waiting is a Gleap whose turn never comes.
type waiting struct{}

func (waiting) Identify(ctx context.Context, _ *gleap.Contact) error {
	<-ctx.Done()
	return ctx.Err()
}

func (waiting) Track(ctx context.Context, _ [][]byte) error  { return ctx.Err() }
func (waiting) Delete(context.Context, string) (bool, error) { return true, nil }
func (waiting) Counts() gleap.Counts                         { return gleap.Counts{} }
func (waiting) Seen() gleap.History                          { return gleap.History{} }
func (waiting) Resume(gleap.History)                         {}

// TestFullResync sends everything again, false for the audiences that a contact once
// was in included, goes on after an interruption, and ends.
func TestFullResync(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"), trait("t.csv", "t"))
	w.write(t, "a.csv", list("left", "stays1", "stays2"))
	w.write(t, "t.csv", "user_id,value\nonly_trait,7\n")
	w.sync(t, inputs.Request{})
	w.write(t, "a.csv", list("stays1", "stays2"))
	w.sync(t, inputs.Request{})
	for _, id := range []string{"left", "stays1", "stays2", "only_trait"} {
		if _, err := w.runner(t).client.Delete(t.Context(), id); err != nil { // Gleap has lost everything
			t.Fatal(err)
		}
	}
	f := &fakeGleap{after: func(n int) error {
		if n == 3 {
			return &gleap.UnreachableError{}
		}
		return nil
	}}
	report, err := w.with(t, f).Sync(t.Context(), inputs.Request{Full: true})
	if report.Mode != runs.Full || report.Contacts.Planned != 4 || report.Contacts.Sent != 2 || err == nil {
		t.Fatalf("%+v, %v", report.Contacts, err)
	}
	report = w.sync(t, inputs.Request{})
	if report.Mode != runs.Full || report.Contacts.Sent != 2 || report.Outcome != runs.Complete || report.Exports[0].Entered != 0 || report.Exports[0].Exited != 0 {
		t.Errorf("the second half: %+v", report)
	}
	if report = w.sync(t, inputs.Request{}); report.Mode != runs.Incremental || report.Contacts.Planned != 0 {
		t.Errorf("it does not end: %+v", report)
	}
	report = w.sync(t, inputs.Request{Full: true})
	want := map[string]string{"left": `{"a":false}`, "stays1": `{"a":true}`, "stays2": `{"a":true}`, "only_trait": `{"t":7}`}
	if got := w.contacts(); !maps.Equal(got, want) || report.Contacts.Sent != 4 {
		t.Errorf("Gleap has %v, want %v", got, want)
	}
}

// TestHeldMembersStay: what a guard holds stays as it is, in a full resync too.
func TestHeldMembersStay(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"), audience("b.csv", "b"))
	w.write(t, "a.csv", list("u1", "u2"))
	w.write(t, "b.csv", list("u1"))
	w.sync(t, inputs.Request{})
	os.Remove(filepath.Join(w.dir, "a.csv"))
	w.write(t, "b.csv", list("u2"))
	for _, full := range []bool{false, true} {
		report := w.sync(t, inputs.Request{Full: full})
		if report.Outcome != runs.Held || report.Exports[0].Status != runs.StatusHeld || report.Exports[0].Reason != "a.csv does not exist: export it again, and the next run takes it (or look at its path in the configuration)" {
			t.Errorf("%+v", report)
		}
		want := map[string]string{"u1": `{"a":true,"b":false}`, "u2": `{"a":true,"b":true}`}
		if got := w.contacts(); !maps.Equal(got, want) {
			t.Errorf("Gleap has %v, want %v", got, want)
		}
	}
}

func TestColumnsAreGuardedOneByOne(t *testing.T) {
	table := inputs.Export{Export: engage.Export{Source: "t.csv", Attributes: []engage.Attribute{
		{Kind: engage.Audience, Key: "whole", Column: "whole"},
		{Kind: engage.Audience, Key: "broken", Column: "broken"},
		{Kind: engage.Audience, Key: "gone", Column: "gone"},
		{Kind: engage.Audience, Key: "shrunk", Column: "shrunk"},
	}}}
	w := newWorld(t, table)
	w.options.Guard.MaxExits, _ = guard.ParseLimit("50%")
	w.write(t, "t.csv", "user_id,whole,broken,gone,shrunk\nu1,t,t,t,t\nu2,t,t,t,t\nu3,t,t,t,t\n")
	w.sync(t, inputs.Request{})
	w.write(t, "t.csv", "user_id,whole,broken,shrunk\nu1,f,f,f\nu2,t,?,f\nu3,,f,t\n")
	report := w.sync(t, inputs.Request{})
	var statuses []runs.Status
	for _, e := range report.Exports {
		statuses = append(statuses, e.Status)
	}
	if want := []runs.Status{runs.StatusApplied, runs.StatusHeld, runs.StatusHeld, runs.StatusHeld}; !slices.Equal(statuses, want) {
		t.Errorf("%v, want %v: %+v", statuses, want, report.Exports)
	}
	want := map[string]string{
		"u1": `{"broken":true,"gone":true,"shrunk":true,"whole":false}`,
		"u2": `{"broken":true,"gone":true,"shrunk":true,"whole":true}`,
		"u3": `{"broken":true,"gone":true,"shrunk":true,"whole":true}`, // blank says nothing
	}
	if got := w.contacts(); !maps.Equal(got, want) {
		t.Errorf("Gleap has %v\nwant %v", got, want)
	}
	if calls := w.gleap.Counts().Identify; calls != 3+1 {
		t.Errorf("%d calls", calls)
	}
}

func TestContactFields(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"))
	w.options.Fields = []inputs.Field{
		{Field: gleap.Name, Columns: []string{"first", "last"}}, {Field: gleap.Email, Columns: []string{"email"}},
		{Field: gleap.Value, Columns: []string{"value"}}, {Field: gleap.LastPageView, Columns: []string{"page"}}, {Field: gleap.LastActivity, Columns: []string{"seen"}},
	}
	const header = "user_id,first,last,email,value,page,seen\n"
	w.write(t, "a.csv", header+
		"u1,Ada,Lovelace, a@x.io ,12.50,https://x.io,2026-03-01\n"+
		"u2,,Hopper,broken,lots,,\n"+
		"u3,Alan,NULL,,,,\n")
	report := w.sync(t, inputs.Request{})
	if report.LeftOut["email"] != 1 || report.LeftOut["value"] != 1 || report.Contacts.Sent != 3 {
		t.Errorf("%v %+v", report.LeftOut, report.Contacts)
	}
	want := map[string]string{
		"u1": `{"a":true,"email":"a@x.io","lastActivity":"2026-03-01T00:00:00Z","lastPageView":{"date":"2026-03-01T00:00:00Z","page":"https://x.io"},"name":"Ada Lovelace","value":12.5}`,
		"u2": `{"a":true,"name":"Hopper"}`,
		"u3": `{"a":true,"name":"Alan"}`,
	}
	if got := w.contacts(); !maps.Equal(got, want) {
		t.Errorf("Gleap has %v\nwant %v", got, want)
	}
	for c := range w.gleap.Contacts() {
		if moved := !c.LastActivity.IsZero(); moved != (c.UserID == "u1") {
			t.Errorf("the last activity of %s is %s", c.UserID, c.LastActivity)
		}
	}
	// Only what changed is sent again; a blank leaves what is known.
	w.write(t, "a.csv", header+"u1,,,b@x.io,12.5,https://x.io,2026-03-01\nu2,,Hopper,broken,lots,,\nu3,Alan,,,,,\n")
	before := w.gleap.Counts().Identify
	w.sync(t, inputs.Request{})
	if calls := w.gleap.Counts().Identify - before; calls != 1 {
		t.Errorf("%d calls for one changed address", calls)
	}
	if c, _ := w.gleap.Contact("u1"); c.Fields["email"] != "b@x.io" || c.Fields["name"] != "Ada Lovelace" {
		t.Errorf("u1 is %v", c.Fields)
	}
	raw, _ := os.ReadFile(filepath.Join(w.dir, "state.db"))
	for _, secret := range []string{"x.io", "Lovelace", "Hopper"} {
		if strings.Contains(string(raw), secret) {
			t.Errorf("the state file holds %q", secret)
		}
	}
}

// TestFieldsOfUnchangedExports: a contact that becomes known through one export gets
// the fields that another, unchanged one has for it.
func TestFieldsOfUnchangedExports(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"), trait("t.csv", "t"))
	w.options.Fields = []inputs.Field{{Field: gleap.Email, Columns: []string{"email"}}}
	w.write(t, "a.csv", list("u1"))
	w.write(t, "t.csv", "user_id,value,email\nu2,,u2@x.io\nu1,1,u1@x.io\n")
	w.sync(t, inputs.Request{})
	w.write(t, "a.csv", list("u1", "u2"))
	report := w.sync(t, inputs.Request{})
	if c, _ := w.gleap.Contact("u2"); c.Fields["email"] != "u2@x.io" {
		t.Errorf("u2 is %+v", c)
	}
	if report.Exports[1].Status != runs.StatusUnchanged || report.Contacts.Sent != 1 {
		t.Errorf("%+v", report)
	}
}

// sameRefusals is how many equal refusals at the start of a run end it.
const sameRefusals = 20

// TestSameRefusals: what Gleap refuses for all is not the contacts' fault.
func TestSameRefusals(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"))
	var ids []string
	for i := range 60 {
		ids = append(ids, fmt.Sprintf("u%02d", i))
	}
	w.write(t, "a.csv", list(ids...))
	refuse := func(status func(n int) int) *fakeGleap {
		return &fakeGleap{after: func(n int) error {
			if s := status(n); s != 200 {
				return &gleap.RefusedError{Status: s}
			}
			return nil
		}}
	}
	f := refuse(func(int) int { return 404 })
	report, err := w.with(t, f).Sync(t.Context(), inputs.Request{})
	if !errors.As(err, new(*gleap.StopError)) || report.Contacts.Parked != sameRefusals || report.Contacts.Remaining != 60-sameRefusals {
		t.Errorf("%+v, %v", report.Contacts, err)
	}
	// Those twenty are tried again, and do not keep the others from being tried; also if their
	// turn is first.
	if _, err := w.runner(t).store.Commit(state.Delivery{Turns: &state.Turns{}}); err != nil {
		t.Fatal(err)
	}
	f = refuse(func(n int) int {
		if n <= sameRefusals {
			return 404
		}
		return 200
	})
	report, err = w.with(t, f).Sync(t.Context(), inputs.Request{})
	if err != nil || report.Contacts.Sent != 60-sameRefusals || report.Contacts.Parked != sameRefusals {
		t.Errorf("%+v, %v", report.Contacts, err)
	}
	w = newWorld(t, audience("a.csv", "a"))
	w.write(t, "a.csv", list(ids...))
	// One other answer among the first, and they are parked one by one.
	f = refuse(func(n int) int {
		if n == 5 {
			return 200
		}
		return 404
	})
	report, err = w.with(t, f).Sync(t.Context(), inputs.Request{})
	if err != nil || report.Contacts.Parked != 59 || report.Contacts.Sent != 1 || report.Contacts.Remaining != 0 {
		t.Errorf("%+v, %v", report.Contacts, err)
	}
	// Fewer than that are parked too.
	w = newWorld(t, audience("a.csv", "a"))
	w.write(t, "a.csv", list(ids[:sameRefusals-1]...))
	report, err = w.with(t, refuse(func(int) int { return 400 })).Sync(t.Context(), inputs.Request{})
	if err != nil || report.Contacts.Parked != sameRefusals-1 {
		t.Errorf("%+v, %v", report.Contacts, err)
	}
}

// TestParked: a parked contact is tried again when something else is wanted of it, and
// only in a run that looks at all exports: else what the others want would be taken
// for settled.
func TestParked(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"), audience("b.csv", "b"))
	w.write(t, "a.csv", list("u1", "u9"))
	w.write(t, "b.csv", list("u1"))
	f := &fakeGleap{keep: true, after: func(int) error { return &gleap.RefusedError{Status: 422} }}
	refused := func(request inputs.Request) runs.Report {
		t.Helper()
		report, err := w.with(t, f).Sync(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	if report := refused(inputs.Request{}); report.Contacts.Parked != 2 || len(f.calls) != 2 {
		t.Fatalf("%+v", report.Contacts)
	}
	w.write(t, "a.csv", list("u1", "u9"))
	for _, request := range []inputs.Request{{}, {Only: []string{"a"}}, {}} { // nothing changed for them
		if refused(request); len(f.calls) != 2 {
			t.Errorf("%+v: calls %v", request, f.calls)
		}
	}
	os.Rename(filepath.Join(w.dir, "b.csv"), filepath.Join(w.dir, "away.csv"))
	w.write(t, "a.csv", list("u9")) // u1 has left, but what b says is not known
	if report := refused(inputs.Request{}); len(f.calls) != 2 || report.Contacts.Parked != 2 {
		t.Errorf("%+v, calls %v", report.Contacts, f.calls)
	}
	w.write(t, "b.csv", list("u1"))
	if report := w.sync(t, inputs.Request{}); report.Contacts.Sent != 1 || report.Contacts.Parked != 1 {
		t.Errorf("%+v", report.Contacts)
	}
	w.write(t, "a.csv", list("u2")) // nothing is wanted of u9 any more
	if report := w.sync(t, inputs.Request{}); report.Contacts.Sent != 1 || report.Contacts.Parked != 0 {
		t.Errorf("%+v", report.Contacts)
	}
	if got, want := w.contacts(), map[string]string{"u1": `{"b":true}`, "u2": `{"a":true}`}; !maps.Equal(got, want) {
		t.Errorf("Gleap has %v, want %v", got, want)
	}
}

// TestFullResyncOfManyRecords: the values that are sent again are those of the contact,
// also where the records are read in several slices.
func TestFullResyncOfManyRecords(t *testing.T) {
	w := newWorld(t, trait("t.csv", "t"))
	var text strings.Builder
	text.WriteString("user_id,value\n")
	long := strings.Repeat("x", 10_000)
	for i := range 1000 {
		fmt.Fprintf(&text, "u%04d,%d of %s\n", i, i, long)
	}
	w.write(t, "t.csv", text.String())
	w.sync(t, inputs.Request{})
	want := w.contacts()
	os.Remove(filepath.Join(w.dir, "t.csv")) // only the state knows the values
	if report := w.sync(t, inputs.Request{Full: true}); report.Contacts.Sent != 1000 {
		t.Errorf("%+v", report.Contacts)
	}
	if got := w.contacts(); !maps.Equal(got, want) {
		t.Error("Gleap was told other values")
	}
}

// TestBackToTheFormerFile: after a part of a bad export was sent, going back to the
// file before it puts that right, though this is the one that was applied last.
func TestBackToTheFormerFile(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"))
	w.write(t, "a.csv", list("u1", "u2"))
	path := filepath.Join(w.dir, "a.csv")
	before, _ := os.Stat(path)
	w.sync(t, inputs.Request{})
	w.write(t, "a.csv", list())
	w.options.Exports[0].AllowEmpty = true
	r := w.with(t, &fakeGleap{after: func(n int) error {
		if n == 2 {
			return &gleap.UnreachableError{}
		}
		return nil
	}})
	if report, err := r.Sync(t.Context(), inputs.Request{}); err == nil || report.Contacts.Sent != 1 {
		t.Fatalf("%+v, %v", report.Contacts, err)
	}
	w.write(t, "a.csv", list("u1", "u2"))
	// The call of the other one may have come to Gleap: it has to hear of that too.
	if report := w.sync(t, inputs.Request{}); report.Contacts.Sent != 2 || report.Exports[0].Entered != 1 {
		t.Errorf("%+v", report)
	}
	// With its old time it is older than what Gleap was told of.
	w.write(t, "a.csv", list("u1"))
	w.sync(t, inputs.Request{})
	w.write(t, "a.csv", list("u1", "u2"))
	os.Chtimes(path, before.ModTime(), before.ModTime())
	if report := w.sync(t, inputs.Request{}); report.Outcome != runs.Held {
		t.Errorf("%+v", report)
	}
}

// TestFieldsOfHeldExports: while an export is held or not looked at, what the others
// say of a contact's fields does not replace what Gleap has.
func TestFieldsOfHeldExports(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"), audience("b.csv", "b"))
	w.options.Fields = []inputs.Field{{Field: gleap.Name, Columns: []string{"first", "last"}}}
	w.write(t, "a.csv", "user_id,first\nu1,Ada\n")
	w.write(t, "b.csv", "user_id,last\nu1,Lovelace\n")
	w.sync(t, inputs.Request{})
	path := filepath.Join(w.dir, "b.csv")
	os.Rename(path, path+".away")
	w.write(t, "a.csv", "user_id,first\nu1,Ada\nu2,Grace\n")
	w.sync(t, inputs.Request{})
	w.write(t, "a.csv", "user_id,first\nu1,Ada\nu2,Grace\n")
	w.sync(t, inputs.Request{Only: []string{"a"}})
	want := map[string]string{"u1": `{"a":true,"b":true,"name":"Ada Lovelace"}`, "u2": `{"a":true,"name":"Grace"}`}
	if got := w.contacts(); !maps.Equal(got, want) {
		t.Errorf("Gleap has %v, want %v", got, want)
	}
	os.Rename(path+".away", path)
	w.write(t, "b.csv", "user_id,last\nu1,Lovelace\nu2,Hopper\n")
	w.sync(t, inputs.Request{})
	if got := w.contacts()["u2"]; got != `{"a":true,"b":true,"name":"Grace Hopper"}` {
		t.Errorf("u2 is %s", got)
	}
	if report := w.sync(t, inputs.Request{}); report.Exports[0].Status != runs.StatusUnchanged || report.Exports[0].Rows != 0 {
		t.Errorf("%+v", report.Exports)
	}
}

func TestMaxAge(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"))
	w.options.Exports[0].MaxAge = time.Hour
	w.write(t, "a.csv", list("u1"))
	path := filepath.Join(w.dir, "a.csv")
	age := func(d time.Duration) { os.Chtimes(path, time.Now().Add(-d), time.Now().Add(-d)) }
	age(2 * time.Hour)
	if report := w.sync(t, inputs.Request{}); report.Outcome != runs.Held || !strings.Contains(report.Exports[0].Reason, "older than max_age = 1h0m0s allows") {
		t.Errorf("%+v", report)
	}
	age(time.Minute)
	if report := w.sync(t, inputs.Request{}); report.Outcome != runs.Complete || report.Contacts.Sent != 1 {
		t.Errorf("%+v", report)
	}
	// An export that nobody writes any more gets too old as well.
	w.options.Exports[0].MaxAge = time.Second
	if report := w.sync(t, inputs.Request{}); report.Outcome != runs.Held {
		t.Errorf("%+v", report)
	}
}

func TestKeyOfAnotherKind(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"))
	w.write(t, "a.csv", list("u1"))
	w.sync(t, inputs.Request{})
	w.options.Exports = []inputs.Export{trait("a.csv", "a")}
	w.options.Exports[0].Dir = w.dir
	for name, want := range map[string]string{
		"a":     `"a" is an attribute of the kind audience in the state, and contacts in Gleap have its values: put it back under audiences, or take it out, run gleapsync retire a, and then add it as trait`,
		"other": "the key a belonged to another audience before",
	} {
		w.options.Exports[0].Attributes[0].Name = name
		if _, err := w.runner(t).Plan(t.Context(), inputs.Request{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}

// TestFailedPlanIsRemembered: a run that never came to sending can be asked for too.
func TestFailedPlanIsRemembered(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"))
	w.write(t, "a.csv", list("u1"))
	w.sync(t, inputs.Request{})
	w.write(t, "a.csv", list("u1", "u2"))
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(ErrInterrupted)
	r := w.runner(t)
	report, err := r.Sync(ctx, inputs.Request{})
	if !errors.Is(err, ErrInterrupted) || report.Outcome != runs.Interrupted || report.Run == "" {
		t.Errorf("%+v, %v", report, err)
	}
	w.options.Deadline = time.Nanosecond
	if report := w.sync(t, inputs.Request{}); report.Outcome != runs.Partial || report.Contacts.Sent != 0 || report.Error == "" {
		t.Errorf("%+v", report)
	}
	all, err := runs.Summaries(r.store, 10)
	if err != nil || len(all) != 3 || all[0].Outcome != runs.Partial || all[1].Outcome != runs.Interrupted {
		t.Errorf("%+v, %v", all, err)
	}
	w.options.Deadline = 0
	if report := w.sync(t, inputs.Request{}); report.Contacts.Sent != 1 {
		t.Errorf("%+v", report)
	}
}

func TestBaselineDoesNotEndAResync(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"))
	w.write(t, "a.csv", list("u1", "u2"))
	w.sync(t, inputs.Request{})
	r := w.with(t, &fakeGleap{after: func(int) error { return &gleap.UnreachableError{} }})
	if _, err := r.Sync(t.Context(), inputs.Request{Full: true}); err == nil {
		t.Fatal("Gleap was reachable")
	}
	if _, err := w.runner(t).Baseline(t.Context(), inputs.Request{}); err == nil || !strings.Contains(err.Error(), "a full resync is not complete") {
		t.Errorf("got %v", err)
	}
	if report := w.sync(t, inputs.Request{}); report.Contacts.Sent != 2 {
		t.Errorf("%+v", report.Contacts)
	}
}

// TestPaceAcrossRuns: runs in quick succession share one rate limit, also with one that
// was killed.
func TestPaceAcrossRuns(t *testing.T) {
	t.Parallel() // it waits
	w := newWorld(t, audience("a.csv", "a"))
	const rate, window = 50, 2 * time.Second
	w.setGleap(sandbox.Options{Token: "token", Rate: rate, Window: window})
	var ids []string
	for run := range 4 {
		for i := range 30 {
			ids = append(ids, fmt.Sprintf("u%d-%02d", run, i))
		}
		w.write(t, "a.csv", list(ids...))
		r := w.runner(t)
		if run == 3 { // as if the run before had been killed after its last commit
			if _, err := r.store.Commit(state.Delivery{Pace: bytes.Replace(w.pace(t), []byte(`"running":false`), []byte(`"running":true`), 1)}); err != nil {
				t.Fatal(err)
			}
		}
		report, err := r.Sync(t.Context(), inputs.Request{})
		if err != nil || report.Contacts.Sent != 30 || report.Calls.Retried > 0 {
			t.Errorf("%+v %+v, %v", report.Contacts, report.Calls, err)
		}
	}
	if counts := w.gleap.Counts(); counts.RateLimited > 0 || counts.PeakInWindow > rate {
		t.Errorf("%+v", counts)
	}
}

// TestPaceOfFirstRun: where no run was before, none is waited for.
func TestPaceOfFirstRun(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"))
	const window = 10 * time.Second // of which a run that was killed counts as having used all
	w.setGleap(sandbox.Options{Token: "token", Rate: 1_000_000, Window: window})
	w.write(t, "a.csv", list("u1", "u2"))
	begin := time.Now()
	if w.sync(t, inputs.Request{}); time.Since(begin) >= window {
		t.Errorf("the first run took %s", time.Since(begin))
	}
}

func (w *world) pace(t fataler) []byte {
	o, err := w.runner(t).store.Overview()
	if err != nil {
		t.Fatal(err)
	}
	return o.Pace
}

// TestStateThatCannotBeWritten: without the state every call would be repeated, so
// the run ends; nothing is taken as delivered.
func TestStateThatCannotBeWritten(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"))
	w.write(t, "a.csv", list("u1", "u2", "u3"))
	r := w.runner(t)
	f := &fakeGleap{}
	path := filepath.Join(w.dir, "state.db")
	f.after = func(n int) error {
		if n == 1 {
			return os.Rename(path, path+".away")
		}
		return nil
	}
	r.client, r.o.Concurrency = f, 1
	report, err := r.Sync(t.Context(), inputs.Request{})
	if err == nil || report.Outcome != runs.Failed || report.Contacts.Sent != 0 || report.Contacts.Remaining != 3 {
		t.Errorf("%s %+v, %v", report.Outcome, report.Contacts, err)
	}
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	if report := w.sync(t, inputs.Request{}); report.Contacts.Sent != 3 {
		t.Errorf("the next run sends %+v", report.Contacts)
	}
}

// TestMillionMembers: an export of a million members is planned and applied with a
// sixteenth of a gigabyte for sorting, whatever the order of its rows.
func TestMillionMembers(t *testing.T) {
	members := rounds.Of(100_000, 1_000_000)
	w := newWorld(t, audience("a.csv", "a"))
	w.options.Memory = 64 << 20
	file, err := os.Create(filepath.Join(w.dir, "a.csv"))
	if err != nil {
		t.Fatal(err)
	}
	out := bufio.NewWriter(file)
	fmt.Fprintln(out, "key,external_ids,user_id,email")
	for i := range members {
		n := i * 7919 % members // not in the order of the ids
		fmt.Fprintf(out, "use_%010d,\"{\"\"user_id\"\":[\"\"user-%08d\"\"]}\",user-%08d,somebody%d@example.com\n", n, n, n, n)
	}
	if err := errors.Join(out.Flush(), file.Close()); err != nil {
		t.Fatal(err)
	}
	f := &fakeGleap{}
	r := w.with(t, f)
	r.o.Concurrency = 8
	stop, peak := make(chan struct{}), make(chan uint64)
	go func() {
		var most uint64
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
			select {
			case <-stop:
				peak <- most
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	report, err := r.Sync(t.Context(), inputs.Request{})
	close(stop)
	most := <-peak
	if err != nil || report.Contacts.Sent != members || f.n != members || report.Exports[0].Members != members {
		t.Fatalf("%+v, %v", report.Contacts, err)
	}
	info, _ := os.Stat(filepath.Join(w.dir, "state.db"))
	t.Logf("planned and applied in %s, at most %d MiB of heap, %d bytes of state for a contact", report.Finished.Sub(report.Started), most>>20, info.Size()/int64(members))
	if most > 256<<20 {
		t.Errorf("the heap grew to %d MiB", most>>20)
	}
	if left, _ := filepath.Glob(filepath.Join(w.dir, "*.tmp")); len(left) > 0 {
		t.Errorf("temporary files are left: %v", left)
	}
	if report, err = w.with(t, f).Sync(t.Context(), inputs.Request{}); err != nil || report.Contacts.Planned != 0 {
		t.Errorf("a second run plans %+v, %v", report.Contacts, err)
	}
}
