package sync

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"gleapsync/engage"
	"gleapsync/internal/inputs"
	"gleapsync/internal/runs"
	"gleapsync/internal/values"
)

// TestWildcards lets a table's columns come and go.
func TestWildcards(t *testing.T) {
	table := inputs.Export{Export: engage.Export{Source: "t.csv", Wildcards: []engage.Wildcard{
		{Kind: engage.Audience, Pattern: "vip*"}, {Kind: engage.Trait, Pattern: "*_days", Type: values.Auto}, {Kind: engage.Trait, Pattern: "p*", Type: values.Auto},
	}, Exclude: []string{"vip_old"}}}
	w := newWorld(t, audience("a.csv", "vip_named"), table)
	w.write(t, "a.csv", list("u1"))
	run := func(day, csv, want string, request inputs.Request) runs.Report {
		t.Helper()
		if csv != "" {
			w.write(t, "t.csv", csv)
		}
		report, err := w.runner(t).Sync(t.Context(), request)
		got := ""
		for _, e := range report.Exports {
			got += fmt.Sprintf("%s %s %s %s\n", e.Kind, e.Key, e.Status, e.Reason)
		}
		if err != nil {
			got += err.Error() + "\n"
		}
		if want = strings.ReplaceAll(strings.TrimPrefix(want, "\n"), "\t", ""); got != want {
			t.Errorf("%s: got\n%swant\n%s", day, got, want)
		}
		return report
	}
	run("the first day", "user_id,vip,vip_old,vip_named,VIP_EU,r_30_days,plan,received_at\nu1,1,1,1,0,7,gold,2026\nu2,0,1,1,1,,,\n", `
		audience vip_named applied 
		audience vip applied 
		audience vip_eu applied 
		trait r_30_days applied 
		audience vip_named held another export has the audience "vip_named" too, with the key vip_named: give it another key under keys, or name it in exclude
		trait plan held "plan" is a field that Gleap contacts already have: give it another key under keys, or name it in exclude
		`, inputs.Request{})
	if got, want := fmt.Sprint(w.contacts()), `map[u1:{"r_30_days":7,"vip":true,"vip_named":true} u2:{"vip_eu":true}]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	w.options.Exports[1].Exclude = []string{"vip_old", "vip_named", "plan"}
	run("an audience more, one less", "user_id,vip,vip_us,r_30_days\nu1,1,1,8\nu2,0,0,9\n", `
		audience vip_named unchanged 
		audience vip applied 
		audience vip_us applied 
		trait r_30_days applied 
		audience vip_eu held t.csv: the header has no column "VIP_EU": did you mean "vip_us"? Its columns are "user_id", "vip", "vip_us", "r_30_days"; if it is gone for good, run gleapsync retire vip_eu
		trait p* held no column matches p*
		`, inputs.Request{})
	if got, want := fmt.Sprint(w.contacts()), `map[u1:{"r_30_days":8,"vip":true,"vip_named":true,"vip_us":true} u2:{"r_30_days":9,"vip_eu":true}]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	w.options.Exports[1].Wildcards = w.options.Exports[1].Wildcards[:2]
	run("one key", "user_id,vip,vip_us,r_30_days\nu1,1,1,9\nu3,0,1,\n", "audience vip_us applied \n", inputs.Request{Only: []string{"vip_us"}})
	run("a key that no column has", "", "there is no audience or trait with the key \"vip_x\" in the exports\n", inputs.Request{Only: []string{"vip_x"}})
	if report := run("no table", "\n", `
		audience vip_named unchanged 
		audience vip held t.csv: the file is empty: it has no header
		audience vip_eu held t.csv: the file is empty: it has no header
		trait r_30_days held t.csv: the file is empty: it has no header
		audience vip_us held t.csv: the file is empty: it has no header
		`, inputs.Request{}); len(report.Orphans) > 0 {
		t.Errorf("orphans: %v", report.Orphans)
	}
	w.write(t, "t.csv", "user_id,vip,r_30_days\nu1,1,9\n")
	if _, err := w.runner(t).Retire(t.Context(), "vip"); err == nil || !strings.Contains(err.Error(), "exclude") {
		t.Errorf("retire of a key that comes back: %v", err)
	}
	for _, key := range []string{"vip_eu", "vip_us"} {
		if _, err := w.runner(t).Retire(t.Context(), key); err != nil {
			t.Error(err)
		}
	}
	report := run("without what was retired", "", `
		audience vip_named unchanged 
		audience vip applied 
		trait r_30_days applied 
		`, inputs.Request{})
	if len(report.Orphans) > 0 || report.Outcome != runs.Complete {
		t.Errorf("%s, orphans %v", report.Outcome, report.Orphans)
	}
	said, err := AskExports(t.Context(), w.options, w.runner(t).store, "u1")
	if keys := slices.Sorted(maps.Keys(said)); err != nil || !slices.Equal(keys, []string{"r_30_days", "vip", "vip_named"}) {
		t.Errorf("%v, %v", keys, err)
	}
}
