package sync

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gleapsync/engage"
	"gleapsync/internal/events"
	"gleapsync/internal/inputs"
	"gleapsync/internal/rounds"
	"gleapsync/internal/runs"
	"gleapsync/internal/values"
	"gleapsync/state"
)

// newEventsWorld is a world in which all changes are told as events.
func newEventsWorld(t testing.TB, exports ...inputs.Export) *world {
	for i := range exports {
		exports[i].Membership = true
	}
	w := newWorld(t, exports...)
	w.options.Events = Events{
		Entered: "Audience Entered", Exited: "Audience Exited", Computed: "Trait Computed", Traits: []string{"*"},
		Batch: 100, Remember: time.Hour,
	}
	return w
}

// told returns the events that Gleap got since the last time, sorted, as "user name data",
// and with the date if there is one to compare with.
func (w *world) told(before *int) string {
	var all []string
	events := w.gleap.Events()
	for _, e := range events[*before:] {
		data, _ := json.Marshal(e.Data)
		all = append(all, fmt.Sprintf("%s %s %s %s", e.UserID, e.Name, data, e.Date.Format(time.RFC3339Nano)))
	}
	*before = len(events)
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// TestNews: every change of a membership or a trait is told once, with the time of the
// data; what was there at the start, in a first sync, a resync or a baseline, is not.
func TestNews(t *testing.T) {
	w := newEventsWorld(t, audience("vip.csv", "vip"), trait("total.csv", "total"), changeExport())
	w.options.Exports[1].ClearMissing = true
	w.options.Exports[1].Attributes[0].Type = values.Text
	sent := 0
	day := func(vip []string, totals, changes string) string {
		t.Helper()
		w.write(t, "vip.csv", list(vip...))
		w.write(t, "total.csv", "user_id,value\n"+totals)
		if changes != "" {
			w.writeEvents(t, fmt.Sprintf("%d.json", w.day), changes)
		}
		report := w.sync(t, inputs.Request{})
		if report.Outcome != runs.Complete || report.Events.Remaining != 0 || report.Events.Sent != report.Events.Planned {
			t.Errorf("%s, %+v", report.Outcome, report.Events)
		}
		if len(w.gleap.Events())-sent != report.Events.Sent || (report.Calls.Track > 0) != (report.Events.Sent > 0) {
			t.Errorf("%+v, %+v", report.Events, report.Calls)
		}
		return w.told(&sent)
	}
	if got := day([]string{"u1", "u2"}, "u1,7\nu2,1\n", in("u1", "beta", 1)); got != "" {
		t.Errorf("the first sync tells %s", got)
	}
	for _, test := range []struct {
		vip             []string
		totals, changes string
		want            string
	}{
		{[]string{"u2", "u3"}, "u1,7\nu3,gold\n", in("u2", "beta", 50) + out("u1", "beta", 60), `u1 Audience Exited {"audience_key":"beta","beta":false} 2023-11-14T22:14:20Z
u1 Audience Exited {"audience_key":"vip","vip":false} 2026-01-01T00:00:04Z
u2 Audience Entered {"audience_key":"beta","beta":true} 2023-11-14T22:14:10Z
u2 Trait Computed {"total":null,"trait_key":"total"} 2026-01-01T00:00:05Z
u3 Audience Entered {"audience_key":"vip","vip":true} 2026-01-01T00:00:04Z
u3 Trait Computed {"total":"gold","trait_key":"total"} 2026-01-01T00:00:05Z`},
		{[]string{"u2", "u3"}, "u1,7\nu3,gold\n", "", ""},
		{[]string{"u2", "u3", "u1"}, "u1,8\nu3,gold\n", "", `u1 Audience Entered {"audience_key":"vip","vip":true} 2026-01-01T00:00:09Z
u1 Trait Computed {"total":"8","trait_key":"total"} 2026-01-01T00:00:10Z`},
		// A discovered audience that is new has its first members.
		{[]string{"u2", "u3", "u1"}, "u1,8\nu3,gold\n", in("u1", "churn", 70), ""},
		{[]string{"u2", "u3", "u1"}, "u1,8\nu3,gold\n", out("u1", "churn", 80), `u1 Audience Exited {"audience_key":"churn","churn":false} 2023-11-14T22:14:40Z`},
	} {
		if got := day(test.vip, test.totals, test.changes); got != test.want {
			t.Errorf("got\n%s\nwant\n%s", got, test.want)
		}
	}
	w.write(t, "vip.csv", list("u2", "u3", "u4"))
	w.sync(t, inputs.Request{Full: true})
	if got := w.told(&sent); got != "" {
		t.Errorf("a resync tells %s", got)
	}
	w.write(t, "vip.csv", list("u2", "u3", "u5"))
	if _, err := w.runner(t).Baseline(t.Context(), inputs.Request{}); err != nil {
		t.Fatal(err)
	}
	w.sync(t, inputs.Request{})
	if got := w.told(&sent); got != "" {
		t.Errorf("a baseline tells %s", got)
	}
	w.options.Events.Backfill = true
	w.write(t, "vip.csv", list("u2"))
	w.write(t, "total.csv", "user_id,value\nu9,1\n")
	w.sync(t, inputs.Request{Full: true})
	want := `u2 Audience Entered {"audience_key":"vip","vip":true} 2026-01-01T00:00:19Z
u3 Audience Exited {"audience_key":"vip","vip":false} 2026-01-01T00:00:19Z`
	if got := w.told(&sent); !strings.Contains(got, want) || !strings.Contains(got, "u9 Trait Computed") {
		t.Errorf("a resync with backfill tells\n%s\nwant\n%s", got, want)
	}
	w.options.Exports = w.options.Exports[1:2]
	if _, err := w.runner(t).Retire(t.Context(), "vip"); err != nil {
		t.Fatal(err)
	}
	if got := w.told(&sent); got != "" {
		t.Errorf("retire tells %s", got)
	}
}

// TestNewsOnDemand: only what is asked for is told.
func TestNewsOnDemand(t *testing.T) {
	w := newEventsWorld(t, audience("vip.csv", "vip"), audience("beta.csv", "beta"), trait("total.csv", "total_orders"), trait("plan.csv", "level"))
	w.options.Exports[1].Membership = false
	w.options.Events.Traits = []string{"TOTAL_*"}
	w.options.Events.Entered = "in$the.club"
	for _, id := range []string{"u1", "u2"} {
		w.write(t, "vip.csv", list(id))
		w.write(t, "beta.csv", list(id))
		w.write(t, "total.csv", "user_id,value\n"+id+",1\n")
		w.write(t, "plan.csv", "user_id,value\n"+id+",1\n")
		w.sync(t, inputs.Request{})
	}
	sent := 0
	const want = `u1 Audience Exited {"audience_key":"vip","vip":false} 2026-01-01T00:00:05Z
u2 Trait Computed {"total_orders":1,"trait_key":"total_orders"} 2026-01-01T00:00:07Z
u2 in-the-club {"audience_key":"vip","vip":true} 2026-01-01T00:00:05Z`
	if got := w.told(&sent); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestNewsComeAfterTheCall: an event of a contact is sent after its call, also if the call
// is one of several, and not if Gleap refuses it.
func TestNewsComeAfterTheCall(t *testing.T) {
	t.Parallel() // it waits for the disk
	var exports []inputs.Export
	for i := range 80 {
		exports = append(exports, audience(fmt.Sprintf("a%d.csv", i), fmt.Sprintf("a%d", i)))
	}
	w := newEventsWorld(t, exports...)
	write := func(ids ...string) {
		for i := range exports {
			w.write(t, fmt.Sprintf("a%d.csv", i), list(ids...))
		}
	}
	write("u0")
	w.sync(t, inputs.Request{})
	refuse := true
	gleapHandler := w.server.Config.Handler
	w.server.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if refuse && bytes.Contains(body, []byte(`"userId":"u1","a70"`)) { // the third call
			rw.WriteHeader(422)
			return
		}
		if r.URL.Path == "/admin/track" {
			for id := range strings.SplitSeq("u0 u1 u2", " ") {
				if c, _ := w.gleap.Contact(id); bytes.Contains(body, []byte(`"`+id+`"`)) && len(c.Attributes) < 70 {
					t.Errorf("events of %s before its calls", id)
				}
			}
		}
		gleapHandler.ServeHTTP(rw, r)
	})
	write("u0", "u1", "u2")
	w.options.Tracks = []events.Export{trackExport(w)}
	w.writeCalls(t, "1", call("u2", "x", "m1", "")+call("u9", "x", "m2", ""))
	report := w.sync(t, inputs.Request{})
	if len(w.gleap.Events()) != 152 || report.Contacts.Parked != 1 || report.Events != (runs.EventCounts{Planned: 162, Sent: 152}) {
		t.Errorf("%d events, %+v, %+v", len(w.gleap.Events()), report.Contacts, report.Events)
	}
	refuse = false
	if _, _, err := state.Unpark(w.runner(t).store); err != nil {
		t.Fatal(err)
	}
	if report := w.sync(t, inputs.Request{}); len(w.gleap.Events()) != 162 || report.Events.Sent != 10 {
		t.Errorf("%d events, %+v", len(w.gleap.Events()), report.Events)
	}
}

// track is an event export in the folder calls.
func trackExport(w *world) events.Export {
	return events.Export{Export: engage.Export{Source: "calls", Dir: w.dir, Pick: engage.PickAll}}
}

func call(user, name, message string, properties string) string {
	return fmt.Sprintf(`{"type":"track","userId":%q,"event":%q,"properties":{%s},"timestamp":"2026-03-01T12:00:00Z","messageId":%q}`, user, name, properties, message) + "\n"
}

func (w *world) writeCalls(t fataler, name, text string) {
	if err := os.MkdirAll(filepath.Join(w.dir, "calls"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.write(t, "calls/"+name, text)
}

// TestTrack: each file's events are sent once, however often it is found, and a message
// that comes again is none.
func TestTrack(t *testing.T) {
	w := newEventsWorld(t, audience("vip.csv", "vip"))
	w.options.Tracks = []events.Export{trackExport(w)}
	w.options.Tracks[0].Names = []string{"order COMPLETED", "shop.cart$", "pageview"}
	w.write(t, "vip.csv", list("u1"))
	sent := 0
	run := func(want string, counts runs.TrackCounts) {
		t.Helper()
		planned, err := w.runner(t).Plan(t.Context(), inputs.Request{})
		if err != nil {
			t.Fatal(err)
		}
		report := w.sync(t, inputs.Request{})
		e := report.Exports[len(report.Exports)-1]
		if report.Outcome != runs.Complete || e.Kind != runs.KindTrack || e.TrackCounts != counts || planned.Events.Planned != report.Events.Sent || planned.Calls.Track != report.Calls.Track {
			t.Errorf("%s, %+v, %+v, %+v", report.Outcome, e, planned.Events, report.Events)
		}
		if got := w.told(&sent); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
	w.writeCalls(t, "1", call("u1", "Order Completed", "m1", `"total":5`)+call("u2", "Unwanted", "m2", "")+call("u2", "Shop-Cart.", "m3", "")+call("u1", "Order Completed", "m1", ""))
	run(`u1 Order Completed {"total":5} 2026-03-01T12:00:00Z
u2 Shop-Cart- {} 2026-03-01T12:00:00Z`, runs.TrackCounts{Events: 2, Repeated: 1, Unnamed: 1})
	run("", runs.TrackCounts{})
	eleven := strings.TrimSuffix(strings.Repeat(`"k%d":1,`, 11), ",")
	eleven = fmt.Sprintf(eleven, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
	w.writeCalls(t, "2", call("u1", "order completed", "m4", eleven)+call("u1", "Order Completed", "m1", "")+
		`{"type":"page","userId":"u1","name":"Home","properties":{"url":"https://x.io","title":"t"},"timestamp":"2026-03-01T12:00:00Z"}
{"type":"page","userId":"u1","name":"Home","timestamp":"2026-03-01T12:00:00Z","messageId":"m5"}
{"type":"screen","userId":"u1","name":"Main","properties":{"url":"https://x.io"},"timestamp":"2026-03-01T12:00:00Z","messageId":"m6"}
`)
	run(`u1 order completed {"k0":1,"k1":1,"k2":1,"k3":1,"k4":1,"k5":1,"k6":1,"k7":1,"k8":1,"k9":1} 2026-03-01T12:00:00Z
u1 pageView {"page":"Home"} 2026-03-01T12:00:00Z
u1 pageView {"page":"Main"} 2026-03-01T12:00:00Z
u1 pageView {"page":"https://x.io"} 2026-03-01T12:00:00Z`, runs.TrackCounts{Events: 4, Repeated: 1, LeftOut: 1})

	// What is chosen later is for new files.
	w.options.Tracks[0].Names, w.options.Tracks[0].Keys = nil, []string{"b", "a"}
	w.options.Tracks[0].Since = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	run("", runs.TrackCounts{})
	w.writeCalls(t, "3", call("u1", "x", "m7", `"a":1,"b":"2","c":3`)+strings.Replace(call("u1", "x", "m8", ""), "T12", "T11", 1))
	run(`u1 x {"a":1,"b":2} 2026-03-01T12:00:00Z`, runs.TrackCounts{Events: 1, Early: 1, LeftOut: 1})

	// However the configuration says where they are, and even when their messages are not
	// remembered any more, files are read once. Once they are gone there is nothing to read.
	w.options.Events.Remember = 0
	w.writeCalls(t, "3b", call("u1", "y", "m7b", ""))
	run(`u1 y {} 2026-03-01T12:00:00Z`, runs.TrackCounts{Events: 1})
	w.options.Tracks[0].Source = "./calls/*"
	run("", runs.TrackCounts{})
	kept := filepath.Join(w.dir, "kept")
	if err := errors.Join(os.Rename(filepath.Join(w.dir, "calls"), kept), os.Mkdir(filepath.Join(w.dir, "calls"), 0o700)); err != nil {
		t.Fatal(err)
	}
	w.options.Tracks[0].Source = "./calls/[0-9]*"
	report := w.sync(t, inputs.Request{})
	if e := report.Exports[1]; e.Status != runs.StatusHeld { // of this source nothing was read
		t.Errorf("%+v", e)
	}
	w.options.Tracks[0].Source = "./calls/*"
	if e := w.sync(t, inputs.Request{}).Exports[1]; e.Status != runs.StatusUnchanged {
		t.Errorf("%+v", e)
	}
	if err := errors.Join(os.Remove(filepath.Join(w.dir, "calls")), os.Rename(kept, filepath.Join(w.dir, "calls"))); err != nil {
		t.Fatal(err)
	}
	w.options.Tracks[0].Source = "calls"
	run("", runs.TrackCounts{})
	w.options.Events.Remember = time.Hour

	// Out of the configuration and back again nothing is sent twice.
	tracks := w.options.Tracks
	w.options.Tracks = nil
	w.write(t, "vip.csv", list("u1"))
	w.sync(t, inputs.Request{})
	w.options.Tracks = tracks
	run("", runs.TrackCounts{})

	// A baseline takes what is there as told.
	w.writeCalls(t, "4", call("u1", "x", "m9", ""))
	if report, err := w.runner(t).Baseline(t.Context(), inputs.Request{}); err != nil || report.Events.Planned != 0 {
		t.Fatalf("%+v, %v", report.Events, err)
	}
	run("", runs.TrackCounts{})
	w.writeCalls(t, "5", call("u1", "x", "m9", ""))
	run("", runs.TrackCounts{Repeated: 1})

	if err := w.runner(t).store.Forget([]string{"u2"}); err != nil {
		t.Fatal(err)
	}
	w.writeCalls(t, "6", call("u2", "x", "m10", "")+call("u1", "x", "m11", ""))
	run(`u1 x {} 2026-03-01T12:00:00Z`, runs.TrackCounts{Events: 1, Forgotten: 1})
}

// TestTrackHeld: a file that cannot be trusted holds the events back, and nothing else.
func TestTrackHeld(t *testing.T) {
	w := newEventsWorld(t, audience("vip.csv", "vip"))
	w.options.Tracks = []events.Export{trackExport(w)}
	w.write(t, "vip.csv", list("u1"))
	held := func(want string) {
		t.Helper()
		report := w.sync(t, inputs.Request{})
		e := report.Exports[len(report.Exports)-1]
		if report.Outcome != runs.Held || e.Status != runs.StatusHeld || e.Reason != want {
			t.Errorf("%s, %+v", report.Outcome, e)
		}
	}
	held("calls does not exist: export it again, and the next run takes it (or look at its path in the configuration)")
	w.writeCalls(t, "1", call("u1", "x", "m1", ""))
	if report := w.sync(t, inputs.Request{}); report.Outcome != runs.Complete || report.Events.Sent != 1 {
		t.Errorf("%s, %+v", report.Outcome, report.Events)
	}
	w.writeCalls(t, "1", call("u1", "x", "m1", "")+call("u1", "x", "m2", ""))
	held("calls/1 was read before and has changed since: give what is new a name of its own")
	if err := os.Remove(filepath.Join(w.dir, "calls/1")); err != nil {
		t.Fatal(err)
	}
	w.writeCalls(t, "2", call("u1", "x", "m3", "")+"{")
	held("calls/2: the file ends inside a row: the export is not complete; export it again, and the next run takes it")
	w.writeCalls(t, "2", call("u1", "x", "m3", "")+"{}\n[]\n")
	held("1 of 2 rows are invalid, more than max_invalid = 1% allows")
	// Calls that nobody wants do not make up for broken ones.
	w.writeCalls(t, "2", strings.Repeat(`{"type":"identify","userId":"u"}`+"\n", 500)+strings.Repeat(call("u1", "x", "m3", ""), 9)+strings.Replace(call("u1", "x", "m4", ""), "2026", "in ", 1))
	held("1 of 10 rows are invalid, more than max_invalid = 1% allows")
	w.writeCalls(t, "2", call("u1", "x", "m3", ""))
	w.options.Tracks[0].MaxAge = time.Second
	report := w.sync(t, inputs.Request{})
	if e := report.Exports[1]; !strings.Contains(e.Reason, "max_age") {
		t.Errorf("%+v", e)
	}
	w.options.Tracks[0].MaxAge = 0
	if report := w.sync(t, inputs.Request{}); report.Outcome != runs.Complete || report.Events.Sent != 1 || len(w.gleap.Events()) != 2 {
		t.Errorf("%s, %+v", report.Outcome, report.Events)
	}
}

// poison makes the sandbox refuse each request that holds a text, and counts requests with
// events.
func (w *world) poison(texts ...string) (requests *int) {
	requests = new(int)
	inner := w.server.Config.Handler
	w.server.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if r.URL.Path == "/admin/track" {
			*requests++
			for _, text := range texts {
				if bytes.Contains(body, []byte(text)) {
					rw.WriteHeader(422)
					return
				}
			}
		}
		inner.ServeHTTP(rw, r)
	})
	return requests
}

// TestPoisonedEvent: one event in a batch of 100 that Gleap refuses is found and parked,
// and the others go.
func TestPoisonedEvent(t *testing.T) {
	w := newEventsWorld(t)
	w.options.Tracks = []events.Export{trackExport(w)}
	requests := w.poison("Poison")
	text := ""
	for i := range 100 {
		name := "Fine"
		if i == 37 {
			name = "Poison"
		}
		text += call(fmt.Sprintf("u%02d", i), name, fmt.Sprint(i), "")
	}
	w.writeCalls(t, "1", text)
	report := w.sync(t, inputs.Request{})
	if report.Outcome != runs.Complete || report.Events != (runs.EventCounts{Planned: 100, Sent: 99, Refused: 1, Parked: 1}) {
		t.Errorf("%s, %+v", report.Outcome, report.Events)
	}
	if *requests > 1+2*7 || report.Calls.Track > 7 || report.Calls.Track+report.Calls.Refused != *requests || len(w.gleap.Events()) != 99 {
		t.Errorf("%d requests, %+v", *requests, report.Calls)
	}
	parked, err := w.runner(t).store.ParkedEvents()
	if err != nil || len(parked) != 1 || string(parked[0].UserID) != "u37" || parked[0].Reason != "Gleap refused the event: 422 Unprocessable Entity" {
		t.Errorf("%+v, %v", parked, err)
	}
	if report := w.sync(t, inputs.Request{}); report.Events != (runs.EventCounts{Parked: 1}) {
		t.Errorf("%+v", report.Events)
	}
	w.server.Config.Handler = w.gleap
	if _, events, err := state.Unpark(w.runner(t).store); events != 1 || err != nil {
		t.Fatal(events, err)
	}
	if report := w.sync(t, inputs.Request{}); report.Events.Sent != 1 || len(w.gleap.Events()) != 100 {
		t.Errorf("%+v", report.Events)
	}
}

// TestEventsRefusedOneAndAll: when Gleap refuses whatever comes first, it is not asked
// about all; the calls of contacts go on, and so do other events in the next run.
func TestEventsRefusedOneAndAll(t *testing.T) {
	w := newEventsWorld(t, audience("vip.csv", "vip"))
	w.options.Tracks = []events.Export{trackExport(w)}
	w.poison("Poison")
	w.write(t, "vip.csv", list("u1"))
	text := ""
	for i := range 50 {
		text += call(fmt.Sprintf("u%02d", i), "Poison", fmt.Sprint(i), "")
	}
	w.writeCalls(t, "1", text+call("z", "Fine", "z", ""))
	report, err := w.runner(t).Sync(t.Context(), inputs.Request{})
	const want = "Gleap refused the event: 422 Unprocessable Entity: so it was for each of the first 20 events"
	if err == nil || !strings.HasPrefix(err.Error(), want) || report.Outcome != runs.Failed || report.Contacts.Sent != 1 ||
		report.Events != (runs.EventCounts{Planned: 51, Refused: 20, Parked: 20, Remaining: 31}) {
		t.Fatalf("%v, %s, %+v", err, report.Outcome, report.Events)
	}
	for range 3 {
		report, err = w.runner(t).Sync(t.Context(), inputs.Request{})
	}
	if err != nil || report.Events.Parked != 50 || len(w.gleap.Events()) != 1 {
		t.Errorf("%v, %+v, %d events", err, report.Events, len(w.gleap.Events()))
	}
}

// TestEventsModel lets days of random exports and files of calls pass, with runs that break
// off at any operation. Each change that a run delivered is told once; a run that breaks off
// may repeat one batch.
func TestEventsModel(t *testing.T) {
	t.Parallel() // it waits for the disk
	rounds.Check(t, func(r *rapid.T) {
		w := newEventsWorld(t, audience("vip.csv", "vip"), trait("total.csv", "total"))
		w.options.Exports[0].AllowEmpty, w.options.Exports[1].AllowEmpty = true, true
		w.options.Tracks = []events.Export{trackExport(w)}
		w.options.Events.Batch = rapid.IntRange(1, 4).Draw(r, "batch")
		w.options.Memory = 1
		defer w.server.Close()
		user := rapid.SampledFrom([]string{"a", "b", "c", "d", "aa", "a!"})
		told := map[string]string{} // what each contact was told of each attribute
		want, bound := map[string]int{}, 0
		messages := 0
		var lines []string
		first := true
		for day := range rapid.IntRange(1, 5).Draw(r, "days") {
			members := rapid.SliceOfDistinct(user, func(s string) string { return s }).Draw(r, "members")
			w.write(r, "vip.csv", strings.ReplaceAll("user_id\n\""+strings.Join(members, "\"\n\"")+"\"\n", "\"\"\n", ""))
			totals := map[string]string{}
			text := "user_id,value\n"
			for range rapid.IntRange(0, 4).Draw(r, "totals") {
				id := user.Draw(r, "user")
				totals[id] = rapid.SampledFrom([]string{"bronze", "silver", "gold"}).Draw(r, "value")
				text += fmt.Sprintf("\"%s\",%s\n", id, totals[id])
			}
			w.write(r, "total.csv", text)
			text = ""
			for range rapid.IntRange(1, 6).Draw(r, "lines") {
				if len(lines) > 0 && rapid.IntRange(0, 3).Draw(r, "repeat") == 0 {
					text += rapid.SampledFrom(lines).Draw(r, "line")
					continue
				}
				messages++
				id, _ := json.Marshal(user.Draw(r, "user"))
				line := fmt.Sprintf(`{"type":"track","userId":%s,"event":"e%d","timestamp":"2026-03-01T12:00:00Z","messageId":"m%d"}`+"\n", id, messages, messages)
				lines = append(lines, line)
				text += line
				var name string
				_ = json.Unmarshal(id, &name)
				want[fmt.Sprintf("%s e%d", name, messages)]++
			}
			w.writeCalls(r, fmt.Sprint(day), text)
			tell := func(id, key, value string) {
				if was := told[id+" "+key]; was == value || was == "" && value == "false" {
					return
				}
				if !first {
					want[fmt.Sprintf("%s %s=%s", id, key, value)]++
				}
				told[id+" "+key] = value
			}
			for _, id := range []string{"a", "b", "c", "d", "aa", "a!"} {
				tell(id, "vip", fmt.Sprint(slices.Contains(members, id)))
				if value, ok := totals[id]; ok {
					tell(id, "total", value)
				}
			}
			if rapid.Bool().Draw(r, "broken off") {
				bound += w.options.Events.Batch
				w.syncBreaking(t, rapid.IntRange(0, 20).Draw(r, "operation"), rapid.Bool().Draw(r, "after"))
			}
			planned, err := w.runner(r).Plan(t.Context(), inputs.Request{})
			if err != nil {
				r.Fatal(err)
			}
			report := w.sync(r, inputs.Request{})
			if report.Outcome != runs.Complete || report.Events.Sent != planned.Events.Planned || report.Events.Remaining != 0 {
				r.Fatalf("%s, %+v, planned %+v\n%s", report.Outcome, report.Events, planned.Events, statuses(report))
			}
			first = false
		}
		got, repeated := map[string]int{}, 0
		for _, e := range w.gleap.Events() {
			what := e.UserID + " " + e.Name
			if key, ok := e.Data["audience_key"].(string); ok {
				what = fmt.Sprintf("%s %s=%v", e.UserID, key, e.Data[key])
				if (e.Name == "Audience Entered") != e.Data[key].(bool) {
					r.Fatalf("%+v", e)
				}
			} else if key, ok := e.Data["trait_key"].(string); ok {
				what = fmt.Sprintf("%s %s=%v", e.UserID, key, e.Data[key])
			}
			got[what]++
		}
		for what, n := range got {
			if n > want[what] {
				repeated += n - want[what]
				got[what] = want[what]
			}
		}
		maps.DeleteFunc(got, func(_ string, n int) bool { return n == 0 })
		if !maps.Equal(got, want) || repeated > bound {
			r.Fatalf("%d repeated, %d allowed, got\n%v\nwant\n%v", repeated, bound, got, want)
		}
		if _, err := state.Verify(w.runner(r).store); err != nil {
			r.Fatal(err)
		}
	})
}

// TestEventsFaults lets each operation of a run with events fail, one after the other: nothing
// is lost, and one batch at most is told twice. Not at full length it leaves out some at random.
func TestEventsFaults(t *testing.T) {
	t.Parallel() // it waits for the disk
	for _, after := range []bool{false, true} {
		for _, kind := range []string{"call", "track", "begin", "commit", "store", "finish", "create", "write", "read"} {
			failed := 0
			for n, hit := 0, kind; hit != "" && !t.Failed(); n += 1 + rand.IntN(rounds.Of(32, 1)) {
				t.Run(fmt.Sprintf("%s %d, after %t", kind, n, after), func(t *testing.T) {
					w := newEventsWorld(t, audience("vip.csv", "vip"))
					w.options.Tracks = []events.Export{trackExport(w)}
					w.options.Events.Batch = 3
					w.options.Memory = 1
					w.write(t, "vip.csv", list("u1", "u2"))
					w.writeCalls(t, "0", call("u1", "old", "m0", ""))
					w.sync(t, inputs.Request{})
					w.write(t, "vip.csv", list("u2", "u3", "u4", "u5"))
					text := ""
					for i := range 10 {
						text += call(fmt.Sprintf("u%d", i), "new", fmt.Sprintf("n%d", i), `"text":"`+strings.Repeat("x", 30_000)+`"`)
					}
					w.writeCalls(t, "1", text)
					if hit = w.syncWith(t, &faults{kind: kind, left: n, after: after}, inputs.Request{}); hit != "" {
						failed++
					}
					report := w.sync(t, inputs.Request{})
					if report.Outcome != runs.Complete || report.Events.Remaining != 0 {
						t.Fatalf("the next run: %s, %+v, want %s", report.Outcome, report.Events, runs.Complete)
					}
					got := map[string]int{}
					for _, e := range w.gleap.Events() {
						got[e.UserID+" "+e.Name]++
					}
					repeated := -len(got)
					for _, n := range got {
						repeated += n
					}
					if len(got) != 1+10+4 || repeated > w.options.Events.Batch || repeated > 0 && !(hit == "track" && after || hit == "commit") {
						t.Errorf("%d events, want %d; %d repeated: %v", len(got), 1+10+4, repeated, got)
					}
					if _, err := state.Verify(w.runner(t).store); err != nil {
						t.Error(err)
					}
				})
			}
			if failed == 0 {
				t.Errorf("no %s failed", kind)
			}
			t.Logf("%s, after %t: %d failed", kind, after, failed)
		}
	}
}

// TestEventsStop: a run that is stopped finishes the batch in flight, commits it, and
// leaves the rest for the next one.
func TestEventsStop(t *testing.T) {
	w := newEventsWorld(t)
	w.options.Tracks = []events.Export{trackExport(w)}
	w.options.Events.Batch = 2
	text := ""
	for i := range 10 {
		text += call(fmt.Sprint("u", i), "x", fmt.Sprint(i), "")
	}
	w.writeCalls(t, "1", text)
	ctx, cancel := context.WithCancelCause(t.Context())
	n := 0
	w.server.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if n++; n == 2 {
			cancel(ErrInterrupted)
		}
		w.gleap.ServeHTTP(rw, r)
	})
	report, err := w.runner(t).Sync(ctx, inputs.Request{})
	if err != ErrInterrupted || report.Outcome != runs.Interrupted || report.Events != (runs.EventCounts{Planned: 10, Sent: 4, Remaining: 6}) || report.Calls.Track != 2 {
		t.Errorf("%v, %s, %+v", err, report.Outcome, report.Events)
	}
	if report := w.sync(t, inputs.Request{}); report.Events != (runs.EventCounts{Planned: 6, Sent: 6}) || len(w.gleap.Events()) != 10 {
		t.Errorf("%+v", report.Events)
	}
}
