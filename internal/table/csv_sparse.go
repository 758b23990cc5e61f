package table

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
	print  [16]byte
}

// Form returns what the prints depend on besides the rows: those of tables of different forms say
// nothing.
func (t *CSV) Form() string { return fmt.Sprintf("csv %q %q", t.comma, t.names) }

// AskFirst has Next return the cells of these columns only, which come in their order, and nil for
// the others; or all of them, where that is simpler. It is called before the first row.
func (t *CSV) AskFirst(columns []int) {
	t.sparse.columns, t.sparse.cells = columns, make([][]byte, len(t.names))
}

// Rest returns what Next would have returned without AskFirst, for the row that Next returned last.
func (t *CSV) Rest() ([][]byte, error) {
	if !t.sparse.isRow {
		return t.fields, nil
	}
	// The row is read once more, as if nobody had asked for less.
	t.start, t.nextLine = t.start-t.sparse.size, t.nextLine-1
	columns := t.sparse.columns
	t.sparse.columns = nil
	fields, err := t.Next()
	t.sparse.columns = columns
	return fields, err
}

// AskPrints has Print return the hash of the row that Next returned last. It is called before the
// first row.
func (t *CSV) AskPrints(seed uint64) { t.sparse.prints, t.sparse.seed = true, seed }

// Print returns the hash of a row, see AskPrints. Nobody who does not know the seed can make two
// rows of one print.
func (t *CSV) Print() [16]byte { return t.sparse.print }

// splitFirst cuts the cells off a line that were asked for. It reports false, with nothing
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
	return true
}
