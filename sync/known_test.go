package sync

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gleapsync/engage"
	"gleapsync/internal/inputs"
	"gleapsync/internal/known"
	"gleapsync/internal/rounds"
	"gleapsync/internal/runs"
)

// withLists has the world's contacts be created only if one of some lists has them.
func (w *world) withLists(names ...string) {
	w.options.Known = nil
	for _, name := range names {
		w.options.Known = append(w.options.Known, known.List{Export: engage.Export{Source: name, Dir: w.dir}})
	}
}

// TestKnownModel lets days of random members, changes and lists pass, with lists that are missing
// and runs that break off. No contact is created that no list has; as soon as one has it, it has
// all that is wanted of it, and nobody who has a record is left behind.
func TestKnownModel(t *testing.T) {
	rounds.Check(t, func(r *rapid.T) {
		w := newWorld(t, audience("vip.csv", "vip"), changeExport())
		defer w.server.Close()
		w.options.Exports[0].AllowEmpty = true
		w.options.Memory = 1
		w.withLists("one.csv", "two.csv")
		users := []string{"a", "aa", "b", "c", "d"}
		some := func(label string) []string {
			return slices.DeleteFunc(slices.Clone(users), func(string) bool { return !rapid.Bool().Draw(r, label) })
		}
		ever := map[string]bool{} // users that a list had in some run
		beta := map[string]bool{} // the newest that changes said
		members := []string{}
		lists := map[string][]string{}
		w.write(r, "vip.csv", "user_id,x\n")
		w.writeEvents(r, "0.json", in("z", "beta", 0))
		for day := range rapid.IntRange(1, 6).Draw(r, "days") {
			if rapid.Bool().Draw(r, "vip changes") {
				members = some("vip")
				w.write(r, "vip.csv", "user_id,x\n"+strings.Join(append(slices.Clone(members), ""), ",\n"))
			}
			if rapid.Bool().Draw(r, "beta changes") {
				user, is := rapid.SampledFrom(users).Draw(r, "user"), rapid.Bool().Draw(r, "beta")
				line := out
				if is {
					line = in
				}
				beta[user] = is
				w.writeEvents(r, fmt.Sprintf("%d.json", day+1), line(user, "beta", day+1))
			}
			for _, name := range []string{"one.csv", "two.csv"} {
				if _, there := lists[name]; there && rapid.Bool().Draw(r, "the list stays") {
					continue
				}
				delete(lists, name)
				_ = os.Remove(filepath.Join(w.dir, name))
				if rapid.IntRange(0, 3).Draw(r, "list is missing") > 0 {
					lists[name] = append(some(name), "y") // a list without anybody is held
					w.write(r, name, "user_id,x\n"+strings.Join(lists[name], ",\n")+",\n")
				}
			}
			listed := map[string]bool{}
			for _, list := range lists {
				for _, user := range list {
					listed[user], ever[user] = true, true
				}
			}
			if rapid.IntRange(0, 2).Draw(r, "broken off") == 0 {
				w.syncBreaking(t, rapid.IntRange(0, 12).Draw(r, "operation"), rapid.Bool().Draw(r, "after"))
			}
			report := w.sync(r, inputs.Request{})
			if held := len(lists) < 2; held != (report.Outcome == runs.Held) {
				r.Fatalf("with %d lists: %s\n%s", len(lists), report.Outcome, statuses(report))
			}
			has := map[string]map[string]any{}
			for c := range w.gleap.Contacts() {
				if has[c.UserID] = c.Attributes; !ever[c.UserID] {
					r.Fatalf("%s is in Gleap, and was on no list", c.UserID)
				}
			}
			left := 0
			for _, user := range users {
				is := map[string]bool{"vip": slices.Contains(members, user), "beta": beta[user]}
				switch got, created := has[user]; {
				case created:
					for key, want := range is {
						if value, told := got[key]; told && value != want || !told && want {
							r.Fatalf("%s: %s is %v, want %v", user, key, value, want)
						}
					}
				case is["vip"] || is["beta"]:
					if left++; listed[user] {
						r.Fatalf("%s is on a list, and not in Gleap\n%s", user, statuses(report))
					}
				}
			}
			if report.Contacts.Unknown > left+1 { // z is on none
				r.Fatalf("%d contacts were left out, not %d", report.Contacts.Unknown, left+1)
			}
			calls := w.gleap.Counts().Identify
			again := w.sync(r, inputs.Request{})
			if w.gleap.Counts().Identify != calls {
				r.Fatal("a run without changes sends")
			}
			if len(lists) == 2 && strings.Contains(strings.ReplaceAll(statuses(again), "csv applied", ""), "applied") {
				r.Fatalf("a run without changes reads: %s", statuses(again))
			}
		}
	})
}

// TestKnownOrder: an id that a list has several times, or several lists, is one; the order does
// not matter for the version, and the lists need little memory.
func TestKnownOrder(t *testing.T) {
	w := newWorld(t, audience("vip.csv", "vip"))
	w.options.Memory = 1
	var ids []string
	for i := range 3000 {
		ids = append(ids, fmt.Sprintf("u%d", i))
	}
	text := func(ids []string) string { return "user_id,x\n" + strings.Join(ids, ",\n") + ",\n" }
	w.write(t, "vip.csv", text(ids))
	w.write(t, "one.csv", text(ids[:1000]))
	w.write(t, "two.csv", text(ids[500:2000]))
	w.withLists("one.csv", "two.csv")
	if r := w.sync(t, inputs.Request{}); r.Contacts.Sent != 2000 || r.Contacts.Unknown != 1000 {
		t.Errorf("%+v", r.Contacts)
	}
	other := slices.Clone(ids[500:2000])
	slices.Reverse(other)
	w.write(t, "two.csv", text(other))
	if r := w.sync(t, inputs.Request{}); !strings.Contains(statuses(r), "vip unchanged") {
		t.Errorf("the same ids in another order: %s", statuses(r))
	}
	w.write(t, "two.csv", text(ids[500:2001]))
	if r := w.sync(t, inputs.Request{}); r.Contacts.Sent != 1 || r.Contacts.Backfill != 1 {
		t.Errorf("with one more: %+v", r.Contacts)
	}
	contacts := w.contacts()
	if len(contacts) != 2001 || !maps.Equal(map[string]string{"u2000": contacts["u2000"]}, map[string]string{"u2000": `{"vip":true}`}) {
		t.Errorf("%d contacts, %s", len(contacts), contacts["u2000"])
	}
}
