package sync

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/guard"
)

// TestChooses: a key stands for itself alone, however alike another is; a pattern for the
// keys that it matches, and not for names.
func TestChooses(t *testing.T) {
	keys := []string{"vip", "vip_eu", "vip_us", "isVip", "total"}
	for only, want := range map[string]string{
		"":              "vip vip_eu vip_us isVip total",
		"vip":           "vip",
		"vip_eu":        "vip_eu",
		"vip__eu":       "",
		"is_vip":        "",
		"isvip":         "",
		"vip_??":        "vip_eu vip_us",
		"isv*":          "isVip",
		"*":             "vip vip_eu vip_us isVip total",
		"*_us total":    "vip_us total",
		"total* vip_eu": "vip_eu total",
	} {
		r := Request{Only: strings.Fields(only)}
		got := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return !r.chooses(key) })
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %s, want %s", only, got, want)
		}
	}
}

// TestMaxExitsOf: a key's own limit comes before those of patterns, and of these the one
// that lets the most go.
func TestMaxExitsOf(t *testing.T) {
	limit := func(text string) guard.Limit {
		l, err := guard.ParseLimit(text)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	r := Request{MaxExits: map[string]guard.Limit{"vip": limit("1"), "v*": limit("50%"), "*": limit("20")}}
	for key, want := range map[string]string{"vip": "1", "vip_eu": "50%", "other": "20"} {
		if got, ok := r.maxExits(key, 100); !ok || got.String() != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
	if got, _ := r.maxExits("vip_eu", 30); got.String() != "20" {
		t.Errorf("of 30: %s", got)
	}
	if _, ok := (Request{}).maxExits("vip", 100); ok {
		t.Error("a limit of nothing")
	}
}

func TestMayFeed(t *testing.T) {
	e := Export{Export: engage.Export{
		Attributes: []engage.Attribute{{Kind: engage.Audience, Key: "risk", Name: "Churn Risk", Chosen: true}},
		Wildcards:  []engage.Wildcard{{Kind: engage.Audience, Pattern: "vip*"}},
		Keys:       map[string]string{"VIP old": "former"},
	}}
	all := Export{Export: engage.Export{Discover: true}}
	named := Export{Export: engage.Export{Attributes: e.Attributes}}
	for key, want := range map[string]string{
		"risk": "true true true", "churn_risk": "false true false", "vip_eu": "true true false", "former": "true true false", "email": "false false false",
		"tags": "false true false", "r*": "true true true", "x*": "true true false", "x": "false true false",
	} {
		if got := fmt.Sprint(e.MayFeed(key), all.MayFeed(key), named.MayFeed(key)); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
}

// TestPatterns: patterns choose among what is named, what was found before and what is
// found now.
func TestPatterns(t *testing.T) {
	table := Export{Export: engage.Export{Source: "t.csv", Wildcards: []engage.Wildcard{{Kind: engage.Audience, Pattern: "vip*"}}}}
	w := newWorld(t, audience("a.csv", "named"), table)
	w.write(t, "a.csv", list("u1"))
	w.write(t, "t.csv", "user_id,vip_a,vip_b\nu1,1,1\n")
	run := func(only, want string) {
		t.Helper()
		report, err := w.runner(t).Sync(t.Context(), Request{Only: strings.Fields(only)})
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
	for name, request := range map[string]Request{
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
	named := Export{Export: engage.Export{Source: "t.csv", Attributes: []engage.Attribute{{Kind: engage.Audience, Key: "memory", Name: "memory", Column: "memory"}}}}
	w := newWorld(t, named) // as an earlier version had it
	w.write(t, "t.csv", "user_id,memory,tags\nu1,1,1\n")
	w.sync(t, Request{})
	w.options.Exports[0].Attributes, w.options.Exports[0].Wildcards = nil, []engage.Wildcard{{Kind: engage.Audience, Pattern: "*"}}
	w.write(t, "t.csv", "user_id,memory,tags\nu1,1,1\nu2,1,1\n")
	report := w.sync(t, Request{})
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
	w.options.Fields = []Field{{gleap.Name, []string{"first", "last"}}, {gleap.Plan, []string{"plan"}}}
	w.write(t, "a.csv", "user_id,first,plan\nu1,Ada,\nu1,Grace,\n")
	w.write(t, "b.csv", "user_id,last,plan\nu1,Lovelace,gold\nu2,Hopper,silver\n")
	w.sync(t, Request{})
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
	if report := w.sync(t, Request{}); report.Contacts.Planned != 0 || got() != want {
		t.Errorf("%d planned, got %s, want %s", report.Contacts.Planned, got(), want)
	}
}
