package engage

import (
	"bytes"
	"fmt"
)

// csvSparse is what a reader of CSV does for who wants a few columns first.
type csvSparse struct {
	columns []int    // in their order, nil: all
	cells   [][]byte // of a row, nil but for these columns
	isRow   bool     // the row that was returned last has no more
	size    int      // of its line, with the break

	prints bool
	seed   uint64
	print  Print
}

// Form implements [sparseTable].
func (t *csvTable) Form() string { return fmt.Sprintf("csv %q %q", t.comma, t.names) }

// AskFirst implements [sparseTable].
func (t *csvTable) AskFirst(columns []int) {
	t.sparse.columns, t.sparse.cells = columns, make([][]byte, len(t.names))
}

// AskPrints implements [sparseTable].
func (t *csvTable) AskPrints(seed uint64) { t.sparse.prints, t.sparse.seed = true, seed }

// Print implements [sparseTable].
func (t *csvTable) Print() Print { return t.sparse.print }

// Rest implements [sparseTable]. It reads the row once more, as if nobody had asked for less.
func (t *csvTable) Rest() ([][]byte, error) {
	if !t.sparse.isRow {
		return t.fields, nil
	}
	t.start, t.nextLine = t.start-t.sparse.size, t.nextLine-1
	columns := t.sparse.columns
	t.sparse.columns = nil
	fields, err := t.Next()
	t.sparse.columns = columns
	return fields, err
}

// splitFirst cuts the columns off a line that were asked for. It reports false, with nothing
// changed in the buffer, if the line may be no row, or ends there: then it has to be looked at as
// a whole. Where quotes are even in number a line that is no sound row ends nowhere else, either.
func (c *csvReader) splitFirst(line []byte, quoted bool) bool {
	s := &c.sparse
	if quoted && bytes.Count(line, []byte{'"'})%2 != 0 {
		return false
	}
	for column, next := 0, 0; next < len(s.columns); column++ {
		var cell []byte
		if quoted && len(line) > 0 && line[0] == '"' {
			end, doubled := closingQuote(line[1:])
			if end < 0 || len(line) == end+2 || line[end+2] != c.comma {
				return false
			}
			if cell, line = line[1:1+end:1+end], line[end+3:]; doubled && column == s.columns[next] {
				cell = undouble(bytes.Clone(cell))
			}
		} else {
			i := bytes.IndexByte(line, c.comma)
			if i < 0 || quoted && bytes.IndexByte(line[:i], '"') >= 0 {
				return false
			}
			cell, line = line[:i:i], line[i+1:]
		}
		if column == s.columns[next] {
			s.cells[column] = cell
			next++
		}
	}
	c.fields = append(c.fields[:0], s.cells...)
	return true
}
