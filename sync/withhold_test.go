package sync

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"gleapsync/engage"
	"gleapsync/internal/guard"
	"gleapsync/internal/inputs"
	"gleapsync/internal/runs"
)

// exportForm is a way in which an export can come: what writes the members of a day, with one row
// damaged if there is a text for it.
type exportForm struct {
	export inputs.Export
	write  func(w *world, t *testing.T, members []string, damage string)
	damage []string // what stands in place of the damaged row
}

// exportForms are all forms in which an audience "vip" or a trait "vip" can come.
func exportForms() map[string]exportForm {
	csv := func(header, row string) func([]string, string) string {
		return func(members []string, damage string) string {
			text := header + "\n"
			for _, m := range members {
				text += fmt.Sprintf(row, m) + "\n"
			}
			if damage != "" {
				text += damage + "\n" + fmt.Sprintf(row, "behind") + "\n"
			}
			return text
		}
	}
	file := func(name string, text func([]string, string) string) func(*world, *testing.T, []string, string) {
		return func(w *world, t *testing.T, members []string, damage string) { w.write(t, name, text(members, damage)) }
	}
	column := func(source string, kind engage.Kind) inputs.Export {
		return inputs.Export{Export: engage.Export{Source: source, Attributes: []engage.Attribute{{Kind: kind, Key: "vip", Name: "vip", Column: "vip"}}}}
	}
	cleared := trait("vip.csv", "vip")
	cleared.ClearMissing = true
	zipped := func(name string, text func([]string, string) string) func(*world, *testing.T, []string, string) {
		return func(w *world, t *testing.T, members []string, damage string) {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			z.Write([]byte(text(members, damage)))
			z.Close()
			w.write(t, name, b.String())
		}
	}
	// A quote that closes two rows later swallows the one between.
	swallowed := "x1,\"6'2\nu7,1\nx2,1\""
	brokenCSV := []string{swallowed, "x1,\"6'2,1\nu7,1\",1", `u7,6'2" tall`, "u7", "u7,1,2", "u7,\"x\"y", "\xff,x", "1.23457E+11,x", `["u7"],x`}
	brokenJSON := []string{`{"user_id":"u7"`, `{"user_id":u7}`, "u7", `{"user_id":["u7"],"vip":true}`, `{"user_id":{"a":1},"vip":true}`, "{\"user_id\":\"\xff\",\"vip\":true}",
		`{"user_id":"u\7","vip":true}`, "{\"user_id\":\"u\x007\",\"vip\":true}", "{\"user_id\":\"\\u00e4\xff\",\"vip\":true}", `{"usr_id":"u7","vip":true}`, `{"userId":"u7","vip":true}`}
	lines := csv("", `{"user_id":"%s","vip":true}`)
	json := func(members []string, damage string) string { return strings.TrimPrefix(lines(members, damage), "\n") }
	traits := csv("canonical_segment_id,name,value,seq", "p-%[1]s,vip,true,1")
	ids := csv("canonical_segment_id,type,value,seq", "p-%[1]s,user_id,%[1]s,1")
	profiles := inputs.Export{
		Export: engage.Export{
			Source: "t.csv", Attributes: []engage.Attribute{{Kind: engage.Audience, Key: "vip", Name: "vip", Column: "vip"}},
			ProfileIDs: &engage.Export{Source: "i.csv"},
		},
	}
	long := func(name string) func(*world, *testing.T, []string, string) {
		return func(w *world, t *testing.T, members []string, damage string) {
			all := append([]string{"behind"}, members...)
			texts := map[string]string{"t.csv": traits(all, ""), "i.csv": ids(all, "")}
			if damage != "" {
				texts[name] += damage + "\n"
				if name == "i.csv" { // whom the profile means is what nobody knows
					texts["t.csv"] += "p-7,vip,true,1\n"
				}
			}
			for name, text := range texts {
				w.write(t, name, text)
			}
		}
	}
	command := audience("vip", "vip")
	command.Command = []string{"cat", "vip.csv"}
	folder := audience("parts", "vip")
	folder.Pick = engage.PickAll
	list := csv("user_id,x", "%s,1")
	return map[string]exportForm{
		"CSV of members":       {audience("vip.csv", "vip"), file("vip.csv", list), brokenCSV},
		"CSV of a table":       {column("vip.csv", engage.Audience), file("vip.csv", csv("user_id,vip", "%s,true")), brokenCSV},
		"CSV of a trait":       {cleared, file("vip.csv", csv("user_id,value", "%s,5")), brokenCSV},
		"zipped CSV":           {audience("vip.csv.gz", "vip"), zipped("vip.csv.gz", list), brokenCSV[:1]},
		"external ids":         {audience("vip.csv", "vip"), file("vip.csv", csv("key,external_ids", `k-%[1]s,"{""user_id"":[""%[1]s""]}"`)), []string{`k-7,"{""user_id"":[""u7""}"`, "k-7", `k-7,"{""user_id"":[""1.2E+11""]}"`, `k-7,"{""usr_id"":[""u7""]}"`}},
		"a command":            {command, file("vip.csv", list), brokenCSV[:2]},
		"JSON lines":           {column("vip.json", engage.Audience), file("vip.json", json), brokenJSON},
		"zipped JSON lines":    {column("vip.json.gz", engage.Audience), zipped("vip.json.gz", json), brokenJSON[:1]},
		"JSON lines of traits": {func() inputs.Export { e := column("vip.json", engage.Trait); e.ClearMissing = true; return e }(), file("vip.json", json), brokenJSON},
		"traits of profiles":   {profiles, long("t.csv"), []string{"p-7", `p-7,vip,"x"y,1`, ",vip,true,1", "p-7,,true,1"}},
		"ids of profiles":      {profiles, long("i.csv"), []string{"p-7", "p-7,user_id,\xff,1", "p-7,user_id,u7,x", "p-7,user_id,1.2E+11,1", ",user_id,u7,1", "p-7,usr_id,u7,1"}},
		"parts": {folder, func(w *world, t *testing.T, members []string, damage string) {
			if err := os.MkdirAll(filepath.Join(w.dir, "parts"), 0o700); err != nil {
				t.Fatal(err)
			}
			w.write(t, "parts/0.csv", list(members[:1], ""))
			w.write(t, "parts/1.csv", list(members[1:], damage))
		}, brokenCSV[:2]},
		"Parquet": {column("vip.parquet", engage.Audience), func(w *world, t *testing.T, members []string, damage string) {
			type row struct {
				UserID string `parquet:"user_id"`
				VIP    bool   `parquet:"vip"`
			}
			var rows []row
			for _, m := range members {
				rows = append(rows, row{m, true})
			}
			if damage != "" {
				rows = append(rows, row{damage, true}, row{"behind", true})
			}
			var b bytes.Buffer
			if err := parquet.Write(&b, rows); err != nil {
				t.Fatal(err)
			}
			w.write(t, "vip.parquet", b.String())
		}, []string{"\xff", "1.23457E+11", `["u7"]`}},
	}
}

// TestDamageRemovesNobody: whatever the form, as long as a row cannot be read, nobody leaves
// through the export. Who comes does so, and once all is read again those who left have.
func TestDamageRemovesNobody(t *testing.T) {
	t.Parallel() // it waits for the disk
	for name, form := range exportForms() {
		for _, damage := range form.damage {
			t.Run(name+" "+damage, func(t *testing.T) {
				w := newWorld(t, form.export)
				if form.export.ProfileIDs != nil {
					ids := *form.export.ProfileIDs
					ids.Dir = w.dir
					w.options.Exports[0].ProfileIDs = &ids
				}
				w.options.Guard.MaxInvalid, _ = guard.ParseLimit("90%")
				form.write(w, t, []string{"u1", "u2", "u7", "u8"}, "")
				w.sync(t, inputs.Request{})
				form.write(w, t, []string{"u1", "u2", "u9"}, damage) // u7 is damaged, u8 left
				for run := 1; run <= 3; run++ {
					report := w.sync(t, inputs.Request{})
					e := report.Exports[0]
					if report.Outcome != runs.Held || e.Status != runs.StatusApplied || e.Withheld != 2 || e.Exited != 0 || len(e.Problems) == 0 || !strings.Contains(e.Reason, "2 ") {
						t.Fatalf("run %d: %s %+v", run, report.Outcome, e)
					}
					if names := strings.Contains(e.Reason, "sync --accept-absence vip"); names != (run == 3) {
						t.Errorf("run %d: %s", run, e.Reason)
					}
					if run == 1 && !strings.Contains(w.contacts()["u9"], "vip") {
						t.Errorf("u9 came and is not told: %s", w.contacts())
					}
					for _, u := range []string{"u7", "u8"} {
						if c := w.contacts()[u]; strings.Contains(c, "false") || strings.Contains(c, "null") || !strings.Contains(c, "vip") {
							t.Fatalf("%s was removed: %s", u, c)
						}
					}
				}
				// Whole again, those who are gone have left.
				form.write(w, t, []string{"u1", "u2", "u7", "u9"}, "")
				report := w.sync(t, inputs.Request{})
				if e := report.Exports[0]; report.Outcome != runs.Complete || e.Exited == 0 || e.Withheld != 0 || e.Reason != "" {
					t.Errorf("%s %+v", report.Outcome, e)
				}
				if c := w.contacts(); strings.Contains(c["u7"], "false") || !strings.Contains(c["u7"], "vip") || strings.Contains(c["u8"], "true") || strings.Contains(c["u8"], "5") {
					t.Errorf("u7 %s, u8 %s", c["u7"], c["u8"])
				}
				calls := w.gleap.Counts().Identify
				if report := w.sync(t, inputs.Request{}); report.Outcome != runs.Complete || w.gleap.Counts().Identify != calls {
					t.Errorf("a run without changes: %s", report.Outcome)
				}
			})
		}
	}
}

// TestAcceptAbsence: those who are missing can be let go, in one run or always.
func TestAcceptAbsence(t *testing.T) {
	start := func() *world {
		w := newWorld(t, audience("vip.csv", "vip"), audience("beta.csv", "beta"))
		w.options.Guard.MaxInvalid, _ = guard.ParseLimit("90%")
		for _, name := range []string{"vip.csv", "beta.csv"} {
			w.write(t, name, "user_id,x\nu1,\nu2,\n")
		}
		w.sync(t, inputs.Request{})
		for _, name := range []string{"vip.csv", "beta.csv"} {
			w.write(t, name, "user_id,x\nu1,\nx\"\n")
		}
		return w
	}
	w := start()
	report := w.sync(t, inputs.Request{AcceptAbsence: []string{"v*"}})
	if vip, beta := report.Exports[0], report.Exports[1]; vip.Exited != 1 || vip.Withheld != 0 || beta.Exited != 0 || beta.Withheld != 1 {
		t.Errorf("%+v\n%+v", vip, beta)
	}
	if want := "vip: 1 row of it cannot be read, so nobody knows who is missing (vip.csv:3: a quote inside a field without quotes). --accept-absence lets all go who are in none that was read, 1 contact, and among them whoever was meant there"; !slices.Equal(report.Notes, []string{want}) {
		t.Errorf("%q", report.Notes)
	}
	report = w.sync(t, inputs.Request{})
	if vip, beta := report.Exports[0], report.Exports[1]; vip.Status != runs.StatusUnchanged || beta.Withheld != 1 || report.Outcome != runs.Held {
		t.Errorf("%+v\n%+v", vip, beta)
	}
	w = start()
	w.options.Exports[1].IgnoreBroken = true
	report = w.sync(t, inputs.Request{})
	if vip, beta := report.Exports[0], report.Exports[1]; vip.Withheld != 1 || beta.Exited != 1 || beta.Withheld != 0 {
		t.Errorf("%+v\n%+v", vip, beta)
	}
	w = start()
	w.options.Guard.MaxExits, _ = guard.ParseLimit("10%")
	if e := w.sync(t, inputs.Request{}).Exports[0]; e.Status != runs.StatusHeld || !strings.Contains(e.Reason, "--max-exits vip=1") {
		t.Errorf("the guard does not count what is withheld: %+v", e)
	}
}

// TestWithheldExitsOfChanges: what a change export says of those who left waits as well, and
// its files with it.
func TestWithheldExitsOfChanges(t *testing.T) {
	w := newWorld(t, changeExport())
	w.options.Guard.MaxInvalid, _ = guard.ParseLimit("90%")
	w.writeEvents(t, "1.json", in("u1", "vip", 1)+in("u2", "vip", 2))
	w.sync(t, inputs.Request{})
	w.writeEvents(t, "2.json", out("u1", "vip", 3)+"{broken}\n"+in("u3", "vip", 4))
	for range 2 {
		report := w.sync(t, inputs.Request{})
		if e := report.Exports[0]; report.Outcome != runs.Held || e.Withheld != 1 || e.Exited != 0 {
			t.Fatalf("%s %+v", report.Outcome, e)
		}
	}
	if c := w.contacts(); c["u1"] != `{"vip":true}` || c["u3"] != `{"vip":true}` {
		t.Error(c)
	}
	if report := w.sync(t, inputs.Request{AcceptAbsence: []string{"vip"}}); report.Outcome != runs.Complete || w.contacts()["u1"] != `{"vip":false}` {
		t.Errorf("%s %s", report.Outcome, w.contacts())
	}
	if report := w.sync(t, inputs.Request{}); report.Outcome != runs.Complete || report.Exports[0].Status != runs.StatusUnchanged {
		t.Errorf("%s %s", report.Outcome, statuses(report))
	}
}

// TestMissingParts: with fewer parts than before nobody leaves, unless something says that
// they are all.
func TestMissingParts(t *testing.T) {
	part := func(n int) string { return fmt.Sprintf("parts/part-%05d.csv", n) }
	start := func() *world {
		e := audience("parts", "vip")
		e.Pick = engage.PickAll
		w := newWorld(t, e)
		if err := os.MkdirAll(filepath.Join(w.dir, "parts"), 0o700); err != nil {
			t.Fatal(err)
		}
		for n := range 4 {
			w.write(t, part(n), list(fmt.Sprintf("u%d", n)))
		}
		w.write(t, "parts/part-00009.csv", "") // a part of zero bytes is none
		w.sync(t, inputs.Request{})
		if err := os.Remove(filepath.Join(w.dir, part(2))); err != nil {
			t.Fatal(err)
		}
		w.write(t, part(0), list("u0", "u9"))
		return w
	}
	left := func(w *world) bool { return strings.Contains(w.contacts()["u2"], "false") }
	w := start()
	for range 2 {
		report := w.sync(t, inputs.Request{})
		if e := report.Exports[0]; report.Outcome != runs.Held || e.Withheld != 1 || !strings.Contains(e.Reason, "part-00002.csv") || left(w) {
			t.Fatalf("%s %+v", report.Outcome, e)
		}
	}
	if w.contacts()["u9"] == "" {
		t.Error("u9 came and is not told")
	}
	w.write(t, part(2), list("u2")) // it comes late
	if report := w.sync(t, inputs.Request{}); report.Outcome != runs.Complete || left(w) {
		t.Errorf("%s", report.Outcome)
	}
	for name, let := range map[string]func(w *world) inputs.Request{
		"_SUCCESS": func(w *world) inputs.Request { w.write(t, "parts/_SUCCESS", ""); return inputs.Request{} },
		"parts":    func(w *world) inputs.Request { w.options.Exports[0].AnyParts = true; return inputs.Request{} },
		"accepted": func(w *world) inputs.Request { return inputs.Request{AcceptAbsence: []string{"vip"}} },
	} {
		w := start()
		if report := w.sync(t, let(w)); report.Outcome != runs.Complete || !left(w) {
			t.Errorf("%s: %s %+v", name, report.Outcome, report.Exports[0])
		}
		if report := w.sync(t, inputs.Request{}); report.Exports[0].Status != runs.StatusUnchanged {
			t.Errorf("%s: %+v", name, report.Exports[0])
		}
	}
}

// TestWithheldPartsDoNotCount: a snapshot whose exits are withheld says nothing of how many
// parts are usual, even if _SUCCESS says that they are all.
func TestWithheldPartsDoNotCount(t *testing.T) {
	e := audience("parts", "vip")
	e.Pick = engage.PickAll
	w := newWorld(t, e)
	w.options.Guard.MaxInvalid, _ = guard.ParseLimit("90%")
	if err := os.MkdirAll(filepath.Join(w.dir, "parts"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"1", "2", "3"} {
		w.write(t, "parts/"+n+".csv", "user_id,x\nu"+n+",\n")
	}
	w.sync(t, inputs.Request{})
	if err := os.Remove(filepath.Join(w.dir, "parts", "3.csv")); err != nil {
		t.Fatal(err)
	}
	w.write(t, "parts/2.csv", "user_id,x\nu2,\nx\"\n")
	w.write(t, "parts/_SUCCESS", "")
	if e := w.sync(t, inputs.Request{}).Exports[0]; e.Withheld != 1 || !strings.Contains(e.Reason, "cannot be read") {
		t.Fatalf("%+v", e)
	}
	if err := os.Remove(filepath.Join(w.dir, "parts", "_SUCCESS")); err != nil {
		t.Fatal(err)
	}
	w.write(t, "parts/2.csv", "user_id,x\nu2,\n")
	if e := w.sync(t, inputs.Request{}).Exports[0]; e.Withheld != 1 || !strings.Contains(e.Reason, "2 parts are there, 3 were") {
		t.Errorf("%+v", e)
	}
}

// TestMorePartsWhileWithheld: parts that came while exits are withheld are missed too.
func TestMorePartsWhileWithheld(t *testing.T) {
	e := audience("parts", "vip")
	e.Pick = engage.PickAll
	w := newWorld(t, e)
	w.options.Guard.MaxInvalid, _ = guard.ParseLimit("90%")
	if err := os.MkdirAll(filepath.Join(w.dir, "parts"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.write(t, "parts/1.csv", "user_id,x\nu1,\nu9,\n")
	w.sync(t, inputs.Request{})
	w.write(t, "parts/1.csv", "user_id,x\nu1,\nx\"\n") // u9 left, and nobody knows who x is
	for _, n := range []string{"2", "3", "4"} {
		w.write(t, "parts/"+n+".csv", "user_id,x\nu"+n+",\n")
	}
	if e := w.sync(t, inputs.Request{}).Exports[0]; e.Withheld != 1 || e.Entered != 3 {
		t.Fatalf("%+v", e)
	}
	w.write(t, "parts/1.csv", "user_id,x\nu1,\n")
	if err := os.Remove(filepath.Join(w.dir, "parts", "4.csv")); err != nil {
		t.Fatal(err)
	}
	if e := w.sync(t, inputs.Request{}).Exports[0]; e.Exited != 0 || e.Withheld != 2 || !strings.Contains(e.Reason, "3 parts are there, 4 were") {
		t.Errorf("%+v", e)
	}
}

// TestHeldCallsNobody: the report of what a guard holds has what it would have done, whether
// rows can be read or not, and no calls, also where others go on.
func TestHeldCallsNobody(t *testing.T) {
	for name, damage := range map[string]string{"whole": "", "broken": "x\"\n"} {
		w := newWorld(t, audience("vip.csv", "vip"), audience("beta.csv", "beta"))
		w.options.Guard.MaxInvalid, _ = guard.ParseLimit("90%")
		w.options.Guard.MaxExits, _ = guard.ParseLimit("10%")
		w.write(t, "vip.csv", "user_id,x\nu1,\nu2,\nu3,\n")
		w.write(t, "beta.csv", list("u1"))
		w.sync(t, inputs.Request{})
		w.write(t, "vip.csv", "user_id,x\nu1,\nu4,\n"+damage)
		w.write(t, "beta.csv", list("u1", "u5"))
		report := w.sync(t, inputs.Request{})
		vip, beta := report.Exports[0], report.Exports[1]
		if vip.Status != runs.StatusHeld || vip.Members != 2 || vip.Exited != 2 || vip.Entered != 1 || vip.Withheld != 0 || vip.CallsAlone != 0 {
			t.Errorf("%s: %+v", name, vip)
		}
		if beta.CallsAlone != 1 || report.Contacts.Sent != 1 {
			t.Errorf("%s: %+v %+v", name, beta, report.Contacts)
		}
	}
}

// TestWithheldBesideChurn: what is withheld is named with its way out from the third run on,
// also where none of the runs comes to its end.
func TestWithheldBesideChurn(t *testing.T) {
	e := trait("t.csv", "score")
	e.ClearMissing = true
	w := newWorld(t, e)
	w.options.Guard.MaxInvalid, _ = guard.ParseLimit("90%")
	w.write(t, "t.csv", scores(20, 0))
	w.sync(t, inputs.Request{})
	for run := 1; run <= 4; run++ {
		w.write(t, "t.csv", scores(18, run)+"x\"\n")
		report, _ := w.syncUpTo(t, 5, inputs.Request{})
		e := report.Exports[0]
		if report.Outcome != runs.Partial || e.Withheld != 2 {
			t.Fatalf("run %d: %s %+v", run, report.Outcome, e)
		}
		if names := strings.Contains(e.Reason, "sync --accept-absence score"); names != (run >= 3) {
			t.Errorf("run %d: %s", run, e.Reason)
		}
	}
}
