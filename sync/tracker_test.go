package sync

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gleapsync/gleap"
	"gleapsync/internal/events"
	"gleapsync/internal/inputs"
	"gleapsync/internal/runs"
)

// TestEventsLeftOver: when all calls of a first sync or a resync are over and only events
// are left, the sync is complete as far as contacts go, and who enters from then on is told.
func TestEventsLeftOver(t *testing.T) {
	for _, full := range []bool{false, true} {
		w := newEventsWorld(t, audience("vip.csv", "vip"))
		w.options.Events.Batch, w.options.Concurrency = 1, 1 // events after all calls
		w.write(t, "vip.csv", list("u1"))
		if full {
			w.sync(t, inputs.Request{})
		}
		w.options.Tracks = []events.Export{trackExport(w)}
		text := ""
		for i := range 10 {
			text += call("z", "x", fmt.Sprint("m", i), "")
		}
		w.writeCalls(t, "1", text)
		ctx, cancel := context.WithCancelCause(t.Context())
		n := 0
		w.server.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/admin/track" {
				if n++; n == 5 {
					cancel(ErrInterrupted)
				}
			}
			w.gleap.ServeHTTP(rw, r)
		})
		report, err := w.runner(t).Sync(ctx, inputs.Request{Full: full})
		if err != ErrInterrupted || report.Contacts.Sent != 1 || report.Events.Remaining != 5 {
			t.Fatalf("%v, %+v, %+v", err, report.Contacts, report.Events)
		}
		w.write(t, "vip.csv", list("u1", "u2"))
		report = w.sync(t, inputs.Request{})
		if report.Mode != runs.Incremental || report.Outcome != runs.Complete || report.Events.Sent != 6 || len(w.gleap.Events()) != 11 {
			t.Errorf("%s, %s, %+v, %d events", report.Mode, report.Outcome, report.Events, len(w.gleap.Events()))
		}
	}
}

// TestNewsBesideAHeldExport: that another export is held, and contact fields wait for it,
// does not keep an audience from being told of.
func TestNewsBesideAHeldExport(t *testing.T) {
	w := newEventsWorld(t, audience("a.csv", "a"), audience("b.csv", "b")) // b never comes
	w.options.Fields = []inputs.Field{{Field: gleap.Name, Columns: []string{"first"}}}
	for day := range 3 {
		text := "user_id,first\n"
		for i := range day + 1 {
			text += fmt.Sprintf("u%d,Ada\n", i)
		}
		w.write(t, "a.csv", text)
		if report := w.sync(t, inputs.Request{}); report.Outcome != runs.Held || report.Events.Sent != min(day, 1) {
			t.Errorf("day %d: %s, %+v", day, report.Outcome, report.Events)
		}
	}
}

// TestTrackFilesOutOfSight: files that cannot be seen in one run are not read again in the
// next, even if nothing remembers their messages; nor are those of a source that is written
// as an absolute path.
func TestTrackFilesOutOfSight(t *testing.T) {
	w := newEventsWorld(t)
	w.options.Tracks = []events.Export{trackExport(w)}
	w.options.Tracks[0].Source = "calls/*/*"
	w.options.Events.Remember = 0
	for _, folder := range []string{"a", "b"} {
		if err := os.MkdirAll(filepath.Join(w.dir, "calls", folder), 0o700); err != nil {
			t.Fatal(err)
		}
		w.writeCalls(t, folder+"/1", strings.Replace(call("u1", "x", "m", ""), `,"messageId":"m"`, "", 1))
	}
	mounted, away := filepath.Join(w.dir, "calls/b"), filepath.Join(w.dir, "away")
	w.sync(t, inputs.Request{})
	if err := os.Rename(mounted, away); err != nil {
		t.Fatal(err)
	}
	w.writeCalls(t, "a/2", call("u1", "x", "m2", ""))
	w.sync(t, inputs.Request{})
	if err := os.Rename(away, mounted); err != nil {
		t.Fatal(err)
	}
	w.sync(t, inputs.Request{})
	w.options.Tracks[0].Source = filepath.Join(w.dir, "calls")
	w.sync(t, inputs.Request{})
	if n := len(w.gleap.Events()); n != 3 {
		t.Errorf("%d events", n)
	}
}
