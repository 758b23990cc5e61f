package engage

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gleapsync/internal/attr"
	"gleapsync/internal/values"
)

// changes reads a change export and returns what it said, one "id key value @time" each.
func changes(e Export) (got []string, result ChangesResult, err error) {
	e.Changes, e.Pick = true, PickAll
	source, err := e.Open(context.Background())
	if err != nil {
		return nil, result, err
	}
	type said struct {
		text        string
		computation int
	}
	var all []said
	result, err = source.ReadChanges(context.Background(), func(c *Change) error {
		text := fmt.Sprintf("%s %%s %s @%s", c.UserID, c.Value.AppendJSON(nil), time.Unix(0, c.At).UTC().Format("05.999"))
		for _, f := range c.Fields {
			if f.Kind() != attr.None {
				text += " " + f.String()
			}
		}
		if c.Message == 0 {
			text += " no id"
		}
		all = append(all, said{text, c.Computation})
		return nil
	})
	for _, s := range all {
		key := "-"
		if s.computation >= 0 {
			c := result.Computations[s.computation]
			key = c.Attribute.Key + "/" + string(c.Attribute.Kind[:1]) + c.ID
		}
		got = append(got, fmt.Sprintf(s.text, key))
	}
	return got, result, err
}

// identify is an event of Engage.
func identify(user, class, key, id, value string, second int) string {
	return fmt.Sprintf(`{"type":"identify","userId":%q,"traits":{%q:%s},"context":{"personas":{"computation_class":%q,"computation_key":%q,"computation_id":%q,"space_id":"spa_1"}},"timestamp":"2026-03-01T00:00:%02d.500Z","messageId":"m-%s-%d"}`,
		user, key, value, class, key, id, second, user, second) + "\n"
}

func TestReadChanges(t *testing.T) {
	named := []Attribute{{Kind: Audience, Key: "vip", Name: "vip"}, {Kind: Trait, Key: "total", Name: "total", Type: values.Auto}}
	const header = "audience_name,audience_id,audience_action,email,user_id,anonymous_id,timestamp,message_id,properties_or_traits\n"
	for name, test := range map[string]struct {
		text   string
		export Export
		want   []string
		rows   int
		broken int
		noID   int
	}{
		"events": {
			text: identify("u1", "audience", "vip", "aud_1", "true", 1) + "\r\n" + identify("u2", "trait", "total", "tra_1", "007", 2) +
				identify("u2", "trait", "total", "tra_1", "7.50", 2) + identify("u1", "audience", "vip", "aud_1", "false", 3) +
				identify("u1", "trait", "total", "tra_1", "null", 4) + identify("u1", "audience", "other", "aud_2", "true", 5) +
				strings.Replace(identify("u1", "audience", "vip", "aud_1", "true", 1), `"identify"`, `"track"`, 1),
			export: Export{Attributes: named},
			want:   []string{"u1 vip/aaud_1 true @01.5", "u2 total/ttra_1 7.50 @02.5", "u1 vip/aaud_1 false @03.5", "u1 total/ttra_1 null @04.5"},
			rows:   7, broken: 1,
		},
		"discovered": {
			text: identify("u1", "audience", "vip", "aud_1", "true", 1) + identify("u2", "trait", "Total Orders", "tra_1", "7", 2) +
				identify("u1", "audience", "vip", "aud_2", "true", 3) + identify("u1", "audience", "test_1", "aud_3", "true", 3),
			export: Export{Discover: true, Exclude: []string{"test_*"}},
			want:   []string{"u1 vip/aaud_1 true @01.5", "u2 total_orders/ttra_1 7 @02.5", "u1 vip/aaud_2 true @03.5"},
			rows:   4,
		},
		"a wildcard takes its own kind": {
			text:   identify("u1", "audience", "vip", "aud_1", "true", 1) + identify("u2", "trait", "vip_days", "tra_1", "7", 2),
			export: Export{Wildcards: []Wildcard{{Trait, "vip*", values.Auto}}},
			want:   []string{"u2 vip_days/ttra_1 7 @02.5"}, rows: 2,
		},
		"broken": {
			text: `{"type":"identify","userId":"u1","traits":{"vip":true},"timestamp":"yesterday"}` + "\n" +
				`{"type":"identify","userId":"u1","traits":{"vip":"perhaps"},"timestamp":"2026-03-01T00:00:01Z"}` + "\n" +
				`{"type":"identify","anonymousId":"u1","traits":{"vip":true},"timestamp":"2026-03-01T00:00:01Z"}` + "\n" +
				`{"type":"identify","userId":"u1","traits":[],"timestamp":"2026-03-01T00:00:01Z"}` + "\n" + "{\n" +
				`{"type":"identify","userId":17,"traits":{"vip":true},"timestamp":1772323201}`,
			export: Export{Attributes: named},
			want:   []string{"17 vip/a true @01 no id"}, rows: 6, broken: 4, noID: 1,
		},
		"fields": {
			text: `{"type":"identify","userId":"u1","traits":{"email":"a@x.io","company":{"name":"Acme"},"vip":true},"timestamp":"2026-03-01T00:00:01Z"}` + "\n" +
				`{"type":"identify","userId":"u2","traits":{"email":"b@x.io","plan":null},"timestamp":"2026-03-01T00:00:01Z"}` + "\n",
			export: Export{Attributes: named, Fields: []string{"email", "company.name", "plan"}},
			want:   []string{"u1 vip/a true @01 a@x.io Acme no id", "u2 - null @01 b@x.io no id"}, rows: 2,
		},
		"csv": {
			text: header +
				`"vip","aud_1","true","a@x.io","u1","","2026-03-01T00:00:01.000Z","m1","{}"` + "\n" +
				`"vip","aud_1","false","","u2","","2026-03-01T00:00:02.000Z","m2","{""plan"":""gold""}"` + "\n" +
				`"vip","aud_1","","","u2","","2026-03-01T00:00:02.000Z","m2",""` + "\n" +
				`"vip","aud_1","true","","","anon","2026-03-01T00:00:02.000Z","m2",""` + "\n",
			export: Export{Discover: true, Fields: []string{"email", "plan"}},
			want:   []string{"u1 vip/aaud_1 true @01 a@x.io", "u2 vip/aaud_1 false @02 gold"}, rows: 4, broken: 1, noID: 1,
		},
		"csv of all kinds": {
			text: "audience_name,audience_id,audience_action,user_id,timestamp,message_id,traits_or_props\n" +
				`"a__b","aud_1","true","u1","2026-03-01T00:00:01Z","m1",""` + "\n" +
				`"j_o_x__y","jst_1","false","u1","2026-03-01T00:00:01Z","m2",""` + "\n" +
				`"orders","tra_1","1","u1","2026-03-01T00:00:01Z","m3","{""orders"":1}"` + "\n" +
				`"zip","tra_2","00123","u1","2026-03-01T00:00:01Z","m4",""` + "\n" +
				`"plan","tra_3","","u1","2026-03-01T00:00:01Z","m5","{""plan"":null}"` + "\n" +
				`"level","","gold","u1","2026-03-01T00:00:01Z","m6",""` + "\n" +
				`"open","","true","u1","2026-03-01T00:00:01Z","m7",""` + "\n" +
				`"days","","","u1","2026-03-01T00:00:01Z","m8","{""days"":12}"` + "\n" +
				`"orders","tra_1","","u2","2026-03-01T00:00:01Z","m9",""` + "\n",
			export: Export{Discover: true},
			want: []string{
				"u1 a__b/aaud_1 true @01", "u1 j_o_x__y/ajst_1 false @01", "u1 orders/ttra_1 1 @01", `u1 zip/ttra_2 "00123" @01`, "u1 plan/ttra_3 null @01",
				`u1 level/t "gold" @01`, "u1 open/a true @01", "u1 days/t 12 @01",
			}, rows: 9,
		},
		"csv, each kind of broken row": {
			text: header + strings.Repeat(`"vip","aud_1","x","","u","","2026-03-01T00:00:02Z","m",""`+"\n", 5) +
				`"vip","aud_1","true","","u","","2036-03-01T00:00:02Z","m",""` + "\n" +
				`"","aud_1","true","","u","","2026-03-01T00:00:02Z","m",""` + "\n" +
				`"n","tra_1","1","","u","","2026-03-01T00:00:02Z","m","{"` + "\n" +
				`"n","tra_1"` + "\n",
			export: Export{Discover: true}, rows: 9, broken: 9,
		},
		"csv with other names": {
			text:   "segment;who;in;at\nVIP Customers;u1;true;2026-03-01T00:00:01Z\n",
			export: Export{Discover: true, Columns: ChangeColumns{AudienceName: "segment", UserID: "who", AudienceAction: "in", Timestamp: "at"}},
			want:   []string{"u1 vip_customers/a true @01 no id"}, rows: 1,
		},
	} {
		test.export.Dir, test.export.Source = write(t, "e", test.text), "e"
		got, result, err := changes(test.export)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%s: got %q, %v\nwant %q", name, got, err, test.want)
		}
		kinds := map[string]bool{}
		for _, p := range result.Problems {
			kinds[p.Reason] = true
		}
		if result.Rows != test.rows || result.Invalid != test.broken || result.WithoutUserID != test.noID || len(result.Problems) != min(test.broken, maxProblems) || test.broken > maxProblems && len(kinds) != maxProblems {
			t.Errorf("%s: %+v", name, result)
		}
	}
}

// TestReadChangesClasses: what is neither an audience nor a trait is counted, and told to
// who asked for it.
func TestReadChangesClasses(t *testing.T) {
	text := identify("u1", "prediction", "likely", "pre_1", "0.5", 1) + identify("u2", "prediction", "likely", "pre_1", "0.5", 1) +
		identify("u1", "journey_step", "j_o_x__y", "jst_1", `"true"`, 2) + identify("u1", "audience", "vip", "aud_1", "true", 2)
	got, result, err := changes(Export{
		Dir: write(t, "e", text), Source: "e", Attributes: []Attribute{{Kind: Trait, Key: "likely", Name: "likely", Type: values.Auto}},
		Wildcards: []Wildcard{{Audience, "j_*", ""}, {Trait, "v*", values.Auto}},
	})
	if want := "[u1 j_o_x__y/ajst_1 true @02.5]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("%v, %v", got, err)
	}
	if result.Rows != 4 || fmt.Sprint(result.PassedOver) != "map[prediction:2]" || fmt.Sprint(result.Mismatched) != "map[likely:prediction vip:audience]" {
		t.Errorf("%+v", result)
	}
}

// TestTimeAhead: a clock may be a day ahead, and no more.
func TestTimeAhead(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		stamp string
		want  bool
	}{{"2026-03-02T12:00:00Z", true}, {"2026-03-02T12:00:01Z", false}, {"2026-03-02T14:00:00+02:00", true}, {"1772539201", false}} {
		r := eventReader{counts: &Result{}, file: "f", line: 7, latest: at.Add(ahead)}
		_, _, ok := r.check([]byte("u1"), []byte(test.stamp), nil)
		problem := fmt.Sprint(r.counts.Problems)
		if ok != test.want || !ok && problem != "[f:7: column timestamp: the time stamp is more than a day ahead: look at the clock of what wrote it]" {
			t.Errorf("%s: %t, %s", test.stamp, ok, problem)
		}
	}
}

// TestReadChangesRefused: what cannot be complete is an error.
func TestReadChangesRefused(t *testing.T) {
	event := identify("u1", "audience", "vip", "aud_1", "true", 1)
	hashed := "audience_name,audience_action,user_id,timestamp\nvip,true," + strings.Repeat("0f", 32) + ",2026-03-01T00:00:01Z\n"
	if got, _, err := changes(Export{Dir: write(t, "e", hashed), Source: "e", Discover: true, Columns: ChangeColumns{UserID: "user_id"}}); err != nil || len(got) != 1 {
		t.Errorf("ids that are hashes: %v, %v", got, err)
	}
	for text, want := range map[string]string{
		hashed:                                  `e: the user ids are SHA-256 hashes, which Gleap does not know: have the destination send them as they are (if they really are your user ids, name their column with columns = { user_id = "…" })`,
		"":                                      "e: the file is empty",
		" \n":                                   "e: the file is empty",
		event + event[:100]:                     "e: the file ends inside a row: the export is not complete; export it again, and the next run takes it",
		"audience_name,user_id,timestamp\n":     `e: the header has no column "audience_action": name it under columns; its columns are "audience_name", "user_id", "timestamp"`,
		gzipped(event)[:50]:                     "e: its gzip data breaks off: the export is not complete; export it again, and the next run takes it",
		event + strings.TrimRight(event, "}\n"): "e: the file ends inside a row: the export is not complete; export it again, and the next run takes it",
	} {
		_, _, err := changes(Export{Dir: write(t, "e", text), Source: "e", Discover: true})
		if err == nil || err.Error() != want {
			t.Errorf("%.30q: got %v, want %s", text, err, want)
		}
	}
}

// TestChangeFiles: files are read in the order of their age.
func TestChangeFiles(t *testing.T) {
	dir := write(t, "b", identify("u1", "audience", "vip", "", "true", 1), "a", identify("u2", "audience", "vip", "", "true", 1), "c", identify("u3", "audience", "vip", "", "true", 1))
	e := Export{Dir: dir, Source: ".", Discover: true, Changes: true, Pick: PickAll}
	source, err := e.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if files := source.Files(); len(files) != 3 || files[0].Name != "a" || files[0].Version == "" {
		t.Errorf("%v", files)
	}
	source.Skip(func(f File) bool { return f.Name == "c" })
	stop := errors.New("enough")
	got := ""
	_, err = source.ReadChanges(t.Context(), func(c *Change) error {
		if got += string(c.UserID); len(got) == 4 {
			return stop
		}
		return nil
	})
	if got != "u1u2" || !errors.Is(err, stop) {
		t.Errorf("%s, %v", got, err)
	}
}

func FuzzReadChanges(f *testing.F) {
	f.Add([]byte(identify("u1", "audience", "vip", "aud_1", "true", 1)))
	f.Add([]byte("audience_name,audience_action,user_id,timestamp\nvip,true,u1,2026-03-01T00:00:01Z\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		_, result, _ := changes(Export{Dir: write(t, "e", string(content)), Source: "e", Discover: true, Fields: []string{"email", "a.b"}})
		if result.Invalid+result.WithoutUserID > 2*result.Rows {
			t.Errorf("%+v", result)
		}
	})
}
