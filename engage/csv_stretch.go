package engage

import "bytes"

// stretchSize is how many bytes a stretch of CSV has. A reader's buffer holds them and a row.
const stretchSize = 192 << 10

// cut implements [stretchable]. Where a row ends only who has read all rows before can tell for
// sure: a stray quote makes all the difference. So this is a guess: a stretch ends at a line break
// behind an even number of quotes. If its reader then comes to the end, and not to one within a
// row, the next stretch begins with a row.
func (t *csvTable) cut(_ *rowReader, s *stretch) (bool, error) {
	c := t.csvReader
	for size := c.stretch; ; size *= 2 {
		for c.end-c.start < size {
			if c.eof || !c.fill() {
				return false, nil // the rest is little, or a row that is too long
			}
		}
		end := rowsEnd(c.buf[c.start : c.start+size])
		if end == 0 {
			continue
		}
		s.text = append(s.text[:0], c.buf[c.start:c.start+end]...)
		s.line = c.nextLine
		c.advance(end)
		s.table = t.of(s)
		return true, nil
	}
}

// of returns the rows of a stretch.
func (t *csvTable) of(s *stretch) *csvRows {
	rows, ok := s.table.(*csvRows)
	if !ok {
		rows = &csvRows{csvTable: csvTable{csvReader: &csvReader{comma: t.comma, max: t.max}, names: t.names}, stretch: s}
	}
	rows.rewind()
	return rows
}

// csvRows are the rows of a stretch.
type csvRows struct {
	csvTable
	stretch *stretch
}

func (t *csvRows) rewind() {
	c := t.csvReader
	*c = csvReader{
		comma: c.comma, max: c.max, buf: append(c.buf[:0], t.stretch.text...), end: len(t.stretch.text), quote: -1, eof: true,
		nextLine: t.stretch.line, fields: c.fields, doubled: c.doubled,
	}
}

// takeBack implements [stretchable].
func (t *csvTable) takeBack(left []*stretch) {
	var text []byte
	for _, s := range left {
		text = append(text, s.text...)
	}
	c := t.csvReader
	c.buf = append(text, c.buf[c.start:c.end]...)
	c.start, c.end, c.quote, c.nextLine = 0, len(c.buf), -1, left[0].line
}

// rowsEnd returns where the last line break is that an even number of quotes stands before, and
// the place behind it; 0 if there is none.
func rowsEnd(text []byte) int {
	quote := []byte{'"'}
	quotes := bytes.Count(text, quote)
	for end := len(text); ; {
		at := bytes.LastIndexByte(text[:end], '\n')
		if at < 0 {
			return 0
		}
		if quotes -= bytes.Count(text[at:end], quote); quotes%2 == 0 {
			return at + 1
		}
		end = at
	}
}
