package page

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gleapsync/engage"
	"gleapsync/internal/attr"
	"gleapsync/internal/inputs"
	"gleapsync/internal/inspect"
	"gleapsync/internal/runs"
)

func TestPlot(t *testing.T) {
	for name, test := range map[string]struct {
		sizes []Size
		want  []string
	}{
		"none":     {nil, []string{`aria-label="0 runs"`}},
		"one":      {[]Size{{Members: 5}}, []string{`points="3.0,3.0"`, "1 runs, 5 to 5 members, last 5"}},
		"grows":    {[]Size{{Members: 500}, {Members: 1000}}, []string{`points="3.0,14.0 117.0,3.0"`, `cx="117.0" cy="3.0"`, "500 to 1,000 members, last 1,000"}},
		"empties":  {[]Size{{Members: 8}, {Members: 0}}, []string{`points="3.0,3.0 117.0,25.0"`}},
		"all zero": {[]Size{{}, {}}, []string{`points="3.0,25.0 117.0,25.0"`}},
		"held":     {[]Size{{Members: 8}, {Members: 1, Held: true}, {Members: 4}}, []string{`points="3.0,3.0 117.0,14.0"`, `class="held" x1="60.0"`, "4 to 8 members, last 4, held 1 times"}},
		"all held": {[]Size{{Held: true}}, []string{`aria-label="1 runs, held 1 times"`}},
	} {
		got := string(plot(test.sizes))
		for _, want := range test.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %s in %s", name, want, got)
			}
		}
		if held := len(test.sizes) > 0 && test.sizes[0].Held; strings.Contains(got, "polyline") == (held || test.sizes == nil) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestSizes: a plot goes from the oldest run to the latest, over those that looked at the
// export.
func TestSizes(t *testing.T) {
	run := func(members int, status runs.Status) runs.Report {
		return runs.Report{Exports: []runs.ExportReport{{Key: "vip", Members: members, Status: status}, {Key: "other", Members: 99}}}
	}
	d := Data{Runs: []runs.Report{run(3, runs.StatusHeld), {}, run(2, runs.StatusUnchanged), run(1, runs.StatusApplied)}}
	var got []Size
	got = append(got, d.export(runs.ExportReport{Key: "vip"}).Sizes...)
	want := []Size{{1, false}, {2, false}, {3, true}}
	if len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestAgo(t *testing.T) {
	now := time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC)
	for before, want := range map[time.Duration]string{
		-time.Second: "just now", 0: "0 s ago", 59 * time.Second: "59 s ago", time.Minute: "1 min ago", time.Hour: "1 h ago",
		90 * time.Minute: "1 h 30 min ago", 47 * time.Hour: "47 h ago", 49 * time.Hour: "2 days ago",
	} {
		if got := ago(now.Add(-before), now); got != want {
			t.Errorf("%v: %s, want %s", before, got, want)
		}
	}
	if got := ago(time.Time{}, now); got != "never" {
		t.Errorf("no time: %s", got)
	}
}

func TestRefresh(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for want, now := range map[int]*Now{
		0: nil, 5: {Running: true}, 62: {Next: at.Add(time.Minute)},
	} {
		d := Data{At: at, Now: now}
		if got := d.Refresh(); got != want {
			t.Errorf("%+v: %d, want %d", now, got, want)
		}
	}
}

// TestLeftOver: the pages say what is left of each class and since when, and that more comes
// than fits.
func TestLeftOver(t *testing.T) {
	report := runs.Report{
		Run: "run-9", Outcome: runs.Partial, Contacts: runs.ContactCounts{Planned: 2001, Delta: 1990, Backfill: 11, Remaining: 1401},
		Classes:     []runs.ClassReport{{Class: runs.ClassExit, Planned: 3}, {Class: runs.ClassChange, Planned: 1987, Left: 1401, Since: "run-1"}},
		Convergence: "does not converge: score alone costs 81 % of the calls",
	}
	var front, run strings.Builder
	if err := errors.Join(Front(&front, Data{Site: Site{Zone: time.UTC}, Last: &report}), Run(&run, Site{Version: "v1", Zone: time.UTC}, report)); err != nil {
		t.Fatal(err)
	}
	if want := "The sync does not converge: score alone costs 81 % of the calls."; !strings.Contains(front.String(), want) {
		t.Errorf("no %s in\n%s", want, front.String())
	}
	for _, want := range []string{"1,990 with changes, 11 with first deliveries only", "Left of class change", "1,401 of 1,987, some in each run since run-1"} {
		if !strings.Contains(run.String(), want) {
			t.Errorf("no %s in\n%s", want, run.String())
		}
	}
	if strings.Contains(run.String(), "class exit") {
		t.Error("nothing is left of the class exit")
	}
}

// TestEvents: the pages show where events come from, how many are due, and those of one
// contact; a held export of events is among the held ones.
func TestEvents(t *testing.T) {
	report := runs.Report{
		Run: "run-1", Outcome: runs.Held, Events: runs.EventCounts{Planned: 1200, Sent: 1100, Refused: 1, Parked: 3, Remaining: 99}, Calls: runs.CallCounts{Identify: 5, Track: 12},
		Exports: []runs.ExportReport{
			{Key: "track calls/", Name: "calls/", Kind: runs.KindTrack, Status: runs.StatusApplied, TrackCounts: runs.TrackCounts{Events: 1100, Repeated: 7}},
			{Key: "track more/", Name: "more/", Kind: runs.KindTrack, Status: runs.StatusHeld, Reason: "more/ does not exist"},
		},
	}
	d := Data{Site: Site{Zone: time.UTC}, Last: &report, Runs: []runs.Report{report}, Tracks: report.Exports, State: inspect.Overview{DueEvents: 1234, ParkedEvents: 3}}
	contact := Contact{Site: Site{Zone: time.UTC}, Asked: "u1", Detail: &inspect.Contact{UserID: "u1", Events: []inspect.ContactEvent{{Name: "<Order>"}, {Name: "Cart", Reason: "refused"}}}}
	for name, test := range map[string]struct {
		write func(*strings.Builder) error
		want  []string
	}{
		"front":   {func(b *strings.Builder) error { return Front(b, d) }, []string{"1,234 due, 3 parked", "0 contacts, 99 events", `<td class="number" data-label="New">1,100</td>`, "more/ does not exist", "<code>gleapsync check</code>", `<td class="number" data-label="Calls">17</td>`}},
		"report":  {func(b *strings.Builder) error { return Report(b, d) }, []string{"1,100 of 1,200, with 12 requests", "1 in this run, 3 in all"}},
		"run":     {func(b *strings.Builder) error { return Run(b, Site{Version: "v1", Zone: time.UTC}, report) }, []string{"17 acknowledged", `<span class="faint">events</span>`}},
		"contact": {func(b *strings.Builder) error { return Lookup(b, contact) }, []string{"<strong>&lt;Order&gt;</strong>", "parked: refused"}},
	} {
		var b strings.Builder
		if err := test.write(&b); err != nil {
			t.Fatal(err)
		}
		for _, want := range test.want {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s: no %s in\n%s", name, want, b.String())
			}
		}
		if strings.Contains(b.String(), "Gleap was told nothing") {
			t.Errorf("%s: an event is something", name)
		}
	}
}

// TestLastSaid: a look-up that read no export has what changes said, and what the last sync
// made of each export.
func TestLastSaid(t *testing.T) {
	c := Contact{
		Site:   Site{Zone: time.UTC},
		Asked:  "u1",
		Detail: &inspect.Contact{UserID: "u1", Exports: map[string]inputs.Said{"vip": {Value: attr.OfBool(true)}}, Attributes: map[string]attr.Value{"old": attr.OfBool(true)}},
		Last: &runs.Report{Exports: []runs.ExportReport{
			{Key: "vip", Status: runs.StatusApplied}, {Key: "churn", Status: runs.StatusHeld, Reason: "it is <missing>"},
			{Key: "beta", Status: runs.StatusApplied, Withheld: 2, Reason: "2 exits"}, {Key: "same", Status: runs.StatusUnchanged}, {Key: "track x", Kind: runs.KindTrack},
		}},
	}
	for key, want := range map[string]string{
		"vip": "changes said true, applied", "churn": "held: it is <missing>", "beta": "applied, except for 2 exits", "same": "unchanged", "old": "in no export any more",
	} {
		if got := c.LastSaid(key); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
	if got, want := strings.Join(c.Keys(), " "), "beta churn old same vip"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	var text strings.Builder
	if err := Lookup(&text, c); err != nil || !strings.Contains(text.String(), "held: it is &lt;missing&gt;") || strings.Contains(text.String(), "next run sends it") {
		t.Errorf("%v\n%s", err, text.String())
	}
}

// large is 100 runs of 114 attributes with long names, all of which changed in each run, one of them
// held; 99 of the attributes come from a table, the others have a file each.
func large() Data {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	d := Data{Site: Site{Zone: time.UTC}, At: at, State: inspect.Overview{Project: "acme"}}
	for n := range 100 {
		r := runs.Report{Run: fmt.Sprintf("20260101T%06d.000000Z-abcd", n), Command: "sync", Mode: runs.Incremental, Outcome: runs.Held, Started: at, Finished: at.Add(time.Minute)}
		for i := range 114 {
			key := fmt.Sprintf("attribute_%03d_with_a_name_as_people_give_them_in_engage", i)
			e := runs.ExportReport{Key: key, Name: key, Kind: engage.Audience, Source: "s3://bucket/warehouse/attributes_of_users.csv", Status: runs.StatusApplied, Rows: 1e6, Members: 1e5 + i*n, Entered: 1000 + i, Exited: 100 + i}
			if i >= 99 {
				e.Source = fmt.Sprintf("s3://bucket/engage/audience_%d.csv", i)
			}
			if i == 113 {
				e.Status, e.Reason = runs.StatusHeld, "it is cut off"
			}
			r.Exports = append(r.Exports, e)
		}
		d.Runs = append(d.Runs, r)
	}
	d.Last = &d.Runs[0]
	for _, e := range d.Last.Exports {
		x := d.export(e)
		x.Acknowledged, x.DataOf = e.Members, at
		d.Exports = append(d.Exports, x)
	}
	return d
}

// TestLarge: a report of many runs and attributes stays one that can be sent and read.
func TestLarge(t *testing.T) {
	var report, front, run bytes.Buffer
	d := large()
	if err := Report(&report, d); err != nil {
		t.Fatal(err)
	}
	d.Now = &Now{}
	if err := errors.Join(Front(&front, d), Run(&run, Site{Version: "v1", Zone: time.UTC}, d.Runs[0])); err != nil {
		t.Fatal(err)
	}
	t.Logf("the report has %d bytes, the page %d, that of a run %d", report.Len(), front.Len(), run.Len())
	if report.Len() >= 1e6 || front.Len() >= 1e6 {
		t.Error("that is too much")
	}
	for name, test := range map[string]struct {
		find, show string
		rows       int
	}{
		"all": {rows: 114}, "name": {find: "Attribute_11", rows: 4}, "source": {find: "WAREHOUSE", rows: 99}, "held": {show: "held", rows: 1},
		"changed": {show: "changed", find: "_113_", rows: 1}, "none": {find: "<nobody>"},
	} {
		d.Find, d.Show = test.find, test.show
		front.Reset()
		if err := Front(&front, d); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(front.String(), `<tr id="export-`); n != test.rows {
			t.Errorf("%s: %d rows, want %d", name, n, test.rows)
		}
		if open := strings.Count(front.String(), " open>"); (open > 0) != (test.rows > 0 && test.rows < 114) {
			t.Errorf("%s: %d groups are open", name, open)
		}
	}
	order := []string{`id="state"`, `id="runs"`, `id="parked"`, `id="exports"`, `id="from-s3://bucket/warehouse`}
	for i := range order[1:] {
		if text := report.String(); strings.Index(text, order[i]) > strings.Index(text, order[i+1]) {
			t.Errorf("%s comes after %s", order[i], order[i+1])
		}
	}
}
