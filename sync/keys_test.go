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

// wild is a table whose audiences are those of a pattern.
func wild(source string, patterns ...string) inputs.Export {
	e := inputs.Export{Export: engage.Export{Source: source}}
	for _, p := range patterns {
		e.Wildcards = append(e.Wildcards, engage.Wildcard{Kind: engage.Audience, Pattern: p})
	}
	return e
}

// TestSharedKeys: names of one key that come with the data are held, all of them, in every
// form; none wins since it came first, or since the state knows it. A name that is a key
// goes on beside them.
func TestSharedKeys(t *testing.T) {
	names := []string{"a__b", "a_b", "A-B"}
	days := func(name string) []string {
		return []string{"a__b", "a_b", "A-B"}[:map[string]int{"one": 2, "all": 3}[name]]
	}
	table := func(w *world, day string) {
		text := "user_id"
		rows := [3]string{"u1", "u2", "u3"}
		for i, name := range days(day) {
			text += "," + name
			for j := range rows {
				rows[j] += fmt.Sprintf(",%t", i == j)
			}
		}
		w.write(t, "t.csv", text+"\n"+strings.Join(rows[:], "\n")+"\n")
	}
	lines := func(w *world, day string) {
		text := ""
		for i, name := range days(day) {
			text += fmt.Sprintf("{\"user_id\":\"u%d\",%q:true}\n", i+1, name)
		}
		w.write(t, "t.json", text)
	}
	profiles := func(w *world, day string) {
		text, ids := traitsHeader, idsHeader
		for i, name := range days(day) {
			text += fmt.Sprintf("p%d,%s,true,1\n", i, name)
			ids += fmt.Sprintf("p%d,user_id,u%d,1\n", i, i+1)
		}
		w.write(t, "t.csv", text)
		w.write(t, "i.csv", ids)
	}
	changes := func(w *world, day string) {
		text := ""
		for i, name := range names[map[string]int{"one": 0, "all": 2}[day]:len(days(day))] {
			text += in(fmt.Sprintf("u%d", i+1+map[string]int{"all": 2}[day]), name, len(w.dir)+i)
		}
		w.writeEvents(t, day+".json", text)
	}
	for form, test := range map[string]struct {
		export inputs.Export
		write  func(w *world, day string)
	}{
		"csv":      {wild("t.csv", "a*"), table},
		"json":     {wild("t.json", "a*"), lines},
		"profiles": {longTables([]string{"a*"}, nil), profiles},
		"changes":  {changeExport(), changes},
	} {
		for _, days := range [][]string{{"all"}, {"one", "all"}} {
			w := newWorld(t, test.export)
			if test.export.ProfileIDs != nil {
				w = newProfilesWorld(t, test.export)
			}
			var report runs.Report
			for _, day := range days {
				if form == "changes" && len(days) == 1 {
					test.write(w, "one")
				}
				test.write(w, day)
				report = w.sync(t, inputs.Request{})
			}
			status := map[string]runs.Status{}
			for _, e := range report.Exports {
				status[e.Name] = e.Status
				if e.Status != runs.StatusHeld {
					continue
				}
				other := map[string]string{"a_b": "A-B", "A-B": "a_b"}[e.Name]
				if !strings.Contains(e.Reason, fmt.Sprintf("%q has the key a_b, and so has audience %q", e.Name, other)) || !strings.Contains(e.Reason, `under keys, or name "A-B" in exclude`) {
					t.Errorf("%s %v: %s: %s", form, days, e.Name, e.Reason)
				}
			}
			if status["a__b"] == runs.StatusHeld || status["a_b"] != runs.StatusHeld || status["A-B"] != runs.StatusHeld || len(report.Exports) != 3 || len(report.Orphans) > 0 {
				t.Errorf("%s %v: %v, orphans %v", form, days, status, report.Orphans)
			}
			want := `map[u1:{"a__b":true}]`
			if len(days) > 1 {
				want = `map[u1:{"a__b":true} u2:{"a_b":true}]`
			}
			if got := fmt.Sprint(w.contacts()); got != want {
				t.Errorf("%s %v: got %s, want %s", form, days, got, want)
			}
			w.options.Exports[0].Keys = map[string]string{"A-B": "a_or_b"}
			if report := w.sync(t, inputs.Request{}); report.Outcome != runs.Complete {
				t.Errorf("%s %v, with a key: %s", form, days, statuses(report))
			}
			if got, want := fmt.Sprint(w.contacts()), `map[u1:{"a__b":true} u2:{"a_b":true} u3:{"a_or_b":true}]`; got != want {
				t.Errorf("%s %v, with a key: got %s, want %s", form, days, got, want)
			}
		}
	}
}

// TestNamedAgainstFound: what the configuration names goes on, and what was found is held.
func TestNamedAgainstFound(t *testing.T) {
	e := changeExport(engage.Attribute{Kind: engage.Trait, Key: "score", Name: "score", Type: values.Auto})
	e.Discover = true
	w := newWorld(t, e)
	w.writeEvents(t, "1", event("u1", "trait", "Score", "tra_2", `"high"`, 1, "m1")+event("u1", "trait", "score", "tra_1", "5", 2, "m2"))
	want := "score applied\nscore held: trait \"Score\" has the key score, and so has trait \"score\": give one of them another key under keys, or name \"Score\" in exclude"
	if got := statuses(w.sync(t, inputs.Request{})); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	w.options.Exports[0].Exclude = []string{"Score"}
	if got := statuses(w.sync(t, inputs.Request{})); got != "score applied" {
		t.Error(got)
	}
	if got, want := fmt.Sprint(w.contacts()), `map[u1:{"score":5}]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	// What is only like the name is that attribute, as long as it is the only one.
	w = newWorld(t, changeExport(engage.Attribute{Kind: engage.Audience, Key: "vip", Name: "VIP"}))
	w.writeEvents(t, "1", in("u1", "vip", 1))
	w.sync(t, inputs.Request{})
	w.writeEvents(t, "2", event("u2", "audience", "Vip", "aud_vip", "true", 2, "m2"))
	if got, want := statuses(w.sync(t, inputs.Request{})), `vip held: the changes have "Vip", and each may be "VIP": name the one that is meant as they have it`; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if got, want := fmt.Sprint(w.contacts()), `map[u1:{"vip":true}]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestColumnsApart: two columns whose names differ in underscores only stay two, also once
// one of them is gone.
func TestColumnsApart(t *testing.T) {
	w := newWorld(t, wild("t.csv", "a__*"), wild("t.csv", "a_?"))
	w.options.Exports[1].Exclude = []string{"a__b"}
	w.write(t, "t.csv", "user_id,a_b,a__b\nu1,true,false\nu2,false,true\n")
	w.sync(t, inputs.Request{})
	want := `map[u1:{"a_b":true} u2:{"a__b":true}]`
	if got := fmt.Sprint(w.contacts()); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	w.write(t, "t.csv", "user_id,a_b\nu1,true\nu2,false\n")
	if got := statuses(w.sync(t, inputs.Request{})); got != "a__b held: t.csv: the header has no column \"a__b\": did you mean \"a_b\"? Its columns are \"user_id\", \"a_b\"; if it is gone for good, run gleapsync retire a__b\na_b applied" {
		t.Error(got)
	}
	if got := fmt.Sprint(w.contacts()); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestKeptKeys: a state that knows an attribute by the key of a former version goes on with
// it, until another one is chosen.
func TestKeptKeys(t *testing.T) {
	const name, former = "j_o_x__y", "j_o_x_y"
	named := func(key string) engage.Attribute {
		return engage.Attribute{Kind: engage.Audience, Key: key, Name: name, Column: name}
	}
	table := inputs.Export{Export: engage.Export{Source: "t.csv", Attributes: []engage.Attribute{named(name)}}}
	discover := changeExport()
	profiles := longTables([]string{"j_*"}, nil)
	for form, test := range map[string]struct {
		export inputs.Export
		write  func(w *world, day int)
	}{
		"named":    {table, func(w *world, day int) { w.write(t, "t.csv", "user_id,"+name+"\n"+strings.Repeat("u1,true\n", day)) }},
		"pattern":  {wild("t.csv", "j_*"), func(w *world, day int) { w.write(t, "t.csv", "user_id,"+name+"\n"+strings.Repeat("u1,true\n", day)) }},
		"changes":  {discover, func(w *world, day int) { w.writeEvents(t, fmt.Sprint(day), in("u1", name, day)) }},
		"profiles": {profiles, func(w *world, day int) { w.write(t, "t.csv", traitsHeader+strings.Repeat("p1,"+name+",true,1\n", day)) }},
	} {
		w := newWorld(t, test.export)
		if form == "profiles" {
			w = newProfilesWorld(t, test.export)
			w.write(t, "i.csv", idsHeader+"p1,user_id,u1,1\n")
		}
		e := &w.options.Exports[0]
		// The state of a former version: what it chose is what it made of the name.
		if form == "named" {
			e.Attributes[0].Key, e.Attributes[0].Chosen = former, true
		} else {
			e.Kept = map[engage.Named]string{{Kind: engage.Audience, Name: name}: former}
		}
		test.write(w, 1)
		w.sync(t, inputs.Request{})
		if form == "named" {
			e.Attributes = []engage.Attribute{named(name)}
		}
		e.Kept = nil
		note := `j_o_x__y keeps the key j_o_x_y that Gleap's contacts have: set key = "j_o_x__y", or keys, to change it`
		for day, want := range []runs.Status{runs.StatusUnchanged, runs.StatusApplied} {
			if day > 0 {
				test.write(w, 2)
			}
			report := w.sync(t, inputs.Request{})
			if len(report.Exports) != 1 || report.Exports[0].Key != former || report.Exports[0].Status != want || report.Exports[0].Note != note || report.Calls.Identify != 0 || len(report.Orphans) > 0 {
				t.Errorf("%s, day %d: %+v, %+v", form, day, report.Exports, report.Calls)
			}
		}
		for _, key := range []string{name, former} {
			if report := w.sync(t, inputs.Request{Only: []string{key}}); len(report.Exports) != 1 || report.Exports[0].Key != former {
				t.Errorf("%s, --only %s: %+v", form, key, report.Exports)
			}
		}
		if _, err := w.runner(t).Retire(t.Context(), former); err == nil {
			t.Errorf("%s: retire of a key that is fed", form)
		}
		said, err := AskExports(t.Context(), w.options, w.runner(t).store, "u1")
		if keys := slices.Collect(maps.Keys(said)); err != nil || fmt.Sprint(keys) != "[j_o_x_y]" {
			t.Errorf("%s: %v, %v", form, keys, err)
		}
		if form == "named" {
			e.Attributes[0].Chosen = true
		} else {
			e.Keys = map[string]string{name: name}
		}
		report := w.sync(t, inputs.Request{})
		if len(report.Exports) != 1 || report.Exports[0].Key != name || report.Exports[0].Note != "" || len(report.Orphans) != 1 || report.Orphans[0].Key != former {
			t.Errorf("%s, chosen: %+v, %+v", form, report.Exports, report.Orphans)
		}
	}
}

// TestKeptKeyTaken: somebody names the key that the state kept for another name.
func TestKeptKeyTaken(t *testing.T) {
	w := newWorld(t, audience("a.csv", "a_b"))
	w.options.Exports[0].Attributes[0].Name, w.options.Exports[0].Attributes[0].Chosen = "a__b", true
	w.write(t, "a.csv", list("u1"))
	w.sync(t, inputs.Request{})
	w.options.Exports[0].Attributes[0].Key, w.options.Exports[0].Attributes[0].Chosen = "a__b", false
	w.options.Exports = append(w.options.Exports, w.options.Exports[0])
	w.options.Exports[1].Attributes = []engage.Attribute{{Kind: engage.Audience, Key: "a_b", Name: "a_b"}}
	_, err := w.runner(t).Sync(t.Context(), inputs.Request{})
	if want := `audience "a_b" has the key a_b, and so has audience "a__b": choose another one with key = "…"`; err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

// TestClasses: steps of journeys are memberships, and what no attribute can be made of is
// counted by its class; who asked for it is told.
func TestClasses(t *testing.T) {
	w := newWorld(t, changeExport())
	prediction := event("u1", "prediction", "likely", "pre_1", "0.5", 1, "m1")
	w.writeEvents(t, "1", prediction)
	report := w.sync(t, inputs.Request{})
	if report.Outcome != runs.Complete || len(report.Exports) != 1 || report.Exports[0].PassedOver["prediction"] != 1 {
		t.Errorf("nothing else: %+v", report)
	}
	w.writeEvents(t, "1a", event("", "audience", "vip", "aud_1", "true", 1, "m1a"))
	if report := w.sync(t, inputs.Request{}); len(report.Exports) != 1 || report.Exports[0].WithoutUserID != 1 || !strings.Contains(report.Exports[0].Note, "nothing of an audience or trait came with the 1 new row of events, 1 of them without user id") {
		t.Errorf("nobody: %+v", report.Exports)
	}
	if report := w.sync(t, inputs.Request{}); report.Exports == nil || len(report.Exports) != 0 {
		t.Errorf("nothing new: %#v", report.Exports)
	}
	w.writeEvents(t, "2", prediction+event("u1", "journey_step", "j_o_x__y", "jst_1", `"true"`, 2, "m2")+event("u2", "journey_step", "j_o_x__y", "jst_1", `"false"`, 2, "m3"))
	report = w.sync(t, inputs.Request{})
	if got := statuses(report); got != "j_o_x__y applied new" || report.Exports[0].PassedOver["prediction"] != 1 || report.Exports[0].Kind != engage.Audience {
		t.Errorf("%s, %+v", got, report.Exports)
	}
	if got, want := fmt.Sprint(w.contacts()), `map[u1:{"j_o_x__y":true}]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}

	e := changeExport(engage.Attribute{Kind: engage.Trait, Key: "likely", Name: "likely", Type: values.Auto})
	e.Wildcards = []engage.Wildcard{{Kind: engage.Trait, Pattern: "vip*", Type: values.Auto}, {Kind: engage.Audience, Pattern: "lik*"}, {Kind: engage.Audience, Pattern: "later*"}}
	w = newWorld(t, e)
	w.writeEvents(t, "1", prediction+in("u1", "vip", 1))
	want := `likely held: "likely" was passed over: it is of the class "prediction", and only audiences, journey steps and traits are taken
vip* held: "vip" is no trait in the changes: they have it as audience
lik* held: "likely" was passed over: it is of the class "prediction", and only audiences, journey steps and traits are taken`
	if got := statuses(w.sync(t, inputs.Request{})); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
