package sync

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/guard"
	"gleapsync/internal/inputs"
	"gleapsync/internal/rounds"
	"gleapsync/internal/runs"
	"gleapsync/state"
)

// changeExport is a folder of files that grows.
func changeExport(named ...engage.Attribute) inputs.Export {
	return inputs.Export{
		Export:     engage.Export{Source: "events", Pick: engage.PickAll, Changes: true, Discover: len(named) == 0, Attributes: named, AllowEmpty: true},
		KeepAbsent: true,
	}
}

// event is an identify event of Engage; at is a second.
func event(user, class, key, id, value string, at int, message string) string {
	return fmt.Sprintf(`{"type":"identify","userId":%q,"traits":{%q:%s},"context":{"personas":{"computation_class":%q,"computation_key":%q,"computation_id":%q}},"timestamp":%q,"messageId":%q}`,
		user, key, value, class, key, id, time.Unix(1_700_000_000+int64(at), 0).UTC().Format(time.RFC3339), message) + "\n"
}

func in(user, key string, at int) string {
	return event(user, "audience", key, "aud_"+key, "true", at, fmt.Sprint(user, key, at))
}

func out(user, key string, at int) string {
	return event(user, "audience", key, "aud_"+key, "false", at, fmt.Sprint(user, key, at))
}

// writeEvents puts a file into the folder.
func (w *world) writeEvents(t fataler, name, text string) {
	if err := os.MkdirAll(filepath.Join(w.dir, "events"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.write(t, "events/"+name, text)
}

// statuses returns what a report says of its exports.
func statuses(r runs.Report) string {
	var all []string
	for _, e := range r.Exports {
		text := fmt.Sprintf("%s %s", e.Key, e.Status)
		if e.New {
			text += " new"
		}
		if e.Reason != "" {
			text += ": " + e.Reason
		}
		all = append(all, text)
	}
	return strings.Join(all, "\n")
}

// TestChangesModel cuts random events into files, with late, repeated and out-of-order
// lines, and lets runs break off at any operation. At the end Gleap has the newest value of
// each, and a message that comes again does not count.
func TestChangesModel(t *testing.T) {
	rounds.Check(t, func(r *rapid.T) {
		w := newWorld(t, changeExport())
		w.options.Memory = 1
		defer w.server.Close()
		times := rapid.Permutation(func() (all []int) {
			for i := range 40 {
				all = append(all, i)
			}
			return all
		}()).Draw(r, "times")
		type newest struct {
			at    int
			value string
		}
		model := map[[2]string]newest{}
		var lines []string
		files, synced := 0, 0
		user, key := rapid.SampledFrom([]string{"a", "b", "c", "aa"}), rapid.SampledFrom([]string{"vip", "churn", "total"})
		for day := range rapid.IntRange(1, 5).Draw(r, "days") {
			for range rapid.IntRange(1, 3).Draw(r, "files") {
				text := ""
				for range rapid.IntRange(1, 4).Draw(r, "lines") {
					if len(lines) > 0 && rapid.IntRange(0, 3).Draw(r, "repeat") == 0 {
						text += rapid.SampledFrom(lines).Draw(r, "line")
						continue
					}
					if len(times) == 0 {
						break
					}
					id, k, at := user.Draw(r, "user"), key.Draw(r, "key"), times[0]
					times = times[1:]
					class, value := "audience", rapid.SampledFrom([]string{"true", "false"}).Draw(r, "value")
					if k == "total" {
						class, value = "trait", rapid.SampledFrom([]string{`"silver"`, `"gold"`, "null"}).Draw(r, "value")
					}
					line := event(id, class, k, "id_"+k, value, at, fmt.Sprint("m", at))
					lines = append(lines, line)
					text += line
					if n, ok := model[[2]string{id, k}]; !ok || n.at < at {
						model[[2]string{id, k}] = newest{at, value}
					}
				}
				if text == "" {
					continue
				}
				files++
				w.writeEvents(r, fmt.Sprintf("%d.json", files), text)
				if rapid.Bool().Draw(r, "late") { // older than those that were read
					when := time.Date(2025, 1, 1, 0, 0, files, 0, time.UTC)
					if err := os.Chtimes(filepath.Join(w.dir, "events", fmt.Sprintf("%d.json", files)), when, when); err != nil {
						r.Fatal(err)
					}
				}
			}
			if rapid.Bool().Draw(r, "broken off") {
				synced++
				w.syncBreaking(t, rapid.IntRange(0, 12).Draw(r, "operation"), rapid.Bool().Draw(r, "after"))
			}
			if day%2 == 0 {
				if report := w.sync(r, inputs.Request{}); report.Outcome != runs.Complete {
					r.Fatalf("%s\n%s", report.Outcome, statuses(report))
				}
			}
		}
		before, _ := os.ReadFile(filepath.Join(w.dir, "state.db"))
		planned, err := w.runner(r).Plan(t.Context(), inputs.Request{})
		if after, _ := os.ReadFile(filepath.Join(w.dir, "state.db")); err != nil || !bytes.Equal(before, after) {
			r.Fatalf("a plan changes the state, or fails: %v", err)
		}
		calls := w.gleap.Counts().Identify
		report := w.sync(r, inputs.Request{})
		if files > 0 && report.Outcome != runs.Complete {
			r.Fatalf("%s\n%s", report.Outcome, statuses(report))
		}
		if got := w.gleap.Counts().Identify - calls; got != planned.Calls.Identify || report.Calls.Identify != got {
			r.Fatalf("%d calls, planned %d, reported %d", got, planned.Calls.Identify, report.Calls.Identify)
		}
		want := map[[2]string]string{}
		for k, n := range model {
			if n.value != "false" && n.value != "null" {
				want[k] = n.value
			}
		}
		got := map[[2]string]string{}
		for c := range w.gleap.Contacts() {
			for key, v := range c.Attributes {
				if text, _ := json.Marshal(v); v != false && v != nil {
					got[[2]string{c.UserID, key}] = string(text)
				}
			}
		}
		if !maps.Equal(got, want) {
			r.Fatalf("Gleap has %v\nwant %v", got, want)
		}
		calls = w.gleap.Counts().Identify
		if report := w.sync(r, inputs.Request{}); w.gleap.Counts().Identify != calls || strings.Contains(statuses(report), "applied") {
			r.Fatalf("a run without changes reads or sends: %s", statuses(report))
		}
		if _, err := state.Verify(w.runner(r).store); err != nil {
			r.Fatal(err)
		}
	})
}

// syncBreaking lets the n-th operation of a run fail.
func (w *world) syncBreaking(t *testing.T, n int, after bool) {
	w.syncWith(t, &faults{left: n, after: after}, inputs.Request{})
}

// TestChangesLedger: files are done once all of what they say is, and not before.
func TestChangesLedger(t *testing.T) {
	w := newWorld(t, changeExport())
	steps := []struct {
		name, file, text string
		want             string
		contacts         string
	}{
		{"no file", "", "", "events held: events does not exist: export it again, and the next run takes it (or look at its path in the configuration)", "map[]"},
		{"two audiences", "1", in("u1", "vip", 1) + in("u2", "churn", 2), "churn applied new\nvip applied new", `map[u1:{"vip":true} u2:{"churn":true}]`},
		{"nothing new", "", "", "churn unchanged\nvip unchanged", `map[u1:{"vip":true} u2:{"churn":true}]`},
		{"one more, one left", "2", out("u1", "vip", 5) + in("u3", "new one", 4), "churn applied\nvip applied\nnew_one applied new", `map[u1:{"vip":false} u2:{"churn":true} u3:{"new_one":true}]`},
		{"an older change comes late", "0", in("u1", "vip", 4), "churn applied\nvip applied\nnew_one applied", `map[u1:{"vip":false} u2:{"churn":true} u3:{"new_one":true}]`},
		{"a message comes again, with a later time", "3", event("u1", "audience", "vip", "aud_vip", "true", 9, "u1vip1"), "churn applied\nvip applied\nnew_one applied", `map[u1:{"vip":false} u2:{"churn":true} u3:{"new_one":true}]`},
		{"a file breaks off", "4", in("u4", "vip", 10) + "{", "churn held: events/4: the file ends inside a row: the export is not complete; export it again, and the next run takes it\nvip held: events/4: the file ends inside a row: the export is not complete; export it again, and the next run takes it\nnew_one held: events/4: the file ends inside a row: the export is not complete; export it again, and the next run takes it", `map[u1:{"vip":false} u2:{"churn":true} u3:{"new_one":true}]`},
		{"it is whole", "4", in("u4", "vip", 10), "churn applied\nvip applied\nnew_one applied", `map[u1:{"vip":false} u2:{"churn":true} u3:{"new_one":true} u4:{"vip":true}]`},
		{"deleted and created again", "5", event("u5", "audience", "vip", "aud_other", "true", 11, "m") + in("u5", "churn", 11), "churn applied\nvip held: vip has another id in Engage than before (aud_other, not aud_vip): it was deleted and created again. To go on with the new one name it in exclude, run gleapsync retire vip, and take it out of exclude\nnew_one applied", `map[u1:{"vip":false} u2:{"churn":true} u3:{"new_one":true} u4:{"vip":true} u5:{"churn":true}]`},
		{"a trait under the same key", "6", event("u1", "trait", "churn", "aud_churn", "true", 12, "m"), "churn held: the changes say that churn is of the kind trait, not audience\nvip held: vip has another id in Engage than before (aud_other, not aud_vip): it was deleted and created again. To go on with the new one name it in exclude, run gleapsync retire vip, and take it out of exclude\nnew_one applied", `map[u1:{"vip":false} u2:{"churn":true} u3:{"new_one":true} u4:{"vip":true} u5:{"churn":true}]`},
	}
	for _, step := range steps {
		if step.file != "" {
			w.writeEvents(t, step.file, step.text)
		}
		report := w.sync(t, inputs.Request{})
		if got := statuses(report); got != step.want {
			t.Errorf("%s: got\n%s\nwant\n%s", step.name, got, step.want)
		}
		if got := fmt.Sprint(w.contacts()); got != step.contacts {
			t.Errorf("%s: Gleap has %s\nwant %s", step.name, got, step.contacts)
		}
	}
	// The way out that the reason names.
	if err := os.Remove(filepath.Join(w.dir, "events/6")); err != nil {
		t.Fatal(err)
	}
	w.options.Exports[0].Exclude = []string{"vip"}
	if _, err := w.runner(t).Retire(t.Context(), "churn"); err == nil || !strings.Contains(err.Error(), "exclude") {
		t.Errorf("retire of a key that comes back: %v", err)
	}
	if got := statuses(w.sync(t, inputs.Request{})); got != "churn applied\nnew_one applied" {
		t.Error(got)
	}
	if _, err := w.runner(t).Retire(t.Context(), "vip"); err != nil {
		t.Error(err)
	}
	w.options.Exports[0].Exclude = nil
	if got := statuses(w.sync(t, inputs.Request{})); got != "churn applied\nnew_one applied\nvip applied new" {
		t.Error(got)
	}
	if got, want := fmt.Sprint(w.contacts()), `map[u1:{"vip":false} u2:{"churn":true} u3:{"new_one":true} u4:{"vip":false} u5:{"churn":true,"vip":true}]`; got != want {
		t.Errorf("Gleap has %s\nwant %s", got, want)
	}
	w.writeEvents(t, "5", in("u6", "churn", 20))
	if got := statuses(w.sync(t, inputs.Request{})); strings.Count(got, "held: events/5 was read before and has changed since") != 3 {
		t.Error(got)
	}
}

// TestChangesParked: what Gleap refused stays wanted when its file is done.
func TestChangesParked(t *testing.T) {
	w := newWorld(t, changeExport())
	w.writeEvents(t, "1", in("u1", "vip", 1)+in("u2", "vip", 1))
	refuse := &fakeGleap{after: func(n int) error {
		if n == 1 {
			return &gleap.RefusedError{Status: 422}
		}
		return nil
	}}
	if report, err := w.with(t, refuse).Sync(t.Context(), inputs.Request{}); err != nil || report.Contacts.Parked != 1 {
		t.Fatalf("%+v, %v", report.Contacts, err)
	}
	if report := w.sync(t, inputs.Request{}); report.Contacts.Planned != 0 || report.Contacts.Parked != 1 {
		t.Errorf("%+v", report.Contacts)
	}
	if _, _, err := state.Unpark(w.runner(t).store); err != nil {
		t.Fatal(err)
	}
	if report := w.sync(t, inputs.Request{}); report.Contacts.Sent != 1 || report.Contacts.Parked != 0 {
		t.Errorf("%+v", report.Contacts)
	}
}

// TestChangesFields: contact fields come with changes, the newest counts, and none is
// stored as text.
func TestChangesFields(t *testing.T) {
	w := newWorld(t, changeExport())
	w.options.Fields = []inputs.Field{{Field: gleap.Name, Columns: []string{"first_name", "last_name"}}, {Field: gleap.Email, Columns: []string{"email"}}}
	with := func(user, traits string, at int) string {
		line := in(user, "vip", at)
		return strings.Replace(line, `"traits":{`, `"traits":{`+traits+`,`, 1)
	}
	w.writeEvents(t, "1", with("u1", `"email":"old@x.io","first_name":"Ada"`, 1)+with("u1", `"email":"new@x.io","first_name":"Ada","last_name":"Lovelace"`, 3)+with("u1", `"email":"late@x.io"`, 2))
	w.sync(t, inputs.Request{})
	want := `map[u1:{"email":"new@x.io","name":"Ada Lovelace","vip":true}]`
	if got := fmt.Sprint(w.contacts()); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	w.writeEvents(t, "2", with("u1", `"email":"older@x.io"`, 2)+`{"type":"identify","userId":"u2","traits":{"email":"b@x.io"},"timestamp":"2023-11-14T22:13:20Z"}`+"\n")
	if report := w.sync(t, inputs.Request{}); report.Calls.Identify != 0 {
		t.Errorf("%+v, %v", report.Calls, w.contacts())
	}
	w.writeEvents(t, "3", with("u1", `"email":"newest@x.io"`, 9))
	w.sync(t, inputs.Request{})
	if got := fmt.Sprint(w.contacts()); got != strings.Replace(want, "new@", "newest@", 1) {
		t.Errorf("got %s", got)
	}
	if state, _ := os.ReadFile(filepath.Join(w.dir, "state.db")); bytes.Contains(state, []byte("@x.io")) || bytes.Contains(state, []byte("Lovelace")) {
		t.Error("contact fields are in the state")
	}
}

// TestChangesGuard: an exodus is held, stays wanted, and goes when it is allowed.
func TestChangesGuard(t *testing.T) {
	w := newWorld(t, changeExport(engage.Attribute{Kind: engage.Audience, Key: "vip", Name: "vip"}))
	half, _ := guard.ParseLimit("50%")
	w.options.Guard.MaxExits = half
	entered, left := "", ""
	for i := range 10 {
		entered += in(fmt.Sprint("u", i), "vip", 1)
		if i < 6 {
			left += out(fmt.Sprint("u", i), "vip", 2)
		}
	}
	w.writeEvents(t, "1", entered)
	w.sync(t, inputs.Request{})
	w.writeEvents(t, "2", left)
	for range 2 {
		if report := w.sync(t, inputs.Request{}); report.Outcome != runs.Held || report.Calls.Identify != 0 {
			t.Errorf("%s, %+v", statuses(report), report.Calls)
		}
	}
	if report := w.sync(t, inputs.Request{MaxExits: map[string]guard.Limit{"vip": limit("6")}}); report.Outcome != runs.Complete || report.Exports[0].Exited != 6 {
		t.Errorf("%s, %+v", statuses(report), report.Exports[0])
	}
}

// TestChangesUnreadable: as long as nobody knows what a change export has, a contact that is
// parked for something of it stays parked.
func TestChangesUnreadable(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"), changeExport())
	w.write(t, "a.csv", list("u1"))
	refuse := &fakeGleap{after: func(int) error { return &gleap.RefusedError{Status: 422} }}
	if report, err := w.with(t, refuse).Sync(t.Context(), inputs.Request{}); err != nil || report.Contacts.Parked != 1 || report.Outcome != runs.Held {
		t.Fatalf("%+v, %v\n%s", report.Contacts, err, statuses(report))
	}
	w.options.Exports[0].AllowEmpty = true
	w.write(t, "a.csv", list())
	if report := w.sync(t, inputs.Request{}); report.Contacts.Parked != 1 {
		t.Errorf("unparked: %+v", report.Contacts)
	}
}
