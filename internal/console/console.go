// Package console shows results to a person: tables, sentences and a progress bar.
//
// Whatever comes from outside (user ids, names, file names) goes through [Printable],
// so that no control character reaches the terminal.
package console

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Printable returns s with everything that is not printable escaped, as Go does in a
// quoted string.
func Printable(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		return s
	}
	quoted := strconv.Quote(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

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
		row[i] = Printable(fmt.Sprint(cell))
	}
	r.writer.AppendRow(row)
	r.n++
}

func (r *rows) write(w io.Writer) {
	if r.n > 0 {
		fmt.Fprintln(w, r.writer.Render())
	}
}

// count writes a number with the noun that goes with it.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Grouped(n) + " " + noun + "s"
}

// Grouped writes a number with its digits in groups of three.
func Grouped(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// dash stands for what says nothing.
const dash = "-"

// Time writes a time in UTC, to the second; a dash stands for none.
func Time(t time.Time) string {
	if t.IsZero() {
		return dash
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// About writes a duration as far as a person cares.
func About(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d < time.Hour:
		return d.Round(time.Second).String()
	}
	return strings.TrimSuffix(d.Round(time.Minute).String(), "0s") // 16h40m
}
