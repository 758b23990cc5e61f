package engage

import "bytes"

// stretchSize is how many bytes a stretch of CSV has. A reader's buffer holds them and a row, and
// what goes on behind them is little.
const stretchSize = csvBuffer - 32<<10

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
		s.line = c.nextLine
		start := c.start
		c.advance(end)
		s.text = c.buf[start:c.start]
		c.handOver(s)
		if s.table == nil {
			s.table = t.rowsOf(s)
		}
		return true, nil
	}
}

// handOver leaves the buffer to the stretch whose text stands in it, and takes that of its last one
// instead: what a buffer holds is far more than what goes on behind the stretch.
func (c *csvReader) handOver(s *stretch) {
	other := s.buf
	if len(other) < len(c.buf) {
		other = make([]byte, len(c.buf))
	}
	s.buf = c.buf
	c.end = copy(other, c.buf[c.start:c.end])
	c.buf, c.start, c.quote = other, 0, -1
}

// rowsOf returns what goes over the rows of a stretch.
func (t *csvTable) rowsOf(s *stretch) *csvRows {
	own := &csvReader{comma: t.comma, max: t.max, sparse: t.sparse}
	own.sparse.cells = make([][]byte, len(t.sparse.cells))
	return &csvRows{csvTable: csvTable{csvReader: own, names: t.names}, stretch: s}
}

// csvRows are the rows of a stretch.
type csvRows struct {
	csvTable
	stretch *stretch
	copied  []byte // the text, if there are quotes in it: a reader takes them out in place
}

func (t *csvRows) rewind() {
	text := t.stretch.text
	if bytes.IndexByte(text, '"') >= 0 {
		t.copied = append(t.copied[:0], text...)
		text = t.copied
	}
	c := t.csvReader
	*c = csvReader{
		comma: c.comma, max: c.max, buf: text, end: len(text), quote: -1, eof: true,
		nextLine: t.stretch.line, fields: c.fields, doubled: c.doubled, sparse: c.sparse,
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
