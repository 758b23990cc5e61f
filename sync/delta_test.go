package sync

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/damping"
	"gleapsync/internal/inputs"
	"gleapsync/internal/planfile"
	"gleapsync/internal/rounds"
	"gleapsync/internal/runs"
	"gleapsync/internal/values"
	"gleapsync/state"
)

// planText returns the plan of a run as a text: its report, what the guard goes by, and all its entries. deltas is of how
// many exports no more was read than what differs.
func (w *world) planText(t fataler, request inputs.Request) (text string, deltas int) {
	r := w.runner(t)
	request.Traces = true
	p, err := r.plan(context.Background(), r.now(), request)
	defer p.close()
	if err != nil {
		return err.Error(), 0
	}
	report, err := json.MarshalIndent(p.report(), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{string(report)}
	for _, a := range p.attributes {
		if a.Active() {
			lines = append(lines, fmt.Sprintf("%s: before %d", a.Key, a.before))
		}
	}
	if err := eachEntry(context.Background(), p.file.Read(p.turns), func(e *planfile.Entry, c *PlannedContact) error {
		c.describe(p.keys(), e)
		line := string(c.AppendJSON(nil))
		for _, f := range e.Fields {
			line += " " + string(f.Text)
		}
		lines = append(lines, line)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, e := range p.exports {
		if e.IsDelta() {
			deltas++
		}
	}
	return strings.Join(lines, "\n"), deltas
}

// lists returns the paths of the lists of rows.
func (w *world) lists() []string {
	lists, _ := filepath.Glob(filepath.Join(w.dir, "state.db.rows-*"))
	return lists
}

// withoutLists calls do while there are no lists.
func (w *world) withoutLists(t fataler, do func()) {
	lists := w.lists()
	for _, path := range lists {
		if err := os.Rename(path, path+".away"); err != nil {
			t.Fatal(err)
		}
	}
	do()
	for _, path := range lists {
		if err := os.Rename(path+".away", path); err != nil {
			t.Fatal(err)
		}
	}
}

// mustPlanAlike checks that a plan is the same with and without lists, and returns of how many
// exports it read only what differs.
func (w *world) mustPlanAlike(t interface {
	fataler
	Fatalf(string, ...any)
}, request inputs.Request) int {
	with, deltas := w.planText(t, request)
	w.withoutLists(t, func() {
		if without, read := w.planText(t, request); with != without || read > 0 {
			only := func(of, other string) string {
				others := strings.Split(other, "\n")
				return strings.Join(slices.DeleteFunc(strings.Split(of, "\n"), func(l string) bool { return slices.Contains(others, l) }), "\n")
			}
			t.Fatalf("with lists of the rows (%d deltas) the plan is\n%s\nand differs in\n%s\nwithout, with %d, in\n%s", deltas, with, only(with, without), read, only(without, with))
		}
	})
	return deltas
}

// drawSettings has an export say any of what can be said of those who are not in it, and contact fields
// or none.
func (w *world) drawSettings(r *rapid.T) {
	for i := range w.options.Exports {
		w.options.Exports[i].AllowEmpty = rapid.Bool().Draw(r, "empty")
		w.options.Exports[i].ClearMissing = rapid.Bool().Draw(r, "clear")
		w.options.Exports[i].KeepAbsent = rapid.Bool().Draw(r, "keep")
	}
	if rapid.Bool().Draw(r, "fields") {
		w.options.Fields = []inputs.Field{{Field: gleap.Email, Columns: []string{"email"}}}
	}
}

// TestDeltaPlans lets days pass, with all that may keep the records from being what the exports
// said, and with lists that are lost, damaged and swapped. Each plan is the same as if all was
// read.
func TestDeltaPlans(t *testing.T) {
	deltas, unsettled := 0, 0
	rounds.Check(t, func(r *rapid.T) {
		table := inputs.Export{Export: engage.Export{Source: "table.csv", Attributes: []engage.Attribute{
			{Kind: engage.Audience, Key: "churn", Name: "churn", Column: "churn"},
			{Kind: engage.Trait, Key: "level", Name: "level", Column: "level", Type: values.Auto},
			{Kind: engage.Trait, Key: "score", Name: "score", Column: "score", Type: values.Auto},
		}}}
		w := newWorld(t, table, audience("a.csv", "a"), audience("parts", "b"), trait("t.csv", "t"))
		defer w.server.Close()
		w.options.Exports[2].Pick, w.options.Exports[2].AnyParts = engage.PickAll, true
		w.drawSettings(r)
		user := rapid.Map(rapid.IntRange(0, 14), func(n int) string { return fmt.Sprint("u", n) })
		cells := map[string]*rapid.Generator[string]{
			"table.csv": rapid.Custom(func(t *rapid.T) string {
				if rapid.IntRange(0, 40).Draw(t, "unfit") == 0 {
					return "perhaps,x,x,broken"
				}
				return strings.Join([]string{
					rapid.SampledFrom([]string{"true", "true", "false", ""}).Draw(t, "churn"), rapid.SampledFrom([]string{"1", "2", "", `"2"`}).Draw(t, "level"),
					rapid.SampledFrom([]string{"", "", "", "NaN", "100", "inf"}).Draw(t, "score"), rapid.SampledFrom([]string{"", "x@x.io", "y@x.io"}).Draw(t, "email"),
				}, ",")
			}),
			"a.csv": rapid.Just("x"), "parts": rapid.Just("x"),
			"t.csv": rapid.SampledFrom([]string{"gold,", "silver,t@x.io", ",", "NaN,", "NaN,t@x.io", ",t@x.io", "true,", "null,x@x.io"}),
		}
		headers := map[string]string{"table.csv": "user_id,churn,level,score,email", "a.csv": "user_id,x", "parts": "user_id,x", "t.csv": "user_id,value,email"}
		broken := []string{"u3,x\"\n", "u3,true,1,1,x@x.io,and more\n", "\"u3\"x,1\n"}
		rows := map[string][]string{}
		row := func(name string) string { return user.Draw(r, "user") + "," + cells[name].Draw(r, name) + "\n" }
		names := []string{"table.csv", "a.csv", "parts", "t.csv"}
		for _, name := range names {
			for range rapid.IntRange(3, 12).Draw(r, name) {
				rows[name] = append(rows[name], row(name))
			}
		}
		forms := map[string]form{}
		for _, name := range names {
			forms[name] = drawForm(r)
		}
		write := func(name string) {
			parts := 0
			if name == "parts" {
				parts = rapid.IntRange(1, 3).Draw(r, "parts")
			}
			w.writeTable(r, forms[name], name, headers[name], rows[name], parts)
		}
		for _, name := range names {
			write(name)
		}
		hasKnown := rapid.IntRange(0, 2).Draw(r, "known contacts") == 0
		writeKnown := func() {
			w.write(r, "known.csv", list(rapid.SliceOfNDistinct(user, 10, 15, rapid.ID).Draw(r, "known")...))
		}
		if hasKnown {
			w.withLists("known.csv")
			writeKnown()
		}
		refused := rapid.SliceOfNDistinct(user, 0, 3, rapid.ID)
		w.mayBeCutShort(r, nil)
		for range rapid.IntRange(1, 6).Draw(r, "days") {
			for _, name := range names {
				if rapid.IntRange(0, 3).Draw(r, "changes") == 0 {
					continue
				}
				for range rapid.IntRange(0, 3).Draw(r, name) {
					at := rapid.IntRange(0, len(rows[name])).Draw(r, "at")
					switch {
					case rapid.IntRange(0, 9).Draw(r, "broken") == 9:
						rows[name] = slices.Insert(rows[name], at, rapid.SampledFrom(broken).Draw(r, "broken row"))
					case at == len(rows[name]) || rapid.Bool().Draw(r, "insert"):
						rows[name] = slices.Insert(rows[name], at, row(name))
					case rapid.Bool().Draw(r, "delete"):
						rows[name] = slices.Delete(rows[name], at, at+1)
					default:
						id, _, _ := strings.Cut(rows[name][at], ",")
						rows[name][at] = id + "," + cells[name].Draw(r, "cells") + "\n"
					}
				}
				if rapid.Bool().Draw(r, "mend") {
					rows[name] = slices.DeleteFunc(rows[name], func(line string) bool { return slices.Contains(broken, line) })
				}
				write(name)
			}
			if hasKnown && rapid.Bool().Draw(r, "others are known") {
				writeKnown()
			}
			w.disturb(r, user)
			n := w.mustPlanAlike(r, inputs.Request{})
			deltas += n
			if o, err := w.runner(r).store.Overview(); err != nil {
				r.Fatal(err)
			} else if o.Parked+len(o.Unanswered) > 0 {
				unsettled += n
			}
			if rapid.IntRange(0, 3).Draw(r, "only") == 0 {
				w.mustPlanAlike(r, inputs.Request{Only: []string{rapid.SampledFrom([]string{"churn", "a", "t"}).Draw(r, "key")}})
			}
			w.mayBeCutShort(r, refused.Draw(r, "refused"))
			if _, err := state.Verify(w.runner(r).store); err != nil {
				r.Fatal(err)
			}
			if err := inputs.VerifyLists(w.runner(r).store); err != nil {
				r.Fatal(err)
			}
		}
	})
	if rounds.Full() && (deltas == 0 || unsettled == 0) { // few rounds may have none
		t.Errorf("%d exports were read as deltas, %d of them with parked or unanswered contacts", deltas, unsettled)
	}
}

var gone []inputs.Export

// disturb does something that may come between two runs.
func (w *world) disturb(r *rapid.T, user *rapid.Generator[string]) {
	store := w.runner(r).store
	locked := func(do func() error) {
		release, err := store.Lock()
		if err == nil {
			err = do()
			release()
		}
		if err != nil {
			r.Fatal(err)
		}
	}
	lists := w.lists()
	pick := func() string { return rapid.SampledFrom(lists).Draw(r, "list") }
	table := &w.options.Exports[0]
	switch what := rapid.IntRange(0, 18).Draw(r, "disturb"); {
	case what == 0:
		if _, err := w.runner(r).Forget(context.Background(), []string{user.Draw(r, "forgotten")}); err != nil {
			r.Fatal(err)
		}
	case what == 1:
		locked(func() error { _, err := state.Resend(store, []string{user.Draw(r, "resent")}); return err })
	case what == 2:
		locked(func() error { _, _, err := state.Unpark(store); return err })
	case what == 3:
		table.KeepAbsent = !table.KeepAbsent
	case what == 4:
		table.Damping = map[string]damping.Rule{"score": {Tolerance: damping.Tolerance{Share: 0.1}}, "level": {MinInterval: time.Hour}}
	case what == 5:
		table.Damping = nil
	case what == 6:
		w.sync(r, inputs.Request{Full: true})
	case what == 7:
		table.Exclude = append(table.Exclude, "nothing")
	case what == 14 && len(w.options.Exports) == 4:
		gone = w.options.Exports[3:]
		w.options.Exports = w.options.Exports[:3:3]
	case what == 15 && len(w.options.Exports) == 3:
		w.options.Exports = append(w.options.Exports, gone...)
	case what == 16 && len(w.options.Exports) == 3:
		_, _ = w.runner(r).Retire(context.Background(), "t")
	case what == 17:
		_, _ = w.runner(r).Baseline(context.Background(), inputs.Request{})
	case len(lists) == 0:
	case what == 8:
		if err := os.Remove(pick()); err != nil {
			r.Fatal(err)
		}
	case what == 9:
		path := pick()
		text, err := os.ReadFile(path)
		if err == nil {
			text[rapid.IntRange(0, len(text)-1).Draw(r, "at")] ^= 1
			err = os.WriteFile(path, text, 0o600)
		}
		if err != nil {
			r.Fatal(err)
		}
	case what == 10:
		a, b := pick(), pick()
		text, err := os.ReadFile(a)
		if err == nil {
			err = os.WriteFile(b, text, 0o600)
		}
		if err != nil {
			r.Fatal(err)
		}
	}
}

// mayBeCutShort runs a sync, which may not come to its end, or not with each contact. Gleap refuses
// some of them.
func (w *world) mayBeCutShort(r *rapid.T, refused []string) {
	runner := w.runner(r)
	runner.o.Concurrency = 1
	at := rapid.IntRange(1, 12).Draw(r, "fault at")
	fault := map[string]error{"none": nil, "most": nil, "refused": &gleap.RefusedError{Status: 422}, "unreachable": &gleap.UnreachableError{Last: "fault"}}[rapid.SampledFrom([]string{"none", "most", "refused", "unreachable"}).Draw(r, "fault")]
	runner.client = &failingClient{client: runner.client, at: int32(at), fault: fault, refused: refused}
	request := inputs.Request{}
	if rapid.IntRange(0, 2).Draw(r, "sync only") == 0 {
		request.Only = []string{rapid.SampledFrom([]string{"churn", "a", "b", "level"}).Draw(r, "key")}
	}
	if _, err := runner.Sync(context.Background(), request); err != nil && fault == nil {
		r.Fatal(err)
	}
}

// failingClient fails with one of the calls.
type failingClient struct {
	client
	at      int32
	calls   int32
	fault   error
	refused []string // contacts
}

func (c *failingClient) Identify(ctx context.Context, contact *gleap.Contact) error {
	if atomic.AddInt32(&c.calls, 1) == c.at && c.fault != nil {
		return c.fault
	}
	if slices.Contains(c.refused, string(contact.UserID)) {
		return &gleap.RefusedError{Status: 422}
	}
	return c.client.Identify(ctx, contact)
}

// TestDeltaMembers: who was a member by the rows before is known also where these said nothing of
// what the contact has.
func TestDeltaMembers(t *testing.T) {
	w := newWorld(t, trait("t.csv", "t"))
	for i, day := range []struct {
		rows    string
		members int
	}{{"u1,gold\nu2,gold\nu3,gold\n", 3}, {"u1,\nu2,gold\nu3,gold\n", 2}, {"u1,silver\nu2,\nu3,\n", 1}, {"u2,\nu3,bronze\n", 1}} {
		w.write(t, "t.csv", "user_id,value\n"+day.rows)
		if deltas := w.mustPlanAlike(t, inputs.Request{}); i > 0 && deltas != 1 {
			t.Errorf("day %d: %d deltas", i, deltas)
		}
		if report := w.sync(t, inputs.Request{}); report.Exports[0].Members != day.members {
			t.Errorf("day %d: %+v", i, report.Exports[0])
		}
	}
}

// TestVerifyLists: a list that belongs to other records is found, and one that is damaged or gone
// is none.
func TestVerifyLists(t *testing.T) {
	w := newWorld(t, trait("t.csv", "t"))
	w.write(t, "t.csv", "user_id,value\nu1,gold\nu2,gold\n")
	w.sync(t, inputs.Request{})
	w.write(t, "t.csv", "user_id,value\nu1,\nu2,silver\nu3,gold\n")
	w.sync(t, inputs.Request{})
	store := w.runner(t).store
	lists := w.lists()
	if err := inputs.VerifyLists(store); err != nil || len(lists) != 1 {
		t.Fatal(lists, err)
	}
	list, err := os.ReadFile(lists[0])
	if err != nil {
		t.Fatal(err)
	}
	release, err := store.Lock()
	if err != nil {
		t.Fatal(err)
	}
	ack := state.Acknowledgement{UserID: []byte("u3"), At: now(), Epoch: 1, Attributes: []state.Change{{ID: 0, Value: nothing(true)}}}
	_, err = store.Commit(state.Delivery{Acks: []state.Acknowledgement{ack}})
	release()
	if err != nil {
		t.Fatal(err)
	}
	if err := inputs.VerifyLists(store); err == nil || !strings.Contains(err.Error(), lists[0]) {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(lists[0], list[:len(list)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := inputs.VerifyLists(store); err != nil {
		t.Error(err)
	}
	if err := os.Remove(lists[0]); err != nil {
		t.Fatal(err)
	}
	if err := inputs.VerifyLists(store); err != nil {
		t.Error(err)
	}
}

// TestListThatCannotBeWritten: without a list a run is as it was without lists.
func TestListThatCannotBeWritten(t *testing.T) {
	w := newWorld(t, trait("t.csv", "t"))
	for i, want := range []int{2, 1} {
		w.write(t, "t.csv", fmt.Sprintf("user_id,value\nu1,%d\nu2,7\n", i))
		r := w.runner(t)
		var log strings.Builder
		r.log = slog.New(slog.NewTextHandler(&log, nil))
		var err error
		// No more than 255 bytes fit into a name.
		if r.store, err = state.Open(state.Options{Path: filepath.Join(w.dir, strings.Repeat("s", 240)), Project: "acme"}); err != nil {
			t.Fatal(err)
		}
		r.ledger = r.store
		report, err := r.Sync(t.Context(), inputs.Request{})
		if err != nil || report.Outcome != runs.Complete || report.Contacts.Sent != want {
			t.Errorf("%s, %+v: %v", report.Outcome, report.Contacts, err)
		}
		if !strings.Contains(log.String(), "the list of an export's rows cannot be written") {
			t.Errorf("the log is %s", log.String())
		}
	}
}
