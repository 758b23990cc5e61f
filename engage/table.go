package engage

import (
	"context"
	"fmt"

	"gleapsync/internal/cell"
	"gleapsync/internal/database"
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

// tables are the inputs of an export, as tables.
type tables struct {
	export    Export
	inputs    *source.Inputs
	query     *database.Query // is read instead of the input's text; nil: there is none
	endsLines bool            // see [Source.EndsLines]
}

// open opens an input, so that attributes can be read of it. Errors name it.
func (s *tables) open(ctx context.Context, in source.Input, attributes []Attribute) (table.Table, error) {
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
		askLines(t, e)
	case *table.CSV:
		if err := e.checkComment(t.Columns()); err != nil {
			t.Close()
			return nil, fmt.Errorf("%s: %w", in.Name, err)
		}
	}
	return t, err
}

// names returns the names of the columns of the first input.
func (s *tables) names(ctx context.Context) ([]string, error) {
	t, err := s.open(ctx, s.inputs.All[0], s.export.Attributes)
	if err != nil {
		return nil, err
	}
	names := t.Columns()
	err = t.Close()
	if _, ok := t.(*table.NDJSON); ok && len(s.export.Wildcards) > 0 && err == nil {
		return s.memberNames(ctx) // what it looks for is known only now
	}
	return names, err
}

// memberNames reads the inputs and returns the names of all members, those of traits too:
// which of them a wildcard takes is known only then.
func (s *tables) memberNames(ctx context.Context) (names []string, err error) {
	for _, in := range s.inputs.All {
		if in.Once {
			return nil, errNoNames(in.Name)
		}
		opened, err := s.open(ctx, in, nil)
		if err != nil {
			return nil, err
		}
		if t, ok := opened.(*table.NDJSON); ok {
			names, err = t.AppendNames(names, "traits")
		}
		if closeErr := opened.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", in.Name, err)
		}
	}
	return names, nil
}
