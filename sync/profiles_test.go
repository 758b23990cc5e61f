package sync

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gleapsync/engage"
	"gleapsync/gleap"
	"gleapsync/internal/attr"
	"gleapsync/internal/inputs"
	"gleapsync/internal/rounds"
	"gleapsync/internal/runs"
	"gleapsync/internal/userid"
	"gleapsync/internal/values"
)

// longTables is an export of t.csv and i.csv.
func longTables(audiences, traits []string) inputs.Export {
	e := inputs.Export{Export: engage.Export{Source: "t.csv", ProfileIDs: &engage.Export{Source: "i.csv"}}}
	add := func(kind engage.Kind, name string, typ values.Type) {
		if engage.IsPattern(name) {
			e.Wildcards = append(e.Wildcards, engage.Wildcard{Kind: kind, Pattern: name, Type: typ})
		} else {
			e.Attributes = append(e.Attributes, engage.Attribute{Kind: kind, Key: name, Name: name, Column: name, Type: typ})
		}
	}
	for _, name := range audiences {
		add(engage.Audience, name, "")
	}
	for _, name := range traits {
		add(engage.Trait, name, values.Auto)
	}
	return e
}

func newProfilesWorld(t testing.TB, e inputs.Export) *world {
	w := newWorld(t, e)
	w.options.Exports[0].ProfileIDs.Dir = w.dir
	return w
}

const (
	traitsHeader = "canonical_segment_id,name,value,seq\n"
	idsHeader    = "canonical_segment_id,type,value,seq\n"
)

// profileStatuses returns what a report says of its exports.
func profileStatuses(r runs.Report) string {
	got := ""
	for _, e := range r.Exports {
		got += fmt.Sprintf("%s %s %s %s\n", e.Kind, e.Key, e.Status, e.Reason)
	}
	return got
}

// longRow is a row of either table.
type longRow struct {
	profile, what, value string
	seq                  int
}

// newestRow returns the newest of some rows, in the naive way.
func newestRow(rows []longRow, hasSeq bool) longRow {
	newest := rows[0]
	for _, row := range rows[1:] {
		if !hasSeq || row.seq >= newest.seq {
			newest = row
		}
	}
	return newest
}

// TestProfilesModel compares days of random long tables with a join in maps.
func TestProfilesModel(t *testing.T) {
	rounds.Check(t, func(r *rapid.T) {
		e := longTables([]string{"vip*", "churn"}, []string{"*_days", "level"})
		e.Exclude, e.AllowEmpty = []string{"vip_test"}, true
		e.KeepAbsent, e.ClearMissing = rapid.Bool().Draw(r, "keep"), rapid.Bool().Draw(r, "clear")
		e.Identifiers = rapid.SampledFrom([]engage.Identifiers{"", engage.AllIDs, engage.FirstID, engage.LastID}).Draw(r, "identifiers")
		w := newProfilesWorld(t, e)
		defer w.server.Close()
		w.options.Memory = 1 // as little as the sorter can do with
		w.options.Fields = []inputs.Field{{Field: gleap.Email, Columns: []string{"email"}}}
		hasSeq := rapid.Bool().Draw(r, "seq")

		profile := rapid.SampledFrom([]string{"p1", "p2", "p3", "p4", "p1x", "ü"})
		user := rapid.SampledFrom([]string{"a", "b", "c", "d", "", "null", "007"})
		names := rapid.SampledFrom([]string{"vip_eu", "vip us", "vip_test", "churn", "x_30_days", "pad_days", "level", "email", "other"})
		keys := map[string]string{"vip_eu": "vip_eu", "vip us": "vip_us", "churn": "churn", "x_30_days": "x_30_days", "pad_days": "pad_days", "level": "level", "email": "email"}
		isTrait := map[string]bool{"x_30_days": true, "pad_days": true, "level": true}
		model := map[string]map[string]any{}
		for day := range rapid.IntRange(1, 5).Draw(r, "days") {
			var traits, ids []longRow
			for range rapid.IntRange(0, 25).Draw(r, "traits") {
				row := longRow{profile.Draw(r, "profile"), names.Draw(r, "name"), "", rapid.IntRange(-2, 12).Draw(r, "seq")}
				switch key := keys[row.what]; {
				case key == "email":
					row.value = rapid.SampledFrom([]string{"", "x@x.io", "y@x.io"}).Draw(r, "email")
				case key == "pad_days": // long enough for many runs
					row.value = rapid.SampledFrom([]string{"A", "B"}).Draw(r, "letter") + strings.Repeat("x", 50<<10)
				case key == "x_30_days": // numbers
					row.value = rapid.SampledFrom([]string{"1", "7", "2.50", "", "NULL"}).Draw(r, "value")
				case isTrait[key]:
					row.value = rapid.SampledFrom([]string{"silver", "gold", "", "NULL"}).Draw(r, "value")
				default:
					row.value = rapid.SampledFrom([]string{"true", "true", "f", "", "NULL"}).Draw(r, "member")
				}
				traits = append(traits, row)
			}
			for range rapid.IntRange(0, 12).Draw(r, "ids") {
				row := longRow{profile.Draw(r, "profile"), rapid.SampledFrom([]string{"user_id", "user_id", "email", "anonymous_id"}).Draw(r, "type"), user.Draw(r, "user"), rapid.IntRange(0, 3).Draw(r, "seq")}
				if row.what == "email" && row.value != "" && row.value != "null" {
					row.value = row.value + "@id.io"
				}
				ids = append(ids, row)
			}
			for name, rows := range map[string][]longRow{"t.csv": traits, "i.csv": ids} {
				text := strings.Replace(traitsHeader, ",name,", ","+map[string]string{"t.csv": "name", "i.csv": "type"}[name]+",", 1)
				if !hasSeq {
					text = strings.Replace(text, ",seq", ",timestamp", 1)
				}
				for _, row := range rows {
					text += fmt.Sprintf("%s,%s,%s,%d\n", row.profile, row.what, row.value, row.seq)
				}
				w.write(r, name, text)
			}

			// The join in maps.
			said := map[string]map[string][]longRow{} // by profile and key
			for _, row := range traits {
				if key := keys[row.what]; key != "" {
					if said[row.profile] == nil {
						said[row.profile] = map[string][]longRow{}
					}
					said[row.profile][key] = append(said[row.profile][key], row)
				}
			}
			values, silent, email := map[string]map[string]string{}, map[string]map[string]bool{}, map[string]string{}
			withoutID := 0
			for _, p := range slices.Sorted(maps.Keys(said)) {
				var users, emails []longRow
				for _, row := range ids {
					switch {
					case row.profile != p:
					case row.what == "user_id" && row.value != "" && row.value != "null":
						users = append(users, row)
					case row.what == "email":
						emails = append(emails, row)
					}
				}
				if len(users) == 0 {
					withoutID++
					continue
				}
				if hasSeq {
					slices.SortStableFunc(users, func(a, b longRow) int { return cmp.Compare(a.seq, b.seq) })
				}
				switch e.Identifiers {
				case engage.FirstID:
					users = users[:1]
				case engage.LastID:
					users = users[len(users)-1:]
				}
				address := ""
				if rows := said[p]["email"]; rows != nil {
					address = newestRow(rows, hasSeq).value
				}
				if address == "" && len(emails) > 0 {
					address = newestRow(emails, hasSeq).value
				}
				for _, u := range users {
					if values[u.value] == nil {
						values[u.value], silent[u.value] = map[string]string{}, map[string]bool{}
					}
					for key, rows := range said[p] {
						switch value := newestRow(rows, hasSeq).value; {
						case key == "email":
						case value == "" || value == "NULL":
							silent[u.value][key] = true
						default:
							values[u.value][key] = value
						}
					}
					if email[u.value] == "" && address != "null" {
						email[u.value] = address
					}
				}
			}

			// What Gleap is to have.
			changed := map[string]bool{}
			set := func(id, key string, v any) {
				if model[id] == nil {
					model[id] = map[string]any{}
				}
				if model[id][key] != v {
					model[id][key], changed[id] = v, true
				}
			}
			for id := range values {
				for key, value := range values[id] {
					switch {
					case !isTrait[key]:
						if value == "true" || model[id][key] == true {
							set(id, key, value == "true")
						}
					case key == "x_30_days":
						set(id, key, json.Number(strings.TrimSuffix(value, "0")))
					default:
						set(id, key, value)
					}
				}
			}
			for id, m := range model {
				for key, v := range m {
					_, has := values[id][key]
					switch {
					case has || silent[id][key] || key == "email" || v == nil:
					case isTrait[key] && e.ClearMissing:
						set(id, key, nil)
					case !isTrait[key] && v == true && !e.KeepAbsent:
						set(id, key, false)
					}
				}
			}
			for id, address := range email {
				if model[id] != nil && address != "" {
					set(id, "email", address)
				}
			}

			before := w.gleap.Counts().Identify
			report := w.sync(r, inputs.Request{})
			if calls := w.gleap.Counts().Identify - before; calls != len(changed) || report.Calls.Identify != calls {
				r.Fatalf("day %d: %d calls, %d contacts changed: %s", day, calls, len(changed), profileStatuses(report))
			}
			for _, a := range report.Exports {
				if a.Status == runs.StatusApplied && (a.WithoutUserID != withoutID || a.Rows != len(traits)+len(ids) || a.Invalid > 0) {
					r.Fatalf("day %d: %d profiles have no user id, the report says %+v", day, withoutID, a)
				}
			}
			want := map[string]string{}
			for id, m := range model {
				m = maps.Clone(m)
				maps.DeleteFunc(m, func(_ string, v any) bool { return v == nil })
				want[id] = asJSON(m)
			}
			if got := w.contacts(); !maps.Equal(got, want) {
				r.Fatalf("day %d: Gleap has %.2000v\nwant %.2000v", day, got, want)
			}
			store := w.runner(r).store
			for id := range values {
				if id > "b" {
					continue // some are enough
				}
				said, err := AskExports(t.Context(), w.options, store, id)
				if err != nil {
					r.Fatal(err)
				}
				for key, s := range said {
					if _, has := values[id][key]; s.Absent != (!has && !silent[id][key]) || has != (s.Value.Kind() != attr.None && s.Value.Kind() != attr.Null) || s.Error != "" {
						r.Fatalf("day %d: %s says %+v", day, key, s)
					}
				}
			}
		}
		before := w.gleap.Counts().Identify
		if w.sync(r, inputs.Request{}); w.gleap.Counts().Identify != before {
			r.Fatal("a run without changes makes calls")
		}
	})
}

// TestProfilesNames lets names come and go.
func TestProfilesNames(t *testing.T) {
	w := newProfilesWorld(t, longTables([]string{"vip*", "staff"}, []string{"*_days", "p*"}))
	w.options.Exports = append([]inputs.Export{audience("a.csv", "vip_named")}, w.options.Exports...)
	w.options.Exports[0].Dir = w.dir
	w.write(t, "a.csv", list("u1"))
	w.write(t, "i.csv", idsHeader+"p1,user_id,u1,1\np2,user_id,u2,1\np3,email,x@x.io,1\n")
	run := func(day, rows, want string, request inputs.Request) runs.Report {
		t.Helper()
		if rows != "" {
			w.write(t, "t.csv", traitsHeader+rows)
			w.write(t, "i.csv", idsHeader+"p1,user_id,u1,1\np2,user_id,u2,1\np3,email,x@x.io,1\n")
		}
		report, err := w.runner(t).Sync(t.Context(), request)
		got := profileStatuses(report)
		if err != nil {
			got += err.Error() + "\n"
		}
		if want = strings.ReplaceAll(strings.TrimPrefix(want, "\n"), "\t", ""); got != want {
			t.Errorf("%s: got\n%swant\n%s", day, got, want)
		}
		return report
	}
	const first = "p1,VIP EU,true,1\np1,VIP EU,false,2\np2,VIP EU,true,1\np1,r_30_days,7,1\np2,vip_named,true,1\np1,plan,gold,1\np1,staff,true,1\n"
	const firstReport = `
		audience vip_named applied 
		audience staff applied 
		audience vip_eu applied 
		trait r_30_days applied 
		trait plan held "plan" is a field that Gleap contacts already have: give it another key under keys, or name it in exclude
		audience vip_named held another export has the audience "vip_named" too, with the key vip_named: give it another key under keys, or name it in exclude
		`
	run("the first day", first, firstReport, inputs.Request{})
	if got, want := fmt.Sprint(w.contacts()), `map[u1:{"r_30_days":7,"staff":true,"vip_named":true} u2:{"vip_eu":true}]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	run("what cannot be an attribute is found again", "", strings.Replace(firstReport, "vip_named applied", "vip_named unchanged", 1), inputs.Request{})
	w.options.Exports[1].Exclude = []string{"vip_named", "plan"}
	const excluded = `
		audience vip_named unchanged 
		audience staff %[1]s 
		audience vip_eu %[1]s 
		trait r_30_days %[1]s 
		trait p* held no name matches p*
		`
	run("excluded", "", fmt.Sprintf(excluded, "applied"), inputs.Request{})
	run("nothing changed", "", fmt.Sprintf(excluded, "unchanged"), inputs.Request{})
	w.options.Exports[1].Wildcards = slices.DeleteFunc(w.options.Exports[1].Wildcards, func(w engage.Wildcard) bool { return w.Pattern == "p*" })
	const second = "p1,vip_us,true,1\np2,vip_us,false,1\np1,r_30_days,8,1\np1,staff,true,1\n"
	run("one that is new only", second, "audience vip_us applied \n", inputs.Request{Only: []string{"vip_us"}})
	run("one that nobody has", "", "there is no audience or trait with the key \"vip_x\" in the exports\n", inputs.Request{Only: []string{"vip_x"}})
	run("one is gone", "", `
		audience vip_named unchanged 
		audience staff applied 
		trait r_30_days applied 
		audience vip_us unchanged 
		audience vip_eu held t.csv: no row has the name VIP EU: if nobody has it and that is right, set allow_empty = true
		`, inputs.Request{})
	if got, want := fmt.Sprint(w.contacts()), `map[u1:{"r_30_days":8,"staff":true,"vip_named":true,"vip_us":true} u2:{"vip_eu":true}]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if _, err := w.runner(t).Retire(t.Context(), "vip_eu"); err == nil || !strings.Contains(err.Error(), "name it in exclude first") {
		t.Errorf("retire of a key that may come back: %v", err)
	}
	w.options.Exports[1].Exclude = append(w.options.Exports[1].Exclude, "vip_eu", "VIP EU")
	if report := w.sync(t, inputs.Request{}); len(report.Orphans) != 1 || report.Orphans[0].Key != "vip_eu" {
		t.Errorf("orphans %v", report.Orphans)
	}
	if _, err := w.runner(t).Retire(t.Context(), "vip_eu"); err != nil {
		t.Error(err)
	}
	if got, want := w.contacts()["u2"], `{"vip_eu":false}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	w.options.Exports[1].AllowEmpty = true
	w.write(t, "t.csv", traitsHeader+"p1,r_30_days,8,1\n")
	if report := w.sync(t, inputs.Request{}); report.Outcome != runs.Complete {
		t.Errorf("empty is right: %s", profileStatuses(report))
	}
	if got, want := w.contacts()["u1"], `{"r_30_days":8,"staff":false,"vip_named":true,"vip_us":false}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestProfilesErrors: what is wrong with either table holds the export, and says where.
func TestProfilesErrors(t *testing.T) {
	const traits, ids = traitsHeader + "p1,vip,true,1\n", idsHeader + "p1,user_id,u1,1\n"
	const missing = `%s: the header has no column "%s"`
	for name, test := range map[string]struct{ traits, ids, want string }{
		"no profile":            {strings.Replace(traits, "canonical_", "", 1), ids, fmt.Sprintf(missing, "t.csv", "canonical_segment_id")},
		"no name":               {strings.Replace(traits, "name", "trait", 1), ids, fmt.Sprintf(missing, "t.csv", "name")},
		"no value":              {strings.Replace(traits, "value", "x", 1), ids, fmt.Sprintf(missing, "t.csv", "value")},
		"ids without a profile": {traits, strings.Replace(ids, "canonical_", "", 1), fmt.Sprintf(missing, "i.csv", "canonical_segment_id")},
		"ids without a type":    {traits, strings.Replace(ids, "type", "x", 1), fmt.Sprintf(missing, "i.csv", "type")},
		"ids without a value":   {traits, strings.Replace(ids, "value", "x", 1), fmt.Sprintf(missing, "i.csv", "value")},
		"empty":                 {"", ids, "t.csv: the file is empty"},
		"cut off":               {traits, ids + "p2,\"user", "i.csv: the file ends inside a row"},
		"a value":               {traits + "p2,vip,perhaps,1\n", ids + "p2,user_id,u2,1\n", "1 of 2 rows are invalid"},
		"a seq":                 {traits + "p2,vip,true,one\n", ids, "1 of 2 rows are invalid"},
		"a broken row":          {traits + "p2,vip\n", ids, "1 of 2 rows are invalid"},
		"ids: a broken row":     {traits, ids + "p2\n", "1 of 2 rows are invalid"},
		"ids: a long one":       {traits, ids + "p1,user_id," + strings.Repeat("x", userid.Max+1) + ",1\n", "1 of 2 rows are invalid"},
		"no profile in a row":   {traits + ",vip,true,1\n", ids, "1 of 2 rows are invalid"},
		"no ids":                {traits, "", "i.csv: the file is empty"},
		"no ids at all":         {traits, "none", "i.csv does not exist"},
	} {
		w := newProfilesWorld(t, longTables([]string{"vip"}, nil))
		w.write(t, "t.csv", test.traits)
		if test.ids != "none" {
			w.write(t, "i.csv", test.ids)
		}
		report, err := w.runner(t).Plan(t.Context(), inputs.Request{})
		if err != nil || len(report.Exports) != 1 || report.Exports[0].Status != runs.StatusHeld || !strings.Contains(report.Exports[0].Reason, test.want) {
			t.Errorf("%s: %v\n%swant %s", name, err, profileStatuses(report), test.want)
		}
	}
}

// TestProfilesValues: ids that look like hashes are no matter, long numbers compare as
// numbers, and a list is text whatever it holds.
func TestProfilesValues(t *testing.T) {
	w := newProfilesWorld(t, longTables([]string{"vip"}, []string{"orders", "list", "big"}))
	hash := strings.Repeat("ab", 32)
	w.write(t, "t.csv", "key,canonical_segment_id,name,value,seq\n"+
		"k,"+hash+",vip,t,1668553463000000002\nk,"+hash+",vip,f,999999999999999999\nk,"+hash+",orders,007,\nk,"+hash+",orders,8,\n"+
		"k,"+hash+",list,\"[\"\"5\"\"]\",1\nk,"+hash+",big,12345678901234567890,1\n")
	w.write(t, "i.csv", idsHeader+hash+",user_id,u1,1\n"+hash+",user_id,u1,2\n")
	w.sync(t, inputs.Request{})
	if got, want := fmt.Sprint(w.contacts()), `map[u1:{"big":"12345678901234567890","list":"5","orders":8,"vip":true}]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestProfilesTooManyNames: a pattern that takes everything is stopped.
func TestProfilesTooManyNames(t *testing.T) {
	w := newProfilesWorld(t, longTables([]string{"vip"}, []string{"*"}))
	var rows strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&rows, "p1,n%d,1,1\n", i)
	}
	w.write(t, "t.csv", traitsHeader+"p1,vip,true,1\n"+rows.String())
	w.write(t, "i.csv", idsHeader+"p1,user_id,u1,1\n")
	report, err := w.runner(t).Plan(t.Context(), inputs.Request{})
	want := "t.csv: the patterns take more than 5000 names: make them narrower, or name in exclude what they are not to take"
	if err != nil || report.Exports[0].Reason != want {
		t.Errorf("%v\n%s", err, profileStatuses(report))
	}
}

// TestProfilesFaults lets the n-th work on a temporary file fail until nothing fails any
// more: the run fails, and the next one makes everything right.
func TestProfilesFaults(t *testing.T) {
	traits, ids := traitsHeader, idsHeader
	for i := range 6 { // so long that they do not stay in memory
		traits += fmt.Sprintf("p%d,level,%s,1\np%d,vip,true,1\n", i, strings.Repeat("gold", 12_000), i)
		ids += fmt.Sprintf("p%d,email,%s,1\np%d,user_id,u%d,1\n", i, strings.Repeat("x", 48_000), i, i)
	}
	for _, kind := range []string{"create", "write", "read"} {
		failed := 0
		for hit := kind; hit != ""; failed++ {
			w := newProfilesWorld(t, longTables([]string{"vip"}, []string{"lev*"}))
			w.options.Memory = 1
			w.write(t, "t.csv", traits)
			w.write(t, "i.csv", ids)
			if hit = w.syncWith(t, &faults{kind: kind, left: failed}, inputs.Request{}); hit == "" && failed == 0 {
				t.Errorf("no %s failed", kind)
			}
			if report := w.sync(t, inputs.Request{}); report.Outcome != runs.Complete || report.Exports[0].Members != 6 || len(w.contacts()) != 6 {
				t.Errorf("%s %d: %s", kind, failed, profileStatuses(report))
			}
		}
	}
}

// TestProfilesAge: tables are as old as the older one, and names that are new are no
// younger.
func TestProfilesAge(t *testing.T) {
	w := newProfilesWorld(t, longTables([]string{"vip*"}, nil))
	w.write(t, "i.csv", idsHeader+"p1,user_id,u1,1\n")
	w.write(t, "t.csv", traitsHeader+"p1,vip,true,1\n")
	report := w.sync(t, inputs.Request{})
	if e := report.Exports[0]; e.AsOf.Second() != 1 || e.Status != runs.StatusApplied {
		t.Errorf("%+v", e)
	}
	w.options.Exports[0].MaxAge = 1
	w.write(t, "t.csv", traitsHeader+"p1,vip,true,1\np1,vip_eu,true,1\n")
	for _, forget := range []bool{false, true} {
		if forget {
			fresh := newProfilesWorld(t, w.options.Exports[0])
			fresh.dir, fresh.options.Exports[0].Dir, fresh.options.Exports[0].ProfileIDs.Dir = w.dir, w.dir, w.dir
			fresh.options.TempDir = w.dir
			for _, name := range []string{"state.db", "state.db.lock"} {
				if err := os.Remove(filepath.Join(w.dir, name)); err != nil {
					t.Fatal(err)
				}
			}
			w = fresh
		}
		report := w.sync(t, inputs.Request{})
		for _, e := range report.Exports {
			if e.Status != runs.StatusHeld || !strings.Contains(e.Reason, "older than max_age") {
				t.Errorf("%+v", e)
			}
		}
		if want := map[bool]int{false: 1, true: 2}[forget]; len(report.Exports) != want {
			t.Errorf("%d exports, want %d", len(report.Exports), want)
		}
	}
}
