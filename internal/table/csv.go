package table

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"gleapsync/internal/cell"
	"gleapsync/internal/jsonscan"
	"gleapsync/internal/keys"
	"gleapsync/internal/source"
)

// CSV is a CSV file as a table: the first row names the columns. A cell is a text.
type CSV struct {
	*csvReader
	names     []string
	text      *source.Text
	isSuspect bool // see [CSV.IsSuspect]
	endsLines bool // see [Options]
	isCut     bool // see [CSV.IsCutOff]
}

// NewCSV returns the table of a text, which its Close closes. A delimiter of 0 is to be found, and
// endsLines is that of [Options]. An error leaves the text open.
func NewCSV(text *source.Text, delimiter byte, endsLines bool) (*CSV, error) {
	rows, header, err := readHeader(text, delimiter)
	if err != nil {
		return nil, err
	}
	if endsLines && !rows.terminated {
		return nil, ErrTruncated
	}
	return &CSV{csvReader: rows, names: columnNames(header), text: text, endsLines: endsLines}, nil
}

// Suspect says what may be wrong with a row for which IsSuspect is true.
const Suspect = "a quoted cell holds whole lines with as many delimiters as the header: a quote may be missing, and rows with it"

// IsSuspect reports whether the row that Next returned last, which is read all the same, has lines
// in a cell that look like rows.
func (t *CSV) IsSuspect() bool { return t.isSuspect }

// IsCutOff reports whether the row for which Next returned an error last is broken only for want of
// a line break, see [Options].
func (t *CSV) IsCutOff() bool { return t.isCut }

// Terminated reports whether the row that Next returned last ended with a line break.
func (t *CSV) Terminated() bool { return t.terminated }

// Columns implements [Table].
func (t *CSV) Columns() []string { return t.names }

// Line implements [Table].
func (t *CSV) Line() int { return t.line }

// Close implements [Table].
func (t *CSV) Close() error { return t.text.Close() }

// Next implements [Table].
func (t *CSV) Next() ([][]byte, error) {
	fields, err := t.csvReader.next()
	if t.isSuspect = false; err == nil && t.sparse.isRow {
		return fields, nil
	}
	if err == nil && len(fields) == 1 && isFooter(fields[0]) {
		return nil, fmt.Errorf("line %d is a count of the rows, as psql writes it, and no row: use psql --csv, or switch it off with -P footer=off", t.line)
	}
	t.isSuspect = err == nil && t.spans && t.holdsRows(fields)
	if err != nil {
		return nil, err
	}
	if len(fields) == len(t.names) {
		if t.isCut = t.endsLines && !t.terminated; t.isCut {
			return nil, &RowError{t.line, cutOff}
		}
		return fields, nil
	}
	if len(fields) < len(t.names) && !t.terminated {
		return nil, ErrTruncated
	}
	return nil, &RowError{t.line, fmt.Sprintf("the row has %d fields, the header %d", len(fields), len(t.names))}
}

// MayBreakOff reports whether the input may end within the row that Next returned last: it
// does so behind a delimiter.
func (t *CSV) MayBreakOff(fields [][]byte) bool {
	return !t.terminated && len(fields) > 1 && len(fields[len(fields)-1]) == 0
}

// holdsRows reports whether lines of the row may be rows of their own: a quote that closes
// rows later than it was meant to swallows those between. Where it closes in the next one,
// both lines look like rows.
func (t *CSV) holdsRows(fields [][]byte) bool {
	if whole := len(t.names) - 1; whole > 0 && t.ends == [2]int{whole, whole} {
		return true
	}
	for _, field := range fields {
		_, lines, _ := bytes.Cut(field, []byte{'\n'})
		for line := range bytes.Lines(lines) {
			if bytes.Count(line, []byte{t.comma}) == len(t.names)-1 {
				return true
			}
		}
	}
	return false
}

// isFooter reports whether the only field of a row is what psql, or sqlcmd, writes behind
// the last one.
func isFooter(field []byte) bool {
	return len(field) > 0 && field[0] == '(' && footer.Match(field)
}

var footer = regexp.MustCompile(`^\(\d+ rows?( affected)?\)\s*$`)

func columnNames(header [][]byte) []string {
	names := make([]string, len(header))
	for i, name := range header {
		names[i] = strings.TrimSpace(string(name))
	}
	return names
}

// delimiters are tried in this order.
const delimiters = ",\t|;:"

// detectDelimiter returns the delimiter of a header, given the first bytes of a
// file: the one that finds a column with ids, else the one that makes the most
// columns.
func detectDelimiter(start []byte) byte {
	best, most := byte(','), 0
	for _, comma := range []byte(delimiters) {
		probe := &csvReader{comma: comma, max: cell.MaxRow, buf: bytes.Clone(start), end: len(start), quote: -1, eof: true, nextLine: 1}
		header, err := probe.next()
		if err != nil {
			continue
		}
		score := len(header)
		for _, name := range header {
			if s := keys.Snake(string(name)); len(header) > 1 && (s == "user_id" || s == "external_ids") {
				score += 1 << 20
				break
			}
		}
		if score > most {
			best, most = comma, score
		}
	}
	return best
}

// readHeader reads the header and returns a reader that stands behind it.
func readHeader(r io.Reader, delimiter byte) (*csvReader, [][]byte, error) {
	c := newCSVReader(r, delimiter)
	for !holdsRow(c.buf[c.start:c.end]) && !c.eof {
		if start := c.buf[c.start:c.end]; len(bytes.Trim(start, "\r\n")) == 0 {
			c.advance(len(start)) // lines before the header, which nobody has to look at again
		}
		if !c.fill() {
			return nil, nil, errors.New("the header is no CSV: " + tooLong)
		}
	}
	if c.readErr != nil && !holdsRow(c.buf[c.start:c.end]) {
		return nil, nil, c.readErr
	}
	if delimiter == 0 {
		start := c.buf[c.start:c.end]
		if few := min(len(start), 4<<10); holdsRow(start[:few]) { // as most headers are
			start = start[:few]
		}
		c.comma = detectDelimiter(start)
	}
	header, err := c.next()
	var broken *RowError
	switch {
	case err == io.EOF:
		return nil, nil, errors.New("the file is empty: it has no header")
	case errors.As(err, &broken):
		return nil, nil, errors.New("the header is no CSV: " + broken.Reason)
	}
	return c, header, err
}

// holdsRow reports whether a row ends within start, the first bytes of a file, as far as
// that can be told before the delimiter is known: a line break ends it if the quotes
// before are even in number. A quote that is never closed is not looked for to the end.
func holdsRow(start []byte) bool {
	const far = 1 << 20
	start = jsonscan.SkipBlanks(start)
	quotes, first := 0, -1
	for at := 0; ; {
		size := bytes.IndexByte(start[at:], '\n')
		if size < 0 {
			return first >= 0 && len(start)-first > far
		}
		if quotes += bytes.Count(start[at:at+size], []byte{'"'}); quotes%2 == 0 {
			return true
		}
		if at += size + 1; first < 0 {
			first = at
		}
	}
}
