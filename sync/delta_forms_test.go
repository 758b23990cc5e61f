package sync

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"gleapsync/engage"
	"gleapsync/internal/inputs"
	"gleapsync/internal/values"
)

// A form is what a table's file is like, given the lines of CSV.
type form func(t fataler, header string, lines []string) string

// deltaForms are the forms of local files that have prints.
var deltaForms = map[string]form{
	"CSV": func(_ fataler, header string, lines []string) string {
		return header + "\n" + strings.Join(lines, "")
	},
	"gzip": func(t fataler, header string, lines []string) string {
		var b bytes.Buffer
		out := gzip.NewWriter(&b)
		_, err := out.Write([]byte(header + "\n" + strings.Join(lines, "")))
		if err := cmp.Or(err, out.Close()); err != nil {
			t.Fatal(err)
		}
		return b.String()
	},
	"Parquet": parquetOf,
}

// parquetOf writes texts, and NULL where a cell is empty. Lines that are no rows it leaves out.
func parquetOf(t fataler, header string, lines []string) string {
	columns := strings.Split(header, ",")
	group := parquet.Group{}
	for _, c := range columns {
		group[c] = parquet.Optional(parquet.String())
	}
	schema := parquet.NewSchema("users", group)
	var b bytes.Buffer
	out := parquet.NewGenericWriter[any](&b, schema, parquet.MaxRowsPerRowGroup(3))
	for _, line := range lines {
		cells, err := csv.NewReader(strings.NewReader(line)).Read()
		if err != nil || len(cells) != len(columns) {
			continue
		}
		var row parquet.Row
		for at, field := range schema.Fields() { // in the order of the names
			value := parquet.NullValue().Level(0, 0, at)
			for i, c := range columns {
				if c == field.Name() && cells[i] != "" {
					value = parquet.ValueOf(cells[i]).Level(0, 1, at)
				}
			}
			row = append(row, value)
		}
		if _, err := out.WriteRows([]parquet.Row{row}); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// writeTable writes a table as a file of a form, or as so many in a folder.
func (w *world) writeTable(t fataler, as form, name, header string, lines []string, parts int) {
	if parts == 0 {
		w.write(t, name, as(t, header, lines))
		return
	}
	dir := filepath.Join(w.dir, name)
	if err := cmp.Or(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
		t.Fatal(err)
	}
	for i := range parts {
		w.write(t, fmt.Sprint(name, "/", i, ".csv"), as(t, header, lines[i*len(lines)/parts:(i+1)*len(lines)/parts]))
	}
}

// TestDeltaForms: of a file of each form, and of one in parts, no more is read than what differs,
// with a contact that Gleap refuses from the first day on.
func TestDeltaForms(t *testing.T) {
	for name, as := range deltaForms {
		for _, parts := range []int{0, 3} {
			t.Run(fmt.Sprint(name, parts), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, inputs.Export{Export: engage.Export{Source: "t.csv", AnyParts: true, Attributes: []engage.Attribute{{Kind: engage.Trait, Key: "t", Column: "t", Type: values.Number}}}})
				if parts > 0 {
					w.options.Exports[0].Pick = engage.PickAll
				}
				for day := range 4 {
					var lines []string
					for i := range 12 {
						n := 100
						if i == day || i == 7 {
							n += day
						}
						lines = append(lines, fmt.Sprintf("u%d,%d\n", i, n))
					}
					if day == 2 { // the one who is parked is in no row
						lines = append(lines[:7], lines[8:]...)
					}
					w.writeTable(t, as, "t.csv", "user_id,t", lines, parts)
					if deltas := w.mustPlanAlike(t, inputs.Request{}); deltas != min(day, 1) {
						t.Errorf("day %d: %d deltas", day, deltas)
					}
					r := w.runner(t)
					r.client = &failingClient{client: r.client, refused: []string{"u7"}}
					report, err := r.Sync(t.Context(), inputs.Request{})
					if err != nil || day == 2 != (report.Contacts.Parked == 0) || report.Exports[0].Members != len(lines) {
						t.Errorf("day %d: %+v, %+v: %v", day, report.Contacts, report.Exports, err)
					}
				}
			})
		}
	}
}

func drawForm(r *rapid.T) form {
	return deltaForms[rapid.SampledFrom([]string{"CSV", "CSV", "gzip", "Parquet"}).Draw(r, "form")]
}
