package engage

import (
	"context"
	"fmt"

	"gleapsync/internal/cell"
	"gleapsync/internal/source"
	"gleapsync/internal/table"
)

// rowStream are the rows that a [table.Table] has behind its header.
type rowStream interface {
	Next() ([][]byte, error)
	Line() int
}

// lineTable is a table of text that has a row on each line.
type lineTable interface {
	// IsCutOff reports whether the row for which Next returned an error last is broken only for
	// want of a line break, see [Source.EndsLines].
	IsCutOff() bool
	// Terminated reports whether the text ended with a line break, once Next has returned io.EOF.
	Terminated() bool
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
func readable(t table.Table) []string {
	if limited, ok := t.(limitedTable); ok {
		return limited.Readable()
	}
	return t.Columns()
}

// openTable opens an input, so that attributes can be read of it. Errors name it.
func (s *Source) openTable(ctx context.Context, in source.Input, attributes []Attribute) (table.Table, error) {
	switch {
	case s.inputs.Incomplete != nil:
		return nil, s.inputs.Incomplete
	case s.query != nil:
		return s.query.Open(ctx)
	}
	e := s.export
	t, err := table.Open(ctx, in, table.Options{Format: e.Format, Delimiter: e.Delimiter, TempDir: e.TempDir, EndsLines: s.endsLines})
	switch t := t.(type) {
	case *table.NDJSON:
		e.Attributes = attributes
		e.askLines(t)
	case *table.CSV:
		if err := e.checkComment(t.Columns()); err != nil {
			t.Close()
			return nil, fmt.Errorf("%s: %w", in.Name, err)
		}
	}
	return t, err
}
