package sync

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gleapsync/internal/guard"
	"gleapsync/internal/inputs"

	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"gleapsync/internal/rounds"
)

// TestDamagedByte: a file of the second day, which says what that of the first did, is
// damaged at one place. Nobody leaves whom the file still names. It is a small attack by
// default; -rapid.checks=10000 makes it a large one.
func TestDamagedByte(t *testing.T) {
	members := []string{"u1", "u2", "u7", "u8", "a-10", "1001", "0042"}
	forms := exportForms()
	names := slices.Sorted(maps.Keys(forms))
	open := map[string]*attackedForm{}
	rounds.Check(t, func(r *rapid.T) {
		for range 3 {
			name := rapid.SampledFrom(names).Draw(r, "form")
			if open[name] == nil {
				open[name] = newAttacked(t, forms[name], members)
			}
			open[name].attack(r)
		}
	})
}

// attackedForm is an export of one form, of which a file is damaged.
type attackedForm struct {
	*world
	members []string
	sound   map[string]string // its files
}

func newAttacked(t *testing.T, form exportForm, members []string) *attackedForm {
	w := newWorld(t, form.export)
	if form.export.ProfileIDs != nil {
		ids := *form.export.ProfileIDs
		ids.Dir = w.dir
		w.options.Exports[0].ProfileIDs = &ids
	}
	w.options.Guard.MaxInvalid, _ = guard.ParseLimit("90%") // as few as can be are held
	w.options.Exports[0].AllowEmpty = true
	form.write(w, t, members, "")
	a := &attackedForm{w, members, w.files(t)}
	w.sync(t, inputs.Request{})
	return a
}

func (a *attackedForm) attack(r *rapid.T) {
	file := rapid.SampledFrom(slices.Sorted(maps.Keys(a.sound))).Draw(r, "file")
	damaged := drawDamage(r, a.sound[file])
	a.write(r, file, damaged)
	defer a.write(r, file, a.sound[file])
	planned, err := a.runner(r).Plan(context.Background(), inputs.Request{})
	if err != nil || planned.Exports[0].Exited == 0 {
		return
	}
	files := maps.Clone(a.sound)
	files[file] = damaged
	isNamed := namedIn(files)
	a.sync(r, inputs.Request{})
	for id, contact := range a.contacts() {
		if slices.Contains(a.members, id) && isNamed(id) && (contact == "{}" || strings.Contains(contact, "false")) {
			r.Errorf("%s was removed and is named in %s: %q", id, file, damaged)
		}
	}
	a.write(r, file, a.sound[file])
	a.sync(r, inputs.Request{})
}

// files returns the export's files, by name.
func (w *world) files(t fataler) map[string]string {
	files := map[string]string{}
	for _, pattern := range []string{"*.*", "*/*.*"} {
		paths, _ := filepath.Glob(filepath.Join(w.dir, pattern))
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			name, _ := filepath.Rel(w.dir, path)
			files[name] = string(text)
		}
	}
	return files
}

// drawDamage replaces a byte, takes it out, puts one in before it, cuts the text there, or
// has the line twice.
func drawDamage(r *rapid.T, text string) string {
	at := rapid.IntRange(0, len(text)-1).Draw(r, "at")
	c := string([]byte{rapid.OneOf(
		rapid.SampledFrom([]byte("\n\r\t\x00 ,;|:\"'\\/{}[]()#-+.eE0189unxUN\xff\xc3")), rapid.Byte()).Draw(r, "byte")})
	switch rapid.IntRange(0, 7).Draw(r, "damage") {
	case 0, 1, 2:
		return text[:at] + c + text[at+1:]
	case 3, 4:
		return text[:at] + c + text[at:]
	case 5:
		return text[:at] + text[at+1:]
	case 6:
		return text[:at]
	}
	from, to := strings.LastIndexByte(text[:at], '\n')+1, at+1+strings.IndexByte(text[at:]+"\n", '\n')
	return text[:min(to, len(text))] + text[from:]
}

// namedIn returns whether a user has to be taken for one who is still there, as the standard
// library reads the files. As long as it cannot read all of them, all users are. Else the
// files are sound, and those are gone whose id is the text of no cell any more: that u8 was
// u7, or that a file was longer, nobody can know who sees only what is there.
func namedIn(files map[string]string) func(id string) bool {
	everybody := func(string) bool { return true }
	texts := map[string]bool{}
	rows := map[string][][]string{}
	for name, text := range files {
		read := naiveCSV
		switch {
		case strings.HasSuffix(name, ".parquet"):
			read = naiveParquet
		case strings.Contains(name, ".json"):
			read = naiveJSON
		}
		if strings.HasSuffix(name, ".gz") {
			z, err := gzip.NewReader(strings.NewReader(text))
			if err != nil {
				return everybody
			}
			unpacked, err := io.ReadAll(z)
			if err != nil {
				return everybody
			}
			text = string(unpacked)
		}
		all, ok := read(text)
		if !ok {
			return everybody
		}
		rows[name] = all
		for _, row := range all {
			for _, cell := range row {
				texts[cell] = true
			}
		}
	}
	if rows["i.csv"] == nil && rows["t.csv"] == nil {
		return func(id string) bool { return texts[id] }
	}
	// Of long tables both have to name the profile. Which trait a row is about is a part of
	// that: any text is the name of some trait, and if it is another one the profile has no
	// row of this.
	has := func(table string, cells ...string) bool {
		return slices.ContainsFunc(rows[table], func(row []string) bool {
			return !slices.ContainsFunc(cells, func(cell string) bool { return !slices.Contains(row, cell) })
		})
	}
	return func(id string) bool { return has("i.csv", "p-"+id, id) && has("t.csv", "p-"+id, "vip") }
}

// naiveCSV returns the cells, and those of JSON within them.
func naiveCSV(text string) (rows [][]string, ok bool) {
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) == 0 {
		return nil, err == nil
	}
	external := slices.Index(rows[0], "external_ids")
	for i, row := range rows[1:] {
		if external >= 0 {
			var v any
			if json.Unmarshal([]byte(row[external]), &v) != nil {
				return nil, false
			}
			rows[1+i] = append(row, textsOf(v)...)
		}
	}
	return rows, true
}

// naiveJSON returns the texts of each line.
func naiveJSON(text string) (rows [][]string, ok bool) {
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		var object map[string]any
		if json.Unmarshal([]byte(line), &object) != nil {
			return nil, false
		}
		rows = append(rows, textsOf(object))
	}
	return rows, true
}

func naiveParquet(text string) (rows [][]string, ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	type row struct {
		UserID string `parquet:"user_id"`
		VIP    bool   `parquet:"vip"`
	}
	all, err := parquet.Read[row](bytes.NewReader([]byte(text)), int64(len(text)))
	for _, r := range all {
		rows = append(rows, []string{r.UserID})
	}
	return rows, err == nil
}

// textsOf returns all texts in a JSON value, as they stand and as numbers do.
func textsOf(v any) (texts []string) {
	switch v := v.(type) {
	case map[string]any:
		for _, member := range v {
			texts = append(texts, textsOf(member)...)
		}
	case []any:
		for _, item := range v {
			texts = append(texts, textsOf(item)...)
		}
	case nil:
	default:
		texts = append(texts, fmt.Sprint(v))
	}
	return texts
}
