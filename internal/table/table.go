package table

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

// Table is the rows of one input, whatever its form.
type Table interface {
	// Columns returns the names of the columns, without blanks around them.
	Columns() []string
	// Next returns the cells of the next row, one for each column and valid until it is
	// called again, or io.EOF, or a [*RowError] after which reading can go on. Every
	// other error ends the input.
	Next() ([][]byte, error)
	// Line returns where the row that Next returned last begins: in a file its line.
	Line() int
	// Close ends the reading. The error says why what was read cannot be trusted.
	Close() error
}

// Format is the form of a text.
type Format string

// The formats.
const (
	FormatAny     Format = "" // as the first bytes tell
	FormatCSV     Format = "csv"
	FormatNDJSON  Format = "ndjson" // JSON, one object per line
	FormatParquet Format = "parquet"
)

// Options say how a text is read as a table.
type Options struct {
	Format    Format
	Delimiter byte   // of CSV, 0: the header tells
	TempDir   string // for what has to be copied before it can be read, "": the system's
	// EndsLines says that the text before ended with a line break. Then a last row that has none is
	// broken, even if it has all its fields: nobody knows whether the last one is all there.
	EndsLines bool
}

// Open opens an input as a table: a [*CSV], a [*NDJSON] or a [*Parquet]. The error says what the
// input is instead if it is none, and names it. It is [ErrEmpty], wrapped, if there is nothing.
func Open(ctx context.Context, in source.Input, o Options) (Table, error) {
	text, err := OpenText(ctx, in)
	switch {
	case errors.Is(err, ErrEmpty) && o.Format != FormatNDJSON:
		return nil, fmt.Errorf("%w: it has no header", err)
	case err != nil:
		return nil, err
	}
	var t Table
	switch {
	case o.Format == FormatParquet || o.Format == FormatAny && isParquet(text.Reader):
		t, err = openParquet(text, o.TempDir)
	case o.Format == FormatNDJSON || o.Format == FormatAny && beginsObject(text.Reader):
		return newNDJSON(text, o.EndsLines), nil
	default:
		t, err = NewCSV(text, o.Delimiter, o.EndsLines)
	}
	if err != nil {
		text.Close()
		return nil, fmt.Errorf("%s: %w", in.Name, err)
	}
	return t, nil
}

// OpenText opens an input that has text, or what can be read as such. What is no export
// is an error that says what it is instead. Errors name the input.
func OpenText(ctx context.Context, in source.Input) (*source.Text, error) {
	text, err := in.Open(ctx)
	if err != nil {
		return nil, err
	}
	start, err := text.Peek(4 << 10)
	switch {
	case len(bytes.TrimSpace(start)) > 0:
		err = foreign.Check(start)
	case err == io.EOF:
		err = ErrEmpty
	case len(start) > 0:
		err = nil
	}
	if err != nil {
		text.Close()
		return nil, fmt.Errorf("%s: %w", in.Name, err)
	}
	return text, nil
}

// beginsObject reports whether the first byte that is no blank begins a JSON object. It
// takes nothing.
func beginsObject(r *bufio.Reader) bool {
	start, _ := r.Peek(512)
	start = jsonscan.SkipBlanks(start)
	return len(start) > 0 && start[0] == '{'
}

// ErrEmpty says that an input has nothing but blanks.
var ErrEmpty = errors.New("the file is empty")

// ErrTruncated says that the input ends where it cannot be complete.
var ErrTruncated = errors.New("the file ends inside a row: the export is not complete; export it again, and the next run takes it")

// RowError is a row that cannot be read while the rows after it can. It never
// holds the row's text.
type RowError struct {
	Line   int
	Reason string
}

func (e *RowError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Reason) }

// cutOff is the reason of a last row that has all its fields, of which the last may not be all
// there.
const cutOff = "it is the last row and has no line break, though the export before ended with one: it may be cut off"

var tooLong = fmt.Sprintf("a row is longer than %d MiB: look for a quote that is not closed, or leave the long column out", cell.MaxRow>>20)

// errTooLong says where a row begins that is too long. It ends the reading.
func errTooLong(line int) error { return fmt.Errorf("line %d: %s", line, tooLong) }
