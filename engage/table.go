package engage

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"gleapsync/internal/cell"
	"gleapsync/internal/foreign"
	"gleapsync/internal/jsonscan"
	"gleapsync/internal/source"
)

// table is the rows of one input, whatever its form.
type table interface {
	rowStream
	// Columns returns the names of the columns, without blanks around them.
	Columns() []string
	// Close ends the reading. The error says why what was read cannot be trusted.
	Close() error
}

// lineTable is a table of text that has a row on each line.
type lineTable interface {
	// isCutOff reports whether the row for which Next returned an error last is broken only for
	// want of a line break, see [Source.EndsLines].
	isCutOff() bool
	// ending says how the text ended, once Next has returned io.EOF.
	ending() Ends
}

// rowStream are the rows that a table has behind its header.
type rowStream interface {
	// Next returns the cells of the next row, one for each column and valid until it is
	// called again, or io.EOF, or a [*rowError] after which reading can go on. Every
	// other error ends the input.
	Next() ([][]byte, error)
	// Line returns where the row that Next returned last begins: in a file its line.
	Line() int
}

// typedTable is a table that knows more of its columns than that they are text.
type typedTable interface {
	// Forms sets the forms of the columns, in their order, where they are not text.
	Forms([]cell.Form)
}

// askedTable is a table that gives the cells of those columns only that it was asked for,
// before the first row.
type askedTable interface{ Ask(columns []int) }

// limitedTable is a table of which not all columns may be read. Readable returns those that may,
// and is called before the first row.
type limitedTable interface{ Readable() []string }

// readable returns the names of a table's columns that may be read.
func readable(t table) []string {
	if limited, ok := t.(limitedTable); ok {
		return limited.Readable()
	}
	return t.Columns()
}

// openTable opens an input, so that attributes can be read of it. Errors name it.
func (s *Source) openTable(ctx context.Context, in source.Input, attributes []Attribute) (table, error) {
	switch {
	case s.inputs.Incomplete != nil:
		return nil, s.inputs.Incomplete
	case s.query != nil:
		return s.query.Open(ctx)
	}
	text, err := openText(ctx, in)
	switch {
	case errors.Is(err, errEmpty) && s.export.Format != NDJSON:
		return nil, fmt.Errorf("%w: it has no header", err)
	case err != nil:
		return nil, err
	}
	var t table
	switch format := s.export.Format; {
	case format == Parquet || format == AnyFormat && isParquet(text.Reader):
		t, err = openParquet(text, s.export.TempDir)
	case format == NDJSON || format == AnyFormat && beginsObject(text.Reader):
		e := s.export
		e.Attributes = attributes
		return newNDJSONTable(text, e, s.endsLines), nil
	default:
		if t, err = newCSVTable(text, s.export.Delimiter, s.endsLines); err == nil {
			err = s.export.checkComment(t.Columns())
		}
	}
	if err != nil {
		text.Close()
		return nil, fmt.Errorf("%s: %w", in.Name, err)
	}
	return t, nil
}

// openText opens an input that has text, or what can be read as such. What is no export
// is an error that says what it is instead. Errors name the input.
func openText(ctx context.Context, in source.Input) (*source.Text, error) {
	text, err := in.Open(ctx)
	if err != nil {
		return nil, err
	}
	start, err := text.Peek(4 << 10)
	switch {
	case len(bytes.TrimSpace(start)) > 0:
		err = foreign.Check(start)
	case err == io.EOF:
		err = errEmpty
	case len(start) > 0:
		err = nil
	}
	if err != nil {
		text.Close()
		return nil, fmt.Errorf("%s: %w", in.Name, err)
	}
	return text, nil
}

var errEmpty = errors.New("the file is empty")

// beginsObject reports whether the first byte that is no blank begins a JSON object. It
// takes nothing.
func beginsObject(r *bufio.Reader) bool {
	start, _ := r.Peek(512)
	start = jsonscan.SkipBlanks(start)
	return len(start) > 0 && start[0] == '{'
}
