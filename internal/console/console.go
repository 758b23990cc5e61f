// Package console shows results to a person: tables, sentences and a progress bar.
package console

import (
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"gleapsync/internal/human"
)

// rows is a table that is written when it is complete.
type rows struct {
	writer table.Writer
	n      int
}

// newRows returns a table with that header. Columns whose name ends in ">" are
// numbers.
func newRows(header ...string) *rows {
	r := &rows{writer: table.NewWriter()}
	style := table.StyleDefault
	style.Box = table.BoxStyle{PaddingRight: "  "}
	style.Options = table.OptionsNoBordersAndSeparators
	style.Format.Header = text.FormatDefault
	r.writer.SetStyle(style)
	r.writer.SuppressTrailingSpaces()
	var cells table.Row
	var columns []table.ColumnConfig
	for i, name := range header {
		name, number := strings.CutSuffix(name, ">")
		if number {
			columns = append(columns, table.ColumnConfig{Number: i + 1, Align: text.AlignRight, AlignHeader: text.AlignRight})
		}
		cells = append(cells, name)
	}
	r.writer.SetColumnConfigs(columns)
	r.writer.AppendHeader(cells)
	return r
}

func (r *rows) add(cells ...any) {
	row := make(table.Row, len(cells))
	for i, cell := range cells {
		row[i] = human.Printable(fmt.Sprint(cell))
	}
	r.writer.AppendRow(row)
	r.n++
}

func (r *rows) write(w io.Writer) {
	if r.n > 0 {
		fmt.Fprintln(w, r.writer.Render())
	}
}
