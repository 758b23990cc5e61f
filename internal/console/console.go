// Package console shows results to a person: tables, sentences and a progress bar.
package console

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"gleapsync/internal/human"
)

// Out is where results go, and how they look there.
type Out struct {
	io.Writer
	Zone  *time.Location // of times
	Width int            // of a terminal, in characters; 0: a file or a pipe, where nothing is left out
}

func (w Out) time(t time.Time) string { return human.Time(t, w.Zone) }

// rows is a table that is written when it is complete.
type rows struct {
	writer  table.Writer
	n       int
	columns []column
}

type column struct {
	number, cut, spare bool
	empty              bool // there are only zeros and dashes in it
	width              int
}

// newRows returns a table with that header. Columns whose name ends in ">" are numbers. On a
// terminal that is too narrow numbers that are all 0 go first, then columns that end in "?";
// after that both ends are left of what stands in columns that end in "~".
func newRows(header ...string) *rows {
	r := &rows{writer: table.NewWriter()}
	style := table.StyleDefault
	style.Box = table.BoxStyle{PaddingRight: "  "}
	style.Options = table.OptionsNoBordersAndSeparators
	style.Format.Header = text.FormatDefault
	r.writer.SetStyle(style)
	r.writer.SuppressTrailingSpaces()
	var cells table.Row
	for _, name := range header {
		name, spare := strings.CutSuffix(name, "?")
		name, number := strings.CutSuffix(name, ">")
		name, cut := strings.CutSuffix(name, "~")
		r.columns = append(r.columns, column{number, cut, spare, true, len(name)})
		cells = append(cells, name)
	}
	r.writer.AppendHeader(cells)
	return r
}

func (r *rows) add(cells ...any) {
	row := make(table.Row, len(cells))
	for i, cell := range cells {
		text := human.Printable(fmt.Sprint(cell))
		row[i] = text
		c := &r.columns[i]
		c.empty = c.empty && (text == "0" || text == human.Dash)
		c.width = max(c.width, utf8.RuneCountInString(text))
	}
	r.writer.AppendRow(row)
	r.n++
}

func (r *rows) write(w Out) {
	if r.n == 0 {
		return
	}
	configs := make([]table.ColumnConfig, len(r.columns))
	over := r.over(w.Width)
	narrow := over > 0
	for i, c := range r.columns {
		configs[i].Number = i + 1
		if c.number {
			configs[i].Align, configs[i].AlignHeader = text.AlignRight, text.AlignRight
		}
		if configs[i].Hidden = c.number && c.empty && narrow; configs[i].Hidden {
			over -= c.width + gap
		}
	}
	for i, c := range r.columns {
		if c.spare && over > 0 {
			configs[i].Hidden = true
			over -= c.width + gap
		}
	}
	for i, c := range r.columns {
		const least = 12
		if most := max(least, c.width-over); c.cut && over > 0 && most < c.width {
			configs[i].Transformer = func(cell any) string { return human.Cut(cell.(string), most) }
			over -= c.width - most
		}
	}
	r.writer.SetColumnConfigs(configs)
	fmt.Fprintln(w, r.writer.Render())
}

// gap is how many characters are between two columns.
const gap = 2

// over returns how many characters of the table a terminal has no room for.
func (r *rows) over(columns int) int {
	if columns == 0 {
		return 0
	}
	n := -gap - columns
	for _, c := range r.columns {
		n += c.width + gap
	}
	return n
}
