package metrics

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"gleapsync/internal/config"
	"gleapsync/internal/inspect"
	"gleapsync/internal/runs"
)

var ended = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

// full is a snapshot with something for each metric.
func full() Snapshot {
	return Snapshot{
		Overview: &inspect.Overview{
			Bytes: 4096, Resyncing: true, Parked: 3, DueEvents: 11, ParkedEvents: 2,
			Attributes: []inspect.Attribute{{Key: "vip", Kind: "audience", Members: 7, AsOf: ended.Add(-time.Hour)}, {Key: "new", Kind: "trait"}},
			History: runs.History{
				Runs: map[runs.Outcome]int{runs.Complete: 5, runs.Failed: 1}, Calls: runs.CallCounts{Identify: 100, Track: 20, Refused: 3, Retried: 4, RateLimited: 2},
				Events:      runs.EventTotals{Sent: 1900, Refused: 2},
				LastSuccess: &runs.Summary{Finished: ended},
			},
		},
		Replica: ended.Add(-time.Minute),
		Last: &runs.Report{
			Finished: ended.Add(time.Hour), Outcome: runs.Held, Convergence: "does not converge", PlanSeconds: 1.5, PushSeconds: 60,
			Contacts: runs.ContactCounts{Delta: 4, Backfill: 9, Sent: 12, Remaining: 1},
			Classes:  []runs.ClassReport{{Class: runs.ClassExit, Planned: 3}, {Class: runs.ClassChange, Planned: 1, Left: 1, Since: "20261120T080000.000000Z-00ff"}},
			Exports: []runs.ExportReport{
				{Key: "vip", Kind: "audience", Status: runs.StatusHeld, Entered: 1, Exited: 6},
				{Key: "new", Kind: "trait", Status: runs.StatusApplied, Changed: 8},
				{Key: "track calls/", Kind: runs.KindTrack, Status: runs.StatusApplied, TrackCounts: runs.TrackCounts{Events: 5}},
			},
		},
	}
}

func collectorOf(s Snapshot) *Collector { return NewCollector("v1.2.3", func() Snapshot { return s }) }

func TestCollector(t *testing.T) {
	const want = `
gleapsync_attribute_members{key="new",kind="trait"} 0
gleapsync_attribute_members{key="vip",kind="audience"} 7
gleapsync_build_info{version="v1.2.3"} 1
gleapsync_call_retries_total 4
gleapsync_calls_total{result="acknowledged"} 120
gleapsync_calls_total{result="refused"} 3
gleapsync_converging 0
gleapsync_due_events 11
gleapsync_events_total{result="acknowledged"} 1900
gleapsync_events_total{result="refused"} 2
gleapsync_export_data_timestamp_seconds{key="vip",kind="audience"} 1.7951652e+09
gleapsync_export_held{key="new",kind="trait"} 0
gleapsync_export_held{key="track calls/",kind="track"} 0
gleapsync_last_run_export_events{key="track calls/"} 5
gleapsync_parked_events 2
gleapsync_export_held{key="vip",kind="audience"} 1
gleapsync_export_withheld{key="new",kind="trait"} 0
gleapsync_export_withheld{key="vip",kind="audience"} 0
gleapsync_last_run_attribute_entered{key="new",kind="trait"} 8
gleapsync_last_run_attribute_entered{key="vip",kind="audience"} 1
gleapsync_last_run_attribute_exited{key="new",kind="trait"} 0
gleapsync_last_run_attribute_exited{key="vip",kind="audience"} 6
gleapsync_last_run_contacts{class="backfill"} 9
gleapsync_last_run_contacts{class="delta"} 4
gleapsync_last_run_contacts_remaining 1
gleapsync_last_run_contacts_sent 12
gleapsync_last_run_outcome{outcome="complete"} 0
gleapsync_last_run_outcome{outcome="failed"} 0
gleapsync_last_run_outcome{outcome="held"} 1
gleapsync_last_run_outcome{outcome="interrupted"} 0
gleapsync_last_run_outcome{outcome="lost"} 0
gleapsync_last_run_outcome{outcome="partial"} 0
gleapsync_last_run_plan_seconds 1.5
gleapsync_last_run_push_seconds 60
gleapsync_last_run_timestamp_seconds 1.7951724e+09
gleapsync_last_success_timestamp_seconds 1.7951688e+09
gleapsync_parked_contacts 3
gleapsync_rate_limited_total 2
gleapsync_resyncing 1
gleapsync_remaining_since_timestamp_seconds{class="change"} 1.7951616e+09
gleapsync_remaining_since_timestamp_seconds{class="exit"} 0
gleapsync_replica_timestamp_seconds 1.79516874e+09
gleapsync_runs_total{outcome="complete"} 5
gleapsync_runs_total{outcome="failed"} 1
gleapsync_runs_total{outcome="held"} 0
gleapsync_runs_total{outcome="interrupted"} 0
gleapsync_runs_total{outcome="lost"} 0
gleapsync_runs_total{outcome="partial"} 0
gleapsync_state_bytes 4096
gleapsync_state_readable 1
`
	path := filepath.Join(t.TempDir(), "gleapsync.prom")
	if err := Publish(t.Context(), config.Metrics{Textfile: path}, collectorOf(full())); err != nil {
		t.Fatal(err)
	}
	got := samplesIn(t, path)
	for line := range strings.Lines(strings.TrimSpace(want) + "\n") {
		if !strings.Contains(got, line) {
			t.Errorf("missing: %s", line)
		}
		got = strings.Replace(got, line, "", 1)
	}
	if got != "" {
		t.Errorf("too much:\n%s", got)
	}
}

// samplesIn returns a textfile without its comments.
func samplesIn(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(string(text), "")
}

var update = flag.Bool("update", false, "write testdata anew")

// TestText: all metrics are in the text that Prometheus's own parser and linter take, in a test
// of deploy.
func TestText(t *testing.T) {
	const path = "testdata/metrics.prom"
	s := full()
	s.Last.Exports = append(s.Last.Exports, s.Last.Exports[0], runs.ExportReport{Key: "a\"b\\c\nd\xff", Kind: runs.KindTrack})
	var got bytes.Buffer
	if err := Write(&got, collectorOf(s), LiveCollector(func() Live { return Live{Running: true, Done: 3, Planned: 9} })); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || got.String() != string(want) {
		t.Errorf("%v, got\n%s\nwant\n%s\n(go test -run TestText -update writes it anew)", err, got.Bytes(), want)
	}
}

// TestLittle: a state that cannot be read, and one that is empty, have metrics too.
func TestLittle(t *testing.T) {
	for _, s := range []Snapshot{{}, {Overview: &inspect.Overview{}}} {
		var got bytes.Buffer
		if err := Write(&got, collectorOf(s)); err != nil || !strings.Contains(got.String(), "\ngleapsync_state_readable ") {
			t.Errorf("%v, %s", err, got.Bytes())
		}
	}
}

// TestDocumented: the documentation has a line for each metric.
func TestDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	all, err := os.ReadFile("testdata/metrics.prom")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile(`(?m)^# TYPE (\w+)`).FindAllStringSubmatch(string(all), -1) {
		if !strings.Contains(string(page), "\n| `"+name[1]) {
			t.Errorf("docs/operating.md does not have %s", name[1])
		}
	}
}

// TestLastSuccessStays: incident 12. A run that cannot read its state leaves the time of
// the last success where it is.
func TestLastSuccessStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gleapsync.prom")
	publish := func(s Snapshot) string {
		if err := Publish(t.Context(), config.Metrics{Textfile: path}, collectorOf(s)); err != nil {
			t.Fatal(err)
		}
		return samplesIn(t, path)
	}
	publish(full())
	failed := Snapshot{Last: &runs.Report{Finished: ended.Add(2 * time.Hour), Outcome: runs.Failed}}
	for range 2 {
		got := publish(failed)
		for _, want := range []string{"gleapsync_last_success_timestamp_seconds 1.7951688e+09\n", "gleapsync_last_run_timestamp_seconds 1.795176e+09\n", "gleapsync_last_run_outcome{outcome=\"failed\"} 1\n", "gleapsync_state_readable 0\n"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s is not in\n%s", want, got)
			}
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o644 && runtime.GOOS != "windows" {
		t.Error(info.Mode(), err)
	}
	os.WriteFile(path, []byte("rubbish {"), 0o600)
	if got := publish(failed); strings.Contains(got, "last_success") {
		t.Errorf("out of rubbish: %s", got)
	}
	future := fmt.Sprintf("# TYPE gleapsync_last_success_timestamp_seconds gauge\ngleapsync_last_success_timestamp_seconds %d\n", time.Now().AddDate(1, 0, 0).Unix())
	os.WriteFile(path, []byte(future), 0o600)
	if got := publish(failed); strings.Contains(got, "last_success") {
		t.Errorf("out of the future: %s", got)
	}
}

func TestPushgateway(t *testing.T) {
	var method, path, body string
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		method, path, body = r.Method, r.URL.Path, string(text)
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		io.WriteString(w, "the answer's text")
	}))
	address := strings.Replace(server.URL, "http://", "http://me:hunter2@", 1)
	o := config.Metrics{Pushgateway: address, Project: "acme"}
	if err := Publish(t.Context(), o, collectorOf(full())); err != nil {
		t.Fatal(err)
	}
	// POST replaces only the names that are in it: a last success that is not stays.
	if method != http.MethodPost || path != "/metrics/job/gleapsync/project/acme" || !strings.Contains(body, "gleapsync_parked_contacts") {
		t.Errorf("%s %s %q", method, path, body)
	}
	status = http.StatusBadRequest
	check := func(ctx context.Context, want string) {
		t.Helper()
		err := Publish(ctx, o, collectorOf(full()))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "127.0.0.1:") && want != "refused" {
			t.Errorf("%v, want %s", err, want)
		}
	}
	check(t.Context(), "the answer has the status 400")
	status = http.StatusMovedPermanently // as from http to https: the POST would become a GET
	check(t.Context(), "the answer has the status 301")
	status = http.StatusSwitchingProtocols // then the body is the connection
	check(t.Context(), "status 101, which is no answer")
	status = http.StatusNoContent // any success is one
	if err := Publish(t.Context(), o, collectorOf(full())); err != nil {
		t.Error(err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	check(cancelled, "interrupted")
	server.Close()
	check(t.Context(), "refused")
}

// TestPushURL: a project's name stays one label, whatever it has.
func TestPushURL(t *testing.T) {
	for o, want := range map[config.Metrics]string{
		{Pushgateway: "https://push.example.com/", Project: "acme"}: "https://push.example.com/metrics/job/gleapsync/project/acme",
		{Pushgateway: "push:9091", Project: "a c/me"}:               "http://push:9091/metrics/job/gleapsync/project@base64/YSBjL21l",
	} {
		if got := pushURL(o); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestNewSnapshot: what the state has counts, unless the caller knows of a later sync that
// it does not have.
func TestNewSnapshot(t *testing.T) {
	report := func(run string, hour int, recorded bool, exports ...runs.ExportReport) *runs.Report {
		return &runs.Report{Run: run, Finished: ended.Add(time.Duration(hour) * time.Hour), Recorded: recorded, Exports: exports, Classes: make([]runs.ClassReport, len(exports))}
	}
	held := runs.ExportReport{Key: "vip", Status: runs.StatusHeld}
	for name, test := range map[string]struct {
		stored, last *runs.Report
		run          string
		exports      int
	}{
		"none":                          {nil, nil, "", 0},
		"another process":               {report("a", 1, true, held), nil, "a", 1},
		"the same":                      {report("a", 1, true, held, held), report("a", 1, true, held), "a", 2},
		"by hand, later":                {report("b", 2, true), report("a", 1, true, held), "b", 0},
		"failed to begin, later":        {report("a", 1, true, held), report("", 2, false), "", 1},
		"not recorded, later":           {report("a", 1, true), report("b", 2, false, held), "b", 1},
		"failed to begin, mended since": {report("b", 3, true), report("", 2, false), "b", 0},
		"first one failed to begin":     {nil, report("", 2, false), "", 0},
	} {
		got := NewSnapshot(&inspect.Overview{}, test.stored, test.last).Last
		if got == nil {
			got = &runs.Report{}
		}
		if got.Run != test.run || len(got.Exports) != test.exports || len(got.Classes) != test.exports {
			t.Errorf("%s: run %q with %d exports and %d classes", name, got.Run, len(got.Exports), len(got.Classes))
		}
	}
}

// TestLost: of a sync that was killed there is only what is known, so that nothing left over is not
// taken for an answer.
func TestLost(t *testing.T) {
	s := full()
	s.Last.Outcome = runs.Lost
	var text bytes.Buffer
	if err := Write(&text, collectorOf(s)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{`last_run_outcome{outcome="lost"} 1`: true, "last_run_contacts_sent 12": true, "last_run_contacts_remaining ": false, "last_run_plan_seconds ": false} {
		if strings.Contains(text.String(), "\ngleapsync_"+name) != want {
			t.Errorf("%s is there: %v, want %v", name, !want, want)
		}
	}
}
