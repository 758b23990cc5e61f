package sync

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gleapsync/engage"
	"gleapsync/internal/events"
	"gleapsync/internal/guard"
	"gleapsync/internal/inputs"
	"gleapsync/internal/known"
	"gleapsync/internal/rounds"
	"gleapsync/internal/runs"
)

// cutForm is a form of text that may be cut off anywhere.
type cutForm struct {
	export inputs.Export
	files  map[string]string
	cut    string // the file that is
	zipped bool
}

// cutIDs are such that what is left of one may be another, or nobody's.
var cutIDs = []string{"u19", "u1", "u27,5", "u190", "u2", "u1904"}

func cutForms() map[string]cutForm {
	text := func(header, row string) string {
		text := header
		for n, id := range cutIDs {
			text += fmt.Sprintf(row, strings.ReplaceAll(id, ",", "")) + []string{"\n", "\r\n"}[n%2]
		}
		return text
	}
	one := func(e inputs.Export, text string) cutForm {
		return cutForm{e, map[string]string{e.Source: text}, e.Source, false}
	}
	column := func(source string, kind engage.Kind) inputs.Export {
		e := audience(source, "vip")
		e.Attributes[0].Kind, e.Attributes[0].Column = kind, "vip"
		e.ClearMissing = true
		return e
	}
	single, members := text("user_id\n", "%s"), text("x,user_id\n", "\"1\n2\",%s")
	command := audience("vip", "vip")
	command.Command = []string{"cat", "vip.csv"}
	folder := audience("parts", "vip")
	folder.Pick = engage.PickAll
	pattern := column("vip.csv", engage.Audience)
	pattern.Attributes, pattern.Wildcards = nil, []engage.Wildcard{{Kind: engage.Audience, Pattern: "v*"}}
	profiles := column("t.csv", engage.Audience)
	profiles.ProfileIDs = &engage.Export{Source: "i.csv"}
	long := map[string]string{
		"t.csv": text("canonical_segment_id,name,value,seq\n", "p%[1]s,vip,true,1"),
		"i.csv": text("canonical_segment_id,type,seq,value\n", "p%[1]s,user_id,1,%[1]s"),
	}
	return map[string]cutForm{
		"a single column":  one(audience("vip.csv", "vip"), single),
		"without a header": one(audience("vip.csv", "vip"), "\n\n"+single),
		"the id last":      one(audience("vip.csv", "vip"), members),
		"in quotes":        one(audience("vip.csv", "vip"), text("x,user_id\n", `1,"%s"`)),
		"a table":          one(column("vip.csv", engage.Audience), text("vip,user_id\n", "true,%s")),
		"a column last":    one(column("vip.csv", engage.Audience), text("user_id,vip\n", "%s,true")),
		"a pattern":        one(pattern, text("user_id;vip\n", "%s;true")),
		"a trait":          one(column("vip.csv", engage.Trait), text("user_id\tvip\n", "%s\t12345")),
		"external ids":     one(audience("vip.csv", "vip"), text("key,external_ids\n", `k,"{""user_id"":[""%s""]}"`)),
		"zipped":           {audience("vip.csv.gz", "vip"), map[string]string{"vip.csv.gz": single}, "vip.csv.gz", true},
		"a command":        {command, map[string]string{"vip.csv": single}, "vip.csv", false},
		"a part":           {folder, map[string]string{"parts/1.csv": single, "parts/2.csv": "user_id\nz1\n"}, "parts/1.csv", false},
		"traits":           {profiles, long, "t.csv", false},
		"ids":              {profiles, long, "i.csv", false},
		"JSON lines":       one(column("vip.json", engage.Audience), text("", `{"vip":true,"user_id":"%s"}`)),
	}
}

func (f cutForm) start(t testing.TB) *world {
	w := newWorld(t, f.export)
	w.options.Guard.MaxInvalid, _ = guard.ParseLimit("100%")
	w.options.Guard.MaxExits, _ = guard.ParseLimit("100%")
	w.options.Exports[0].AllowEmpty = true
	if f.export.ProfileIDs != nil {
		ids := *f.export.ProfileIDs
		ids.Dir = w.dir
		w.options.Exports[0].ProfileIDs = &ids
	}
	if err := os.MkdirAll(filepath.Join(w.dir, "parts"), 0o700); err != nil {
		t.Fatal(err)
	}
	f.write(w, t, len(f.files[f.cut]))
	return w
}

// write writes the files, of one of them so many bytes only.
func (f cutForm) write(w *world, t fataler, size int) {
	for name, text := range f.files {
		if name == f.cut {
			text = text[:size]
		}
		if f.zipped {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			z.Write([]byte(text))
			z.Close()
			text = b.String()
		}
		w.write(t, name, text)
	}
}

// TestCutAnywhere: wherever a text is cut that was whole before, but for behind a row, nobody
// enters who is not in it, and nobody leaves.
func TestCutAnywhere(t *testing.T) {
	forms := cutForms()
	names := slices.Sorted(maps.Keys(forms))
	rounds.Check(t, func(r *rapid.T) {
		f := forms[rapid.SampledFrom(names).Draw(r, "form")]
		text := f.files[f.cut]
		size := rapid.IntRange(1, len(text)-1).Filter(func(n int) bool { return text[n-1] != '\n' }).Draw(r, "size")
		w := f.start(t)
		w.sync(t, inputs.Request{})
		whole := w.contacts()
		for range 2 {
			f.write(w, t, size)
			_, _ = w.runner(t).Sync(t.Context(), inputs.Request{}) // nothing can be read of a header that is cut
			if got := w.contacts(); !maps.Equal(got, whole) {
				r.Fatalf("of %q there is %q: %v, before %v", text, text[:size], got, whole)
			}
		}
		f.write(w, t, len(text))
		if report := w.sync(t, inputs.Request{}); report.Outcome != runs.Complete || !maps.Equal(w.contacts(), whole) {
			r.Fatalf("%s %+v", report.Outcome, report.Exports)
		}
	})
}

// TestCutInLastField: a row that has all its fields and no line break is not read if the export
// ended with one before. It counts as a row that cannot be read.
func TestCutInLastField(t *testing.T) {
	for name, f := range cutForms() {
		t.Run(name, func(t *testing.T) {
			w := f.start(t)
			w.sync(t, inputs.Request{})
			whole := w.contacts()
			size := len(f.files[f.cut]) - len("\r\n") // the last row has all but its break
			f.write(w, t, size)
			report := w.sync(t, inputs.Request{})
			e := report.Exports[0]
			if report.Outcome != runs.Held || e.Status != runs.StatusApplied || e.Withheld != 1 || e.Invalid != 1 || !strings.Contains(e.Reason, "no line break") {
				t.Errorf("%s %+v", report.Outcome, e)
			}
			if got := w.contacts(); !maps.Equal(got, whole) {
				t.Errorf("%v, before %v", got, whole)
			}
		})
	}
}

// TestEndWithoutLineBreak: what never ended with a line break is taken as it is, and so is what was
// once taken for whole without.
func TestEndWithoutLineBreak(t *testing.T) {
	open, closed := "user_id\nu1\nu2\nu30", "user_id\nu1\nu2\nu30\n"
	start := func(t *testing.T, text string) *world {
		w := newWorld(t, audience("vip.csv", "vip"))
		w.options.Guard.MaxInvalid, _ = guard.ParseLimit("90%")
		w.options.Guard.MaxExits, _ = guard.ParseLimit("100%")
		w.write(t, "vip.csv", text)
		if report := w.sync(t, inputs.Request{}); report.Exports[0].Members != 3 {
			t.Fatalf("%+v", report.Exports[0])
		}
		return w
	}
	next := func(t *testing.T, w *world, text string, request inputs.Request, want string) {
		t.Helper()
		w.write(t, "vip.csv", text)
		e := w.sync(t, request).Exports[0]
		if got := fmt.Sprintf("%d in, %d out, %d withheld, %d invalid", e.Entered, e.Exited, e.Withheld, e.Invalid); got != want {
			t.Errorf("%s, want %s: %s", got, want, e.Reason)
		}
	}
	t.Run("at first", func(t *testing.T) {
		w := start(t, open)
		next(t, w, "user_id\nu1\nu2\nu30\nu4", inputs.Request{}, "1 in, 0 out, 0 withheld, 0 invalid")
		next(t, w, "user_id\nu1\nu2\nu3", inputs.Request{}, "1 in, 2 out, 0 withheld, 0 invalid") // nothing tells that
		next(t, w, closed, inputs.Request{}, "1 in, 1 out, 0 withheld, 0 invalid")
		next(t, w, "user_id\nu1\nu2\nu30\nu4", inputs.Request{}, "0 in, 0 out, 0 withheld, 1 invalid") // u30 is there, u4 may be a part
	})
	t.Run("accepted", func(t *testing.T) {
		w := start(t, closed)
		next(t, w, "user_id\nu1\nu9\nu3", inputs.Request{}, "1 in, 0 out, 2 withheld, 1 invalid")
		next(t, w, "user_id\nu1\nu9\nu3", inputs.Request{AcceptAbsence: []string{"vip"}}, "0 in, 2 out, 0 withheld, 1 invalid")
		next(t, w, "user_id\nu1\nu9\nu31", inputs.Request{}, "1 in, 0 out, 0 withheld, 0 invalid")
	})
	t.Run("ignored", func(t *testing.T) {
		w := start(t, closed)
		w.options.Exports[0].IgnoreBroken = true
		next(t, w, "user_id\nu1\nu9\nu3", inputs.Request{}, "1 in, 2 out, 0 withheld, 1 invalid")
		next(t, w, "user_id\nu1\nu9\nu31", inputs.Request{}, "1 in, 0 out, 0 withheld, 0 invalid")
	})
	t.Run("JSON in between", func(t *testing.T) {
		w := start(t, closed)
		lines := `{"user_id":"u1"}` + "\n" + `{"user_id":"u2"}` + "\n" + `{"user_id":"u4"}`
		next(t, w, lines, inputs.Request{}, "0 in, 0 out, 1 withheld, 1 invalid")
		next(t, w, lines+"\n", inputs.Request{}, "1 in, 1 out, 0 withheld, 0 invalid")
		next(t, w, "user_id\nu1\nu2\nu40", inputs.Request{}, "0 in, 0 out, 1 withheld, 1 invalid")
	})
	t.Run("one part", func(t *testing.T) {
		w := start(t, closed)
		w.options.Exports[0].Source, w.options.Exports[0].Pick = "p*.csv", engage.PickAll
		w.write(t, "p1.csv", "user_id\nu1\nu2")
		w.write(t, "p2.csv", "user_id\nu30\n")
		next(t, w, closed, inputs.Request{}, "0 in, 0 out, 1 withheld, 1 invalid")
		next(t, w, closed, inputs.Request{AcceptAbsence: []string{"vip"}}, "0 in, 1 out, 0 withheld, 1 invalid")
		w.write(t, "p1.csv", "user_id\nu1\nu5")
		next(t, w, closed, inputs.Request{}, "1 in, 0 out, 0 withheld, 0 invalid")
	})
}

// TestCutChanges: a file of changes that may be cut off is not read, lest a change is lost, or one
// counts that nobody wrote.
func TestCutChanges(t *testing.T) {
	e := changeExport()
	w := newWorld(t, e)
	const header = "audience_name,audience_action,timestamp,user_id\n"
	row := func(user, action string, at int) string {
		return fmt.Sprintf("vip,%s,%d,%s", action, 1_700_000_000+at, user)
	}
	w.writeEvents(t, "1.csv", header+row("u1", "true", 1)) // the first without a line break
	w.sync(t, inputs.Request{})
	w.writeEvents(t, "2.csv", header+row("u2", "true", 2)) // nor has the second
	w.sync(t, inputs.Request{})
	w.writeEvents(t, "3.csv", header+row("u3", "true", 3)+"\n")
	w.sync(t, inputs.Request{})
	whole := w.contacts()
	if len(whole) != 3 {
		t.Fatal(whole)
	}
	w.sync(t, inputs.Request{})
	w.writeEvents(t, "4.csv", header+row("u4", "true", 4)+"\n"+row("u19", "true", 5))
	for range 2 {
		report, _ := w.runner(t).Sync(t.Context(), inputs.Request{})
		if e := report.Exports[0]; e.Status != runs.StatusHeld || !strings.Contains(e.Reason, "4.csv:3: the last row has no line break") {
			t.Errorf("%s %+v", report.Outcome, e)
		}
		if got := w.contacts(); !maps.Equal(got, whole) {
			t.Errorf("%v, before %v", got, whole)
		}
	}
	w.writeEvents(t, "4.csv", header+row("u4", "true", 4)+"\n"+row("u1904", "true", 5)+"\n")
	if report := w.sync(t, inputs.Request{}); report.Outcome != runs.Complete || len(w.contacts()) != 5 || w.contacts()["u1904"] == "" {
		t.Errorf("%s %v", report.Outcome, w.contacts())
	}
}

// TestCutCalls: a file of track calls that may be cut off is not read, however its source is
// written, lest the calls behind the cut are lost: once it is done it is not read again.
func TestCutCalls(t *testing.T) {
	w := newEventsWorld(t)
	w.options.Tracks = []events.Export{trackExport(w)}
	blunt := func(user, message string) string { return strings.TrimSpace(call(user, "x", message, "")) }
	day := func(name, text string, want int) {
		t.Helper()
		w.writeCalls(t, name, text)
		report := w.sync(t, inputs.Request{})
		if e := report.Exports[0]; report.Outcome != runs.Complete || e.Status != runs.StatusApplied {
			t.Errorf("%s %+v", report.Outcome, e)
		}
		if n := len(w.gleap.Events()); n != want {
			t.Errorf("%s: %d events, want %d", name, n, want)
		}
	}
	day("1", blunt("u1", "m1"), 1) // nobody knows better
	day("2", blunt("u1", "m2"), 2)
	day("3", call("u1", "x", "m3", ""), 3)
	day("4", `{"type":"identify"}`+"\n", 3)
	for _, name := range []string{"1", "2", "3", "4"} { // as those do who move away what is done
		if err := os.Remove(filepath.Join(w.dir, "calls", name)); err != nil {
			t.Fatal(err)
		}
		w.sync(t, inputs.Request{})
	}
	for _, last := range []string{blunt("u1", "m6"), `{"type":"identify"}`} {
		w.writeCalls(t, "5", call("u1", "x", "m5", "")+last)
		for range 2 {
			report := w.sync(t, inputs.Request{})
			if e := report.Exports[0]; report.Outcome != runs.Held || e.Status != runs.StatusHeld || !strings.Contains(e.Reason, "5:2: the last row has no line break") {
				t.Errorf("%s %+v", report.Outcome, e)
			}
			if n := len(w.gleap.Events()); n != 3 {
				t.Errorf("%d events", n)
			}
		}
	}
	day("5", call("u1", "x", "m5", "")+call("u1", "x", "m6", ""), 5)
	w.options.Tracks[0].Source = filepath.Join(w.dir, "calls")
	w.writeCalls(t, "6", blunt("u1", "m7"))
	if e := w.sync(t, inputs.Request{}).Exports[0]; e.Status != runs.StatusHeld {
		t.Errorf("%+v", e)
	}
}

// TestCutList: nobody is created because of a list of known contacts that is cut off, whatever it is
// written in and read from: what is left of its last id may be another's.
func TestCutList(t *testing.T) {
	inJSON := regexp.MustCompile("(?m)^u.*$").ReplaceAllString("u1\nu1904\n", `{"id":"$0"}`)
	for name, f := range map[string]struct {
		list engage.Export
		text string
	}{
		"CSV":        {engage.Export{Source: "list", UserID: "id"}, "id\nu1\nu1904\n"},
		"CRLF":       {engage.Export{Source: "list", UserID: "id"}, "x,id\r\n1,u1\r\n2,u1904\r\n"},
		"JSON lines": {engage.Export{Source: "list", UserID: "id"}, inJSON},
		"a part":     {engage.Export{Source: "list*", Pick: engage.PickAll, UserID: "id"}, "id\nu1\nu1904\n"},
		"a command":  {engage.Export{Source: "cat", Command: []string{"cat", "list"}, UserID: "id"}, "id\nu1\nu1904\n"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, audience("vip.csv", "vip"))
			other := known.List{Export: engage.Export{Source: "cat", Command: []string{"cat", "other"}, Dir: w.dir}}
			f.list.Dir = w.dir
			w.options.Known = []known.List{{Export: f.list}, other}
			w.write(t, "other", "user_id\nu7") // it never had one
			w.write(t, "vip.csv", "user_id,x\nu1,\n")
			w.write(t, "list", f.text)
			w.sync(t, inputs.Request{})
			w.write(t, "vip.csv", "user_id,x\nu1,\nu19,\nu190,\nu1904,\n")
			end := strings.TrimRight(f.text, "\r\n")
			for _, text := range []string{end, strings.Replace(end, "1904", "190", 1), strings.Replace(end, "1904", "19", 1)} {
				w.write(t, "list", text)
				report := w.sync(t, inputs.Request{})
				e := report.Exports[1]
				if report.Outcome != runs.Held || e.Status != runs.StatusHeld || !strings.Contains(e.Reason, "line break") || report.Exports[2].Status != runs.StatusApplied || len(w.contacts()) != 1 {
					t.Errorf("%q: %s %+v %v", text, report.Outcome, e, w.contacts())
				}
				if why, err := w.runner(t).planner.askKnown(t.Context(), "u190"); err != nil || why != known.ListHeld {
					t.Errorf("%q: %q, %v", text, why, err)
				}
			}
			w.write(t, "list", f.text)
			if report := w.sync(t, inputs.Request{}); report.Outcome != runs.Complete || w.contacts()["u1904"] == "" || len(w.contacts()) != 2 {
				t.Errorf("%s %v", report.Outcome, w.contacts())
			}
		})
	}
}

// TestCutIsAsked: who asks what the exports say of a contact is not told of one that is only the
// beginning of an id.
func TestCutIsAsked(t *testing.T) {
	w := newWorld(t, audience("vip.csv", "vip"))
	w.write(t, "vip.csv", "user_id\nu1\nu1904\n")
	w.sync(t, inputs.Request{})
	w.write(t, "vip.csv", "user_id\nu1\nu190")
	said, err := AskExports(t.Context(), w.options, w.runner(t).store, "u190")
	if err != nil || !said["vip"].Absent {
		t.Errorf("%+v %v", said, err)
	}
}

// TestCutInLineBreak: half of a line break is none.
func TestCutInLineBreak(t *testing.T) {
	w := newWorld(t, audience("vip.csv", "vip"))
	w.options.Guard.MaxInvalid, _ = guard.ParseLimit("100%")
	w.write(t, "vip.csv", "user_id\r\nu1\r\nu2\r\nu3\r\n")
	w.sync(t, inputs.Request{})
	w.write(t, "vip.csv", "user_id\r\nu1\r\nu2\r")
	if e := w.sync(t, inputs.Request{}).Exports[0]; e.Exited != 0 || e.Withheld != 2 || e.Invalid != 1 {
		t.Errorf("%+v", e)
	}
}
