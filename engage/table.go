package engage

import (
	"bufio"
	"context"
	"errors"
	"fmt"
)

// table is the rows of one input, whatever its form.
type table interface {
	// columns returns the names of the columns, without blanks around them.
	columns() []string
	// next returns the cells of the next row, one for each column and valid until it is
	// called again, or io.EOF, or a [*rowError] after which reading can go on. Every
	// other error ends the input.
	next() ([][]byte, error)
	// line returns where the row that next returned last begins: in a file its line.
	line() int
	// close ends the reading. The error says why what was read cannot be trusted.
	close() error
}

// askedTable is a table that gives the cells of those columns only that it was asked for,
// before the first row.
type askedTable interface{ ask(columns []int) }

// openTable opens an input. Errors name it.
func (s *Source) openTable(ctx context.Context, in input) (table, error) {
	if s.incomplete != nil {
		return nil, s.incomplete
	}
	if in.table != nil {
		return in.table(ctx)
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
		t, err = s.openParquet(ctx, text.raw, text.Reader, text.close)
	case format == NDJSON || format == AnyFormat && beginsObject(text.Reader):
		return newNDJSONTable(text.Reader, s.export, text.close), nil
	default:
		if t, err = newCSVTable(text, s.export.Delimiter, text.close); err == nil {
			err = s.export.checkComment(t.columns())
		}
	}
	if err != nil {
		text.close()
		return nil, fmt.Errorf("%s: %w", in.name, err)
	}
	return t, nil
}

// beginsObject reports whether the first byte that is no blank begins a JSON object. It
// takes nothing.
func beginsObject(r *bufio.Reader) bool {
	start, _ := r.Peek(512)
	start = skipBlanks(start)
	return len(start) > 0 && start[0] == '{'
}
