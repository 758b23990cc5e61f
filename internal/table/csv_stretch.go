package table

import "bytes"

// Stretch is rows of a CSV that follow each other, which somebody else can read meanwhile. Its
// zero value is to be handed to [CSV.Cut], with all that are cut of the same one.
//
// An error other than io.EOF, instead of a row that is broken, may say that it was a wrong guess
// where the stretch ends.
type Stretch struct {
	CSV
	text   []byte // as it was read,
	whole  []byte // the buffer in which that stands,
	begin  int    // and the line
	copied []byte // the text, if there are quotes in it: a reader takes them out in place
}

// StretchSize is how many bytes a stretch should have. A reader's buffer holds them and a row, and
// what goes on behind them is little.
const StretchSize = csvBuffer - 32<<10

// Cut makes the next rows, of size bytes or more, those of a stretch. It reports false where it
// cannot. Next goes on behind the last stretch.
//
// Where a row ends only who has read all rows before can tell for sure: a stray quote makes all
// the difference. So this is a guess: a stretch ends at a line break behind an even number of
// quotes. If who reads it then comes to the end, and not to one within a row, the next stretch
// begins with a row. If not, see [CSV.TakeBack].
func (t *CSV) Cut(s *Stretch, size int) bool {
	c := t.csvReader
	for ; ; size *= 2 {
		for c.end-c.start < size {
			if c.eof || !c.fill() {
				return false // the rest is little, or a row that is too long
			}
		}
		end := rowsEnd(c.buf[c.start : c.start+size])
		if end == 0 {
			continue
		}
		s.begin = c.nextLine
		start := c.start
		c.advance(end)
		s.text = c.buf[start:c.start]
		c.handOver(s)
		if s.csvReader == nil {
			own := &csvReader{comma: c.comma, max: c.max, sparse: c.sparse}
			own.sparse.cells = make([][]byte, len(c.sparse.cells))
			s.CSV = CSV{csvReader: own, names: t.names}
		}
		return true
	}
}

// handOver leaves the buffer to the stretch whose text stands in it, and takes that of its last one
// instead: what a buffer holds is far more than what goes on behind the stretch.
func (c *csvReader) handOver(s *Stretch) {
	other := s.whole
	if len(other) < len(c.buf) {
		other = make([]byte, len(c.buf))
	}
	s.whole = c.buf
	c.end = copy(other, c.buf[c.start:c.end])
	c.buf, c.start, c.quote = other, 0, -1
}

// Rewind has Next begin with the first row of the stretch.
func (s *Stretch) Rewind() {
	text := s.text
	if bytes.IndexByte(text, '"') >= 0 {
		s.copied = append(s.copied[:0], text...)
		text = s.copied
	}
	c := s.csvReader
	*c = csvReader{
		comma: c.comma, max: c.max, buf: text, end: len(text), quote: -1, eof: true,
		nextLine: s.begin, fields: c.fields, doubled: c.doubled, sparse: c.sparse,
	}
}

// TakeBack has Next go on with the stretches that were cut last.
func (t *CSV) TakeBack(last []*Stretch) {
	var text []byte
	for _, s := range last {
		text = append(text, s.text...)
	}
	c := t.csvReader
	c.buf = append(text, c.buf[c.start:c.end]...)
	c.start, c.end, c.quote, c.nextLine = 0, len(c.buf), -1, last[0].begin
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
