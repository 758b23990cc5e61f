package sync

import (
	"fmt"
	"strings"
	"testing"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/guard"
	"gleapsync/internal/inputs"
)

// TestPatterns: patterns choose among what is named, what was found before and what is
// found now.
func TestPatterns(t *testing.T) {
	table := inputs.Export{Export: engage.Export{Source: "t.csv", Wildcards: []engage.Wildcard{{Kind: engage.Audience, Pattern: "vip*"}}}}
	w := newWorld(t, audience("a.csv", "named"), table)
	w.write(t, "a.csv", list("u1"))
	w.write(t, "t.csv", "user_id,vip_a,vip_b\nu1,1,1\n")
	run := func(only, want string) {
		t.Helper()
		report, err := w.runner(t).Sync(t.Context(), inputs.Request{Only: strings.Fields(only)})
		got := ""
		for _, e := range report.Exports {
			got += fmt.Sprintf("%s %s,", e.Key, e.Status)
		}
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", only, got, want)
		}
	}
	run("*_a", "vip_a applied,")
	run("nam*", "named applied,")
	run("vip_* named", "named unchanged,vip_a unchanged,vip_b applied,")
	run("x*", `there is no audience or trait in the exports whose key matches "x*"`)
	run("*", "named unchanged,vip_a unchanged,vip_b unchanged,")
	w.write(t, "t.csv", "user_id,vip_a,vip_b,vip_c\nu1,1,1,1\n")
	run("vip_?", "vip_a applied,vip_b applied,vip_c applied,")
	half, _ := guard.ParseLimit("50%")
	for name, request := range map[string]inputs.Request{
		"max exits": {MaxExits: map[string]guard.Limit{"x*": half}}, "absence": {AcceptAbsence: []string{"x*"}}, "absence of a key": {AcceptAbsence: []string{"vip_x"}},
	} {
		if _, err := w.runner(t).Plan(t.Context(), request); err == nil || !strings.Contains(err.Error(), "there is no audience or trait") {
			t.Errorf("%s of nothing: %v", name, err)
		}
		w.write(t, "t.csv", "") // what cannot be read may have it
		if report, err := w.runner(t).Plan(t.Context(), request); err != nil || !report.Held() {
			t.Errorf("%s of what cannot be read: %v", name, err)
		}
		w.write(t, "t.csv", "user_id,vip_a,vip_b,vip_c\nu1,1,1,1\n")
	}
}

// TestReservedNames: what a pattern takes and Gleap has as a field is held, unless it was
// delivered before.
func TestReservedNames(t *testing.T) {
	named := inputs.Export{Export: engage.Export{Source: "t.csv", Attributes: []engage.Attribute{{Kind: engage.Audience, Key: "memory", Name: "memory", Column: "memory"}}}}
	w := newWorld(t, named) // as an earlier version had it
	w.write(t, "t.csv", "user_id,memory,tags\nu1,1,1\n")
	w.sync(t, inputs.Request{})
	w.options.Exports[0].Attributes, w.options.Exports[0].Wildcards = nil, []engage.Wildcard{{Kind: engage.Audience, Pattern: "*"}}
	w.write(t, "t.csv", "user_id,memory,tags\nu1,1,1\nu2,1,1\n")
	report := w.sync(t, inputs.Request{})
	got := ""
	for _, e := range report.Exports {
		got += fmt.Sprintln(e.Key, e.Status, e.Reason)
	}
	if want := "memory applied \ntags held \"tags\" is a field that Gleap contacts already have: give it another key under keys, or name it in exclude\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if len(report.Notes) != 1 || !strings.Contains(report.Notes[0], `"memory" is a field`) {
		t.Errorf("notes %q", report.Notes)
	}
}

// TestFieldsOfTwoExports: where two exports differ about a contact's field, the first one
// whose row has it wins, in each run, and column by column.
func TestFieldsOfTwoExports(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a"), audience("b.csv", "b"))
	w.options.Fields = []inputs.Field{{Field: gleap.Name, Columns: []string{"first", "last"}}, {Field: gleap.Plan, Columns: []string{"plan"}}}
	w.write(t, "a.csv", "user_id,first,plan\nu1,Ada,\nu1,Grace,\n")
	w.write(t, "b.csv", "user_id,last,plan\nu1,Lovelace,gold\nu2,Hopper,silver\n")
	w.sync(t, inputs.Request{})
	want := "map[name:Ada Lovelace plan:gold] map[name:Hopper plan:silver]"
	got := func() string {
		first, _ := w.gleap.Contact("u1")
		second, _ := w.gleap.Contact("u2")
		return fmt.Sprint(first.Fields, second.Fields)
	}
	if got() != want {
		t.Errorf("got %s, want %s", got(), want)
	}
	w.write(t, "b.csv", "user_id,last,plan,first\nu1,Lovelace,gold,Bob\nu2,Hopper,silver,\n")
	if report := w.sync(t, inputs.Request{}); report.Contacts.Planned != 0 || got() != want {
		t.Errorf("%d planned, got %s, want %s", report.Contacts.Planned, got(), want)
	}
}
