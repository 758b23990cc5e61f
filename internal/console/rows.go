package console

import (
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"gleapsync/internal/human"
)

// rows is a table that is written when it is complete.
type rows struct {
	columns []column
	cells   [][]string
}

type column struct {
	name               string
	number, cut, spare bool
	empty              bool // there are only zeros and dashes in it
	width, most        int  // of its cells: in full, and at most of what is written
	hidden             bool
}

// newRows returns a table with that header. Columns whose name ends in ">" are numbers. On a
// terminal that is too narrow columns of nothing but zeros and dashes go first, then those that
// end in "?"; after that both ends are left of what stands in columns that end in "~", the last
// of these first: the first one says what a row is about. What differs never becomes the same:
// before that, a row is longer than the terminal is wide.
func newRows(header ...string) *rows {
	r := &rows{}
	for _, name := range header {
		name, spare := strings.CutSuffix(name, "?")
		name, number := strings.CutSuffix(name, ">")
		name, cut := strings.CutSuffix(name, "~")
		r.columns = append(r.columns, column{name: name, number: number, cut: cut, spare: spare, empty: true, width: len(name)})
	}
	return r
}

func (r *rows) add(cells ...any) {
	row := make([]string, len(r.columns)) // the last cells may be left out
	for i, cell := range cells {
		row[i] = human.Printable(fmt.Sprint(cell))
		c := &r.columns[i]
		c.empty = c.empty && (row[i] == "0" || row[i] == human.Dash)
		c.width = max(c.width, width(row[i]))
	}
	r.cells = append(r.cells, row)
}

// write returns the names of columns that say something and that a terminal had no room for.
func (r *rows) write(w Out) (left []string) {
	if len(r.cells) == 0 {
		return nil
	}
	r.fit(w.Width)
	writer := table.NewWriter()
	style := table.StyleDefault
	style.Box = table.BoxStyle{PaddingRight: "  "}
	style.Options = table.OptionsNoBordersAndSeparators
	style.Format.Header = text.FormatDefault
	writer.SetStyle(style)
	writer.SuppressTrailingSpaces()
	configs, header := make([]table.ColumnConfig, len(r.columns)), make(table.Row, len(r.columns))
	for i, c := range r.columns {
		header[i] = c.name
		configs[i].Number, configs[i].Hidden = i+1, c.hidden
		if c.hidden && !c.empty {
			left = append(left, c.name)
		}
		if c.number {
			configs[i].Align, configs[i].AlignHeader = text.AlignRight, text.AlignRight
		}
	}
	writer.AppendHeader(header)
	for n := range r.cells {
		row := make(table.Row, len(r.columns))
		for i := range row {
			row[i] = r.cell(n, i)
		}
		writer.AppendRow(row)
	}
	writer.SetColumnConfigs(configs)
	fmt.Fprintln(w, writer.Render())
	return left
}

// leftOut says which columns of a table a terminal had no room for.
func leftOut(w Out, columns []string) {
	if len(columns) > 0 {
		fmt.Fprintf(w, "No room for %s: a wider terminal shows that, and so does --output json.\n", strings.Join(columns, ", "))
	}
}

// blocks writes each row as lines of their own, with nothing left out.
func (r *rows) blocks(w Out) {
	wide := 0
	for _, c := range r.columns[1:] {
		wide = max(wide, len(c.name))
	}
	for _, row := range r.cells {
		fmt.Fprintln(w, row[0])
		for i, cell := range row[1:] {
			fmt.Fprintf(w, "  %-*s  %s\n", wide, strings.ToLower(r.columns[i+1].name), cell)
		}
	}
}

// cell returns what is written of a cell.
func (r *rows) cell(row, column int) string {
	return cut(r.cells[row][column], r.columns[column].most)
}

// fit makes the table as narrow as a terminal with so many columns, if it can; 0: it is none.
func (r *rows) fit(width int) {
	over := r.over(width)
	hide := func(c *column) {
		if over > 0 && !c.hidden {
			c.hidden = true
			over -= c.width + gap
		}
	}
	for i := range r.columns {
		c := &r.columns[i]
		if c.most = c.width; i > 0 && c.empty {
			hide(c)
		}
	}
	for i := range r.columns {
		if c := &r.columns[i]; c.spare {
			hide(c)
		}
	}
	for i := len(r.columns) - 1; i >= 0; i-- {
		const least = 12
		c := &r.columns[i]
		if c.hidden || !c.cut || over <= 0 {
			continue
		}
		c.most = min(c.width, max(least, len(c.name), c.width-over))
		for c.most < c.width && r.merges(i) {
			c.most++
		}
		over -= c.width - c.most
	}
}

// merges reports whether what is left of a column's cells is the same where the cells differ: in
// the first column of two rows, in others of two cells of a row.
func (r *rows) merges(column int) bool {
	from := map[string]string{}
	for n, row := range r.cells {
		text := row[column]
		if column == 0 {
			cut := r.cell(n, column)
			if other, ok := from[cut]; ok && other != text {
				return true
			}
			from[cut] = text
			continue
		}
		for i := 1; i < len(r.columns); i++ {
			c := r.columns[i]
			most := min(c.most, r.columns[column].most) // as if both had the same room
			if c.cut && !c.hidden && row[i] != text && cut(row[i], most) == cut(text, most) {
				return true
			}
		}
	}
	return false
}

// gap is how many blanks are between two columns.
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
