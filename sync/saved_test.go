package sync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/attr"
	"gleapsync/internal/done"
	"gleapsync/internal/events"
	"gleapsync/internal/extsort"
	"gleapsync/internal/inputs"
	"gleapsync/internal/rounds"
	"gleapsync/internal/runs"
	"gleapsync/internal/savedplan"
	"gleapsync/state"
)

// save saves a plan, and returns where it is.
func (w *world) save(t fataler, request inputs.Request) string {
	path := filepath.Join(w.dir, fmt.Sprintf("%d.plan", w.day))
	w.day++
	if _, err := w.runner(t).Save(context.Background(), request, path, nil); err != nil {
		t.Fatal(err)
	}
	return path
}

// carryOut carries a saved plan out. There are no exports: it must not need them.
func (r *Runner) carryOut(ctx context.Context, t fataler, path string) (runs.Report, error) {
	f, err := savedplan.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r.o.Exports = nil
	return r.CarryOut(ctx, f)
}

// isRefused reports whether an error is a refusal that says some text.
func isRefused(err error, says string) bool {
	return errors.As(err, new(*savedplan.RefusedError)) && strings.Contains(err.Error(), says)
}

// TestSavedBetween: what happens between the saving of a plan and its sending refuses it, or does
// not concern it. Either way the next sync leaves in Gleap what the exports say, and nothing is
// missing.
func TestSavedBetween(t *testing.T) {
	only := func(keys ...string) inputs.Request { return inputs.Request{Only: keys} }
	for name, test := range map[string]struct {
		request inputs.Request
		fields  bool
		between func(t *testing.T, w *world)
		refused string // "": it is taken
	}{
		"nothing":            {between: func(*testing.T, *world) {}},
		"another look":       {between: func(t *testing.T, w *world) { w.changes(t, inputs.Request{}, (*Runner).Changes) }},
		"newer exports":      {between: func(t *testing.T, w *world) { w.write(t, "a.csv", list("u5")); w.write(t, "b.csv", list()) }},
		"a sync of the same": {between: func(t *testing.T, w *world) { w.sync(t, inputs.Request{}) }, refused: ""},
		"a newer export that was applied": {between: func(t *testing.T, w *world) {
			w.write(t, "a.csv", list("u1", "u6"))
			w.sync(t, inputs.Request{})
		}, refused: "other data were applied, or are to be read again, of a"},
		"a newer one of another attribute": {request: only("a"), between: func(t *testing.T, w *world) {
			w.write(t, "b.csv", list("u1", "u6"))
			w.sync(t, only("b"))
		}},
		"the same, with contact fields": {request: only("a"), fields: true, between: func(t *testing.T, w *world) {
			w.write(t, "b.csv", list("u1", "u6"))
			w.sync(t, only("b"))
		}, refused: "it has contact fields"},
		"a newer one of its own": {request: only("a"), between: func(t *testing.T, w *world) {
			w.write(t, "a.csv", list("u1", "u6"))
			w.sync(t, only("a"))
		}, refused: "of a"},
		"a newer one, of which one call came": {between: func(t *testing.T, w *world) {
			w.write(t, "a.csv", list("u0", "u2"))
			w.syncCalls(t, 1)
		}, refused: "of a"},
		"the same ones, of which one call came": {between: func(t *testing.T, w *world) { w.syncCalls(t, 1) }},
		"a baseline": {between: func(t *testing.T, w *world) {
			w.write(t, "a.csv", list("u1", "u6"))
			if _, err := w.runner(t).Baseline(t.Context(), inputs.Request{}); err != nil {
				t.Fatal(err)
			}
			w.write(t, "a.csv", list("u2"))
		}, refused: "of a"},
		"a full resync": {between: func(t *testing.T, w *world) { w.sync(t, inputs.Request{Full: true}) }, refused: "a full resync was"},
		"a resend": {between: func(t *testing.T, w *world) {
			if _, err := state.Resend(w.runner(t).store, []string{"u2"}); err != nil {
				t.Fatal(err)
			}
		}},
		"a contact that was told something else": {between: func(t *testing.T, w *world) {
			ack := state.Acknowledgement{UserID: []byte("u4"), At: now(), Attributes: []state.Change{{ID: 0, Value: attr.OfBool(false)}}, Last: true}
			if _, err := w.runner(t).store.Commit(state.Delivery{Acks: []state.Acknowledgement{ack}}); err != nil {
				t.Fatal(err)
			}
		}, refused: "contacts of it were told something else since (1)"},
		"who is forgotten": {between: func(t *testing.T, w *world) {
			if _, err := w.runner(t).Forget(t.Context(), []string{"u2", "u4"}); err != nil {
				t.Fatal(err)
			}
		}},
		"it retires": {request: only("b"), between: func(t *testing.T, w *world) {
			exports := w.options.Exports
			w.options.Exports = exports[:1]
			if _, err := w.runner(t).Retire(t.Context(), "b"); err != nil {
				t.Fatal(err)
			}
			w.options.Exports = exports
		}, refused: "of b"},
		"a retry": {between: func(t *testing.T, w *world) {
			if _, _, err := state.Unpark(w.runner(t).store); err != nil {
				t.Fatal(err)
			}
		}, refused: "contacts that were parked are to be tried again (1)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, audience("a.csv", "a"), audience("b.csv", "b"))
			for i := range w.options.Exports {
				w.options.Exports[i].AllowEmpty = true
			}
			if test.fields {
				w.options.Fields = []inputs.Field{{Field: gleap.Email, Columns: []string{"email"}}}
			}
			w.write(t, "a.csv", "user_id,email\nu1,a@x.io\nu2,b@x.io\nu3,c@x.io\n")
			w.write(t, "b.csv", list("u2", "u3", "u9"))
			first := w.runner(t)
			first.client = refuser{first.client, "u9"}
			if report, err := first.Sync(t.Context(), inputs.Request{}); err != nil || report.Contacts.Parked != 1 {
				t.Fatal(report.Contacts, err)
			}
			w.write(t, "a.csv", "user_id,email\nu2,b@x.io\nu4,d@x.io\nu5,e@x.io\n")
			w.write(t, "b.csv", list("u1", "u3", "u9"))
			path := w.save(t, test.request)
			test.between(t, w)
			before := w.gleap.Counts()
			report, err := w.runner(t).carryOut(t.Context(), t, path)
			if test.refused == "" && err != nil || test.refused != "" && !isRefused(err, test.refused) {
				t.Errorf("%v, want %q", err, test.refused)
			}
			if after := w.gleap.Counts(); err != nil && (after != before || report.Run != "") {
				t.Errorf("it is refused, and Gleap heard %+v after %+v: %+v", after, before, report)
			}
			w.sync(t, inputs.Request{})
			want := newWorld(t, w.options.Exports...)
			for _, name := range []string{"a.csv", "b.csv"} {
				text, err := os.ReadFile(filepath.Join(w.dir, name))
				if err != nil {
					t.Fatal(err)
				}
				want.write(t, name, string(text))
			}
			want.sync(t, inputs.Request{})
			members := func(w *world) []string {
				var all []string
				for c := range w.gleap.Contacts() {
					for _, key := range []string{"a", "b"} {
						if c.Attributes[key] == true {
							all = append(all, c.UserID+" "+key)
						}
					}
				}
				slices.Sort(all)
				return all
			}
			wanted := slices.DeleteFunc(members(want), func(of string) bool {
				return of == "u9 b" && name != "a retry" || name == "who is forgotten" && (strings.HasPrefix(of, "u2 ") || strings.HasPrefix(of, "u4 ")) || name == "it retires" && strings.HasSuffix(of, " b")
			})
			got := slices.DeleteFunc(members(w), func(of string) bool { return name == "it retires" && strings.HasSuffix(of, " b") })
			if name == "a baseline" { // it told lies
				return
			}
			if !slices.Equal(got, wanted) {
				t.Errorf("members %v, want %v", got, wanted)
			}
		})
	}
}

// TestSavedInParts: a plan that is cut short again and again goes on within a contact of many
// attributes, and an attribute counts as delivered with the run that tells the last of its contacts.
func TestSavedInParts(t *testing.T) {
	wide := inputs.Export{Export: engage.Export{Source: "wide.csv"}}
	header, row := "user_id,email", "u1,a@x.io"
	for i := range 40 {
		name := fmt.Sprintf("w%02d", i)
		header, row = header+","+name, row+",true"
		wide.Attributes = append(wide.Attributes, engage.Attribute{Kind: engage.Audience, Key: name, Column: name})
	}
	w := newWorld(t, wide, audience("a.csv", "a"), audience("b.csv", "b"))
	w.options.Fields = []inputs.Field{{Field: gleap.Email, Columns: []string{"email"}}}
	w.write(t, "wide.csv", header+"\n"+row+"\n")
	w.write(t, "a.csv", list("u2", "u3"))
	w.write(t, "b.csv", list("u4", "u5"))
	path := w.save(t, inputs.Request{})
	delivered := func(key string) bool {
		o, err := w.runner(t).store.Overview()
		if err != nil {
			t.Fatal(err)
		}
		a, err := o.Attribute(key)
		return err == nil && !a.Applied.At.IsZero()
	}
	for i, step := range []struct {
		calls      int // before it is cut short
		told       []string
		wide, a, b bool // are delivered as a whole
	}{
		{1, []string{"u1 35 1"}, false, false, false},
		{2, []string{"u1 5 0", "u2 1 0"}, true, false, false},
		{2, []string{"u3 1 0", "u4 1 0"}, true, true, false},
		{9, []string{"u5 1 0"}, true, true, true},
	} {
		c := &counter{left: step.calls}
		r := w.with(t, &c.fakeGleap)
		r.client = c
		if _, err := r.carryOut(t.Context(), t, path); (err == nil) != (step.calls == 9) {
			t.Fatal(err)
		}
		if !slices.Equal(c.told, step.told) || delivered("w39") != step.wide || delivered("a") != step.a || delivered("b") != step.b {
			t.Errorf("run %d: %v, delivered are %t, %t, %t, want %+v", i, c.told, delivered("w39"), delivered("a"), delivered("b"), step)
		}
	}
}

// counter is a Gleap that takes some calls, and writes down how much each says.
type counter struct {
	fakeGleap
	left int
	told []string
}

func (c *counter) Identify(_ context.Context, contact *gleap.Contact) error {
	if c.left--; c.left < 0 {
		return &gleap.UnreachableError{Last: "fault"}
	}
	c.told = append(c.told, fmt.Sprint(string(contact.UserID), " ", len(contact.Attributes), " ", len(contact.Fields)))
	return nil
}

// refuser is a Gleap that refuses one contact.
type refuser struct {
	client
	userID string
}

func (r refuser) Identify(ctx context.Context, c *gleap.Contact) error {
	if string(c.UserID) == r.userID {
		return &gleap.RefusedError{Status: 422}
	}
	return r.client.Identify(ctx, c)
}

// syncCalls runs a sync that Gleap is unreachable for after some calls.
func (w *world) syncCalls(t *testing.T, calls int) {
	r := w.runner(t)
	r.o.Concurrency = 1
	r.client = faultyClient{r.client, &faults{kind: "call", left: calls}}
	if _, err := r.Sync(t.Context(), inputs.Request{}); err == nil {
		t.Fatal("no call failed")
	}
}

// TestSavedFaults lets the n-th operation of a saved plan's run fail, as TestFaults does. It is
// carried out again until it is complete: then Gleap has what a sync would have sent, no
// acknowledged and committed call was made twice, and a sync has nothing to send and nothing to read.
func TestSavedFaults(t *testing.T) {
	days := []map[string]string{
		{"a.csv": list("u1", "u2", "u3", "u4", "u5", "u6"), "t.csv": longValues("gold", "u1", "u2", "u3", "u4", "u5", "u7")},
		{"a.csv": list("u3", "u4", "u5", "u6", "u8"), "t.csv": longValues("silver", "u1", "u2", "u3", "u4", "u7", "u9")},
	}
	for name, scenario := range map[string]struct {
		days    int
		request inputs.Request
	}{"first sync": {0, inputs.Request{}}, "changes": {1, inputs.Request{}}, "full resync": {1, inputs.Request{Full: true}}} {
		for _, after := range sides() {
			t.Run(fmt.Sprintf("%s, after %t", name, after), func(t *testing.T) {
				t.Parallel()
				wanted := want(t, days[:scenario.days+1])
				for _, kind := range []string{"call", "begin", "commit", "finish", "create", "write", "read"} {
					failed := 0
					for n, hit := 0, kind; hit != "" && !t.Failed(); n += 1 + rand.IntN(rounds.Of(32, 1)) {
						w := newWorld(t, audience("a.csv", "a"), trait("t.csv", "t"))
						w.options.Memory = 1
						for i := range scenario.days + 1 {
							for file, text := range days[i] {
								w.write(t, file, text)
							}
							if i < scenario.days {
								w.sync(t, inputs.Request{})
							}
						}
						path := w.save(t, scenario.request)
						f := &faults{kind: kind, left: n, after: after}
						r := w.runner(t)
						r.o.Concurrency = 1
						r.client, r.ledger = faultyClient{r.client, f}, faultyLedger{r.ledger, f}
						create := r.temp
						r.temp = func() (file extsort.TempFile, err error) {
							if err := f.do("create", func() (err error) { file, err = create(); return err }); err != nil {
								return nil, err
							}
							return faultyFile{file, f}, nil
						}
						report, err := r.carryOut(t.Context(), t, path)
						if hit = f.hit; (err == nil) != (hit == "") || err != nil && report.Outcome != runs.Failed {
							t.Errorf("%s %d: %s, %v", kind, n, report.Outcome, err)
						}
						if hit != "" {
							failed++
						}
						w.checkState(t, wanted)
						acknowledged := report.Contacts.Sent
						if report, err = w.runner(t).carryOut(t.Context(), t, path); err == nil && report.Contacts.Planned+acknowledged > len(wanted) {
							t.Errorf("%s %d: %d of %d were sent and committed, and %d are left", kind, n, acknowledged, len(wanted), report.Contacts.Planned)
						}
						if complete := hit == "" || kind == "finish" && after; complete != isRefused(err, "complete") || !complete && err != nil {
							t.Errorf("%s %d: %v", kind, n, err)
						}
						if got := w.contacts(); !maps.Equal(got, wanted) {
							t.Errorf("%s %d: Gleap has %d contacts, and not what it should", kind, n, len(got))
						}
						if report = w.sync(t, inputs.Request{}); report.Contacts.Planned != 0 || report.Exports[0].Status != runs.StatusUnchanged || report.Exports[1].Status != runs.StatusUnchanged {
							t.Errorf("%s %d: a sync plans %+v of %+v", kind, n, report.Contacts, report.Exports)
						}
					}
					if failed == 0 {
						t.Errorf("no %s failed", kind)
					}
				}
			})
		}
	}
}

// TestSavedEvents: the events of a saved plan are told once, or one request twice, under the names that they had when it
// was made, wherever its run breaks off. Event exports wait for the next sync.
func TestSavedEvents(t *testing.T) {
	start := func() (*world, *int) {
		w := newEventsWorld(t, audience("a.csv", "a"))
		w.options.Exports[0].AllowEmpty = true
		w.options.Tracks = []events.Export{trackExport(w)}
		w.write(t, "a.csv", list("u1", "u2", "u3"))
		w.sync(t, inputs.Request{})
		w.write(t, "a.csv", list("u3", "u4", "u5"))
		w.writeCalls(t, "1", call("u1", "Order Completed", "m1", ""))
		return w, new(int)
	}
	w, sent := start()
	w.options.Tracks = nil
	w.sync(t, inputs.Request{})
	want := w.told(sent)
	for _, kind := range []string{"call", "commit", "track", "finish"} {
		for n, hit := 0, kind; hit != ""; n++ {
			w, sent := start()
			path := w.save(t, inputs.Request{})
			w.options.Events.Entered = "Renamed"
			f := &faults{kind: kind, left: n}
			r := w.runner(t)
			r.o.Concurrency = 1
			r.client, r.ledger = faultyClient{r.client, f}, faultyLedger{r.ledger, f}
			_, err := r.carryOut(t.Context(), t, path)
			if hit = f.hit; (err == nil) != (hit == "") {
				t.Errorf("%s %d: %v", kind, n, err)
			}
			if _, err := w.runner(t).carryOut(t.Context(), t, path); hit == "" && !isRefused(err, "complete") || hit != "" && err != nil {
				t.Errorf("%s %d: %v", kind, n, err)
			}
			got := w.told(sent)
			if kind == "commit" { // the last request may come once more
				got = strings.Join(slices.Compact(strings.Split(got, "\n")), "\n")
			}
			if got != want {
				t.Errorf("%s %d: told\n%s\nwant\n%s", kind, n, got, want)
			}
			if report := w.sync(t, inputs.Request{}); report.Events.Sent != 1 || !strings.Contains(w.told(sent), "Order Completed") {
				t.Errorf("%s %d: the next sync sends %+v", kind, n, report.Events)
			}
		}
	}
}

// TestSavedFiles: a file of changes that another run has done since a plan was saved stays done.
func TestSavedFiles(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"), changeExport(engage.Attribute{Kind: engage.Audience, Key: "live", Name: "live"}))
	w.write(t, "a.csv", list("u1", "u2"))
	w.writeEvents(t, "1.ndjson", in("u1", "live", 1))
	w.sync(t, inputs.Request{})
	w.write(t, "a.csv", list("u1", "u3"))
	path := w.save(t, inputs.Request{Only: []string{"a"}})
	w.writeEvents(t, "2.ndjson", in("u2", "live", 2))
	w.sync(t, inputs.Request{Only: []string{"live"}})
	before, err := w.runner(t).store.Files()
	if err != nil || len(before) != 2 {
		t.Fatal(before, err)
	}
	if _, err := w.runner(t).carryOut(t.Context(), t, path); err != nil {
		t.Fatal(err)
	}
	if after, err := w.runner(t).store.Files(); err != nil || !done.Same(before, after) {
		t.Errorf("%v after %v, %v", after, before, err)
	}
	if report := w.sync(t, inputs.Request{}); report.Contacts.Planned != 0 {
		t.Errorf("%+v", report.Contacts)
	}
}
